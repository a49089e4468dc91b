package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// Routers of Linux answer for the anycast addresses of their subnets from their own (RFC 4291 section 2.6.1).
func TestSubnetRouterAnycast(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 2)
	for i, r := range chain.Routers {
		// It would wait for up to 800 ms before it says that an anycast address is its own (RFC 4861 section 7.2.7).
		setNeighbours(t, r, "ipv6", fmt.Sprint("up", i), "proxy_delay", "0")
	}
	var neighbour netip.Addr
	chain.Routers[0].Do(t, func() { neighbour = linkLocal(t, "up0") })
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for i, c := range []struct{ host, from string }{
			{"fd77::", "fd77::2"},
			{"fd77:0:1::", "fd77::2"},
			{"fd77:0:2::", "fd77:0:1::2"},
			{"fe80::%down0", neighbour.WithZone("down0").String()},
		} {
			from := netip.MustParseAddr(c.from)
			r, err := p.Ping(t.Context(), c.host, ping.WithTimeout(patience))
			if err != nil || r.From != from || r.RTT <= 0 || r.Clock != ping.ClockKernel {
				t.Errorf("%s: %+v, %v", c.host, r, err)
			}
			for addr, r := range p.Sweep(t.Context(), addrsOf(c.host), ping.WithTimeout(patience)) {
				if addr.String() != c.host || r.From != from {
					t.Errorf("Sweep: %v, %+v", addr, r)
				}
			}
			if mtu, err := p.PathMTU(t.Context(), c.host); mtu != 1500 || err != nil {
				t.Errorf("PathMTU to %s: %d, %v", c.host, mtu, err)
			}
			if i == len(chain.Routers)+1 {
				continue
			}
			hops := 0
			for h, err := range p.Trace(t.Context(), c.host, ping.WithTimeout(patience)) {
				hops++
				if want := map[bool]string{false: "fd77::2", true: c.from}[h.Reached()]; err != nil ||
					fmt.Sprint(h.Addrs()) != "["+want+"]" {
					t.Errorf("Trace to %s: %v, %v", c.host, h, err)
				}
			}
			if want := max(1, i); hops != want {
				t.Errorf("Trace to %s ends after %d hops, want %d", c.host, hops, want)
			}
		}
		if k := p.Counters(); k.Stray != 0 || k.Lost != k.Errors {
			t.Errorf("counters %+v", k)
		}
	})
}

// What the kernel hands over of hosts that answer from another address, or with less than they were sent.
func TestOddHosts(t *testing.T) {
	elsewhere := func(a netip.Addr) netip.Addr { return a.Next() }
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		switch r.Dst.As16()[15] {
		case 20: // from elsewhere
			return []netlab.Answer{r.Forge(func(p *netlab.Packet) { p.Src = elsewhere(p.Src) })}
		case 30:
			return []netlab.Answer{r.EchoFirst(68)}
		}
		return nil
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range []string{"203.0.113.30", "2001:db8:2::1e"} {
			for _, size := range []int{56, 68, 100, 1400, 4000} {
				r, err := p.Ping(t.Context(), host, ping.WithSize(size), ping.WithTimeout(patience))
				if err != nil || r.Truncated != (size > 68) || r.Size != min(size, 68)+8 || r.From.String() != host {
					t.Errorf("%s, %d bytes: %+v, %v", host, size, r, err)
				}
			}
			if mtu, err := p.PathMTU(t.Context(), host); mtu != 1500 || err != nil {
				t.Errorf("PathMTU to %s: %d, %v", host, mtu, err)
			}
		}
		six := netip.MustParseAddr("2001:db8:2::14")
		r, err := p.Ping(t.Context(), six.String(), ping.WithTimeout(patience))
		if err != nil || r.From != elsewhere(six) {
			t.Errorf("%+v, %v", r, err)
		}
		four := netip.MustParseAddr("203.0.113.20")
		_, err = p.Ping(t.Context(), four.String(), ping.WithTimeout(200*ms))
		var other *ping.ElsewhereError
		if !errors.As(err, &other) || other.From != elsewhere(four) || !errors.Is(err, ping.ErrTimeout) {
			t.Errorf("%v", err)
		}
	})
}
