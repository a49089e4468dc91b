package ping_test

import (
	"net/netip"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// The addresses of a link with a responder beyond it, which plays hosts and routers.
const (
	// This host's.
	near4, near6 = "198.51.100.1", "2001:db8:1::1"
	// A neighbour's.
	far4, far6 = "198.51.100.2", "2001:db8:1::2"
	// Behind a router that the responder plays too.
	beyond4, beyond6 = "203.0.113.5", "2001:db8:2::5"
	router4, router6 = "198.51.100.254", "2001:db8:1::fe"
)

// newResponder makes the link. Without a script, the responder answers all echo requests.
func newResponder(t testing.TB, script func(*netlab.Request) []netlab.Answer) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  nearPrefixes(),
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
		Script: script,
	})
}

// router is the router of an address's family.
func router(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.MustParseAddr(router4)
	}
	return netip.MustParseAddr(router6)
}

// unreachable is the error of a router that cannot reach the host, about packet.
func unreachable(r *netlab.Request, packet []byte) netlab.Answer {
	code := byte(1) // host unreachable
	if r.Dst.Is6() {
		code = 3 // address unreachable
	}
	return netlab.ErrorQuoting(packet, router(r.Dst), typeUnreachable(r), code, 0)
}

// hopAddr is the router at a distance, of the family told, as scripts have it.
func hopAddr(a netip.Addr, distance int) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + distance)})
	}
	b := netip.MustParseAddr(near6).As16()
	b[15] = byte(100 + distance)
	return netip.AddrFrom16(b)
}

// exceededAt is the time exceeded of the router that the request's TTL takes it to.
func exceededAt(r *netlab.Request) netlab.Answer {
	return r.Error(hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0, -1)
}

// typeExceeded and typeUnreachable are the types of those errors, in ICMP and ICMPv6 (RFC 792, RFC 4443).
func typeExceeded(r *netlab.Request) byte {
	if r.Dst.Is6() {
		return 3
	}
	return 11
}

func typeUnreachable(r *netlab.Request) byte {
	if r.Dst.Is6() {
		return 1
	}
	return 3
}

// chain makes a chain of namespaces with Linux routers in it: Self – router – far, and returns the last two.
func chain(t testing.TB) (middle, far *netlab.Namespace) {
	self, middle, far := netlab.Self(t), netlab.New(t), netlab.New(t)
	netlab.Link(t, self, "c0", middle, "c1")
	netlab.Link(t, middle, "c2", far, "c3")
	for _, a := range []struct {
		ns     *netlab.Namespace
		dev    string
		prefix string
	}{
		{self, "c0", "198.51.100.1/24"}, {middle, "c1", "198.51.100.254/24"},
		{middle, "c2", "203.0.113.254/24"}, {far, "c3", "203.0.113.5/24"},
		{self, "c0", "2001:db8:1::1/64"}, {middle, "c1", "2001:db8:1::fe/64"},
		{middle, "c2", "2001:db8:2::fe/64"}, {far, "c3", "2001:db8:2::5/64"},
	} {
		a.ns.Addr(t, a.dev, netip.MustParsePrefix(a.prefix))
	}
	middle.Forward(t)
	for _, r := range []struct {
		ns       *netlab.Namespace
		dst, via string
		dev      string
	}{
		{self, "203.0.113.0/24", "198.51.100.254", "c0"}, {far, "198.51.100.0/24", "203.0.113.254", "c3"},
		{self, "2001:db8:2::/64", "2001:db8:1::fe", "c0"}, {far, "2001:db8:1::/64", "2001:db8:2::fe", "c3"},
	} {
		r.ns.Route(t, netip.MustParsePrefix(r.dst), netip.MustParseAddr(r.via), r.dev)
	}
	return middle, far
}
