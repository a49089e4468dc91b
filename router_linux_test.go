package ping_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/icmpsock/ping"
)

// Across a router of Linux's own.
func TestRouter(t *testing.T) {
	middle, far := chain(t)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			from := router(netip.MustParseAddr(host))
			s, err := p.PingN(t.Context(), host, 5, ping.WithInterval(ms))
			if err != nil || s.Received != 5 || s.Replies[4].TTL != 63 {
				t.Errorf("%s: %v, %v", host, s, err)
			}
			r, err := p.Ping(t.Context(), host, ping.WithTTL(1))
			var e *ping.ICMPError
			if !errors.As(err, &e) || r.From != from || r.RTT <= 0 || r.TTL != 64 {
				t.Errorf("%s, TTL 1: %+v, %v", host, r, err)
			}
		}
	})
	t.Run("path MTU", func(t *testing.T) {
		middle.SetMTU(t, "c2", 1300)
		far.SetMTU(t, "c3", 1300)
		overEachKind(t, func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			for _, host := range []string{beyond4, beyond6} {
				from := router(netip.MustParseAddr(host))
				for range 2 { // what the kernel learns from the first changes nothing for the second
					var e *ping.ICMPError
					_, err := p.Ping(t.Context(), host, ping.WithSize(1372), ping.WithDontFragment(true))
					if !errors.As(err, &e) || e.MTU != 1300 || e.From != from {
						t.Errorf("%s: %v", host, err)
					}
				}
				if _, err := p.Ping(t.Context(), host, ping.WithSize(1200), ping.WithDontFragment(true)); err != nil {
					t.Errorf("%s, 1200 bytes: %v", host, err)
				}
				// Larger than this host's own link: it does not leave.
				_, err := p.Ping(t.Context(), host, ping.WithSize(1600), ping.WithDontFragment(true))
				if !errors.Is(err, syscall.EMSGSIZE) {
					t.Errorf("%s, 1600 bytes: %v", host, err)
				}
			}
			for range 2 {
				if _, err := p.Ping(t.Context(), beyond4, ping.WithSize(1372)); err != nil {
					t.Errorf("fragmented on the way: %v", err)
				}
			}
			if _, err := p.Ping(t.Context(), beyond4, ping.WithSize(65535-20-8)); err != nil {
				t.Errorf("in many fragments: %v", err)
			}
		})
	})
}

func TestLinkLocal(t *testing.T) {
	middle, _ := chain(t)
	var addr netip.Addr
	middle.Do(t, func() { addr = linkLocal(t, "c1") })
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		host := addr.WithZone("c0").String()
		if r, err := p.Ping(t.Context(), host); err != nil || r.From.String() != host {
			t.Errorf("%s: %+v, %v", host, r, err)
		}
		_, err := p.Ping(t.Context(), addr.WithZone("nosuch0").String())
		if err == nil || !strings.Contains(err.Error(), `zone "nosuch0" is no network interface`) {
			t.Errorf("no such zone: %v", err)
		}
		if _, err := p.Ping(t.Context(), addr.String()); err == nil {
			t.Error("no zone: no error")
		}
		bound := openPinger(t, kind, ping.WithInterface("c0"))
		if _, err := bound.Ping(t.Context(), addr.String()); err != nil {
			t.Errorf("no zone, bound to the interface: %v", err)
		}
	})
}

// linkLocal is the link-local address of a device.
func linkLocal(t testing.TB, dev string) netip.Addr {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	t.Fatalf("%s has no link-local address", dev)
	return netip.Addr{}
}
