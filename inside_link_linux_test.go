package ping

import (
	"net/netip"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

const (
	near4, near6 = "198.51.100.1", "2001:db8:1::1"
	far4, far6   = "198.51.100.2", "2001:db8:1::2"
	// Behind a router that the responder plays too.
	beyond4, beyond6 = "203.0.113.5", "2001:db8:2::5"
	router4, router6 = "198.51.100.254", "2001:db8:1::fe"
)

func newResponder(t testing.TB, script func(*netlab.Request) []netlab.Answer) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
		Script: script,
	})
}

// unreachable is the error of a router that cannot reach the host, about packet.
func unreachable(r *netlab.Request, packet []byte) netlab.Answer {
	if r.Dst.Is6() {
		return netlab.ErrorQuoting(packet, router(r.Dst), icmp6Unreachable, 3, 0)
	}
	return netlab.ErrorQuoting(packet, router(r.Dst), icmpUnreachable, 1, 0)
}

// router is the router of an address's family.
func router(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.MustParseAddr(router4)
	}
	return netip.MustParseAddr(router6)
}
