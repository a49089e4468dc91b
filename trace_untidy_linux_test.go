package ping_test

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// hopsTo sketches the hops of a trace, one after another, with why the last of them is the last.
func hopsTo(t *testing.T, p *ping.Pinger, host string, opts ...ping.ProbeOption) string {
	t.Helper()
	var words []string
	end := ping.TraceEnd("")
	for h, err := range p.Trace(t.Context(), host, opts...) {
		if err != nil {
			t.Errorf("trace to %s: %v", host, err)
		}
		words = append(words, sketch(h))
		end = h.End
	}
	return strings.Join(append(words, string(end)), ", ")
}

// Of Linux's routers, one sends no ICMP errors; the others and the host beyond are found.
func TestTraceSilentRouterOfLinux(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 4)
	chain.Routers[1].Sysctl(t, "net/ipv4/icmp_ratelimit", "1000000")
	chain.Routers[1].Sysctl(t, "net/ipv6/icmp/ratelimit", "1000000")
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, a := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
			want := strings.Join([]string{
				repeat(1, a[0].String()), "2 * * *", repeat(3, a[2].String()), repeat(4, a[3].String()),
				repeat(5, a[4].String()+"."), "reached",
			}, ", ")
			if got := hopsTo(t, openPinger(t, kind), a[4].String(), ping.WithTimeout(time.Minute)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	})
}

// Linux takes three seconds to say that a host on the last link is missing, or that the gateway on the first is. Both
// are more than the timeout, and are shown. All that waits is refused at once, and before 6.12 the namespaces together
// send some 50 ICMP errors at a time, and never less than 25 (icmp_msgs_burst): of three hops, 24 wait.
func TestTraceMissingByLinux(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 2)
	self := netlab.Self(t)
	self.Route(t, netip.MustParsePrefix("203.0.113.0/24"), netip.MustParseAddr("10.77.0.99"), "")
	self.Route(t, netip.MustParsePrefix("2001:db8:99::/64"), netip.MustParseAddr("fd77::99"), "")
	wait := min(hasten(t, self, "down0"), hasten(t, chain.Routers[1], "down2"))
	var traces sync.WaitGroup
	for _, c := range []struct {
		host string
		hops []string // the routers
		by   string   // who says so
	}{
		{"10.77.2.99", []string{chain.Addrs4[0].String(), chain.Addrs4[1].String()}, chain.Addrs4[1].String()},
		{"fd77:0:2::99", []string{chain.Addrs6[0].String(), chain.Addrs6[1].String()}, chain.Addrs6[1].String()},
		{"203.0.113.1", nil, "10.77.0.1"},
		{"2001:db8:99::1", nil, "fd77::1"},
	} {
		p := openPinger(t)
		traces.Go(func() {
			var got []ping.Hop
			for h, err := range p.Trace(t.Context(), c.host, ping.WithMaxHops(3), ping.WithTimeout(wait/3)) {
				if err != nil {
					t.Errorf("%s: %v", c.host, err)
				}
				got = append(got, h)
			}
			if len(got) != len(c.hops)+1 {
				t.Errorf("%s: %v", c.host, got)
				return
			}
			for i, hop := range c.hops {
				if sketch(got[i]) != repeat(i+1, hop) {
					t.Errorf("%s: hop %v, want %s", c.host, got[i], hop)
				}
			}
			last := got[len(got)-1]
			if !slices.Equal(last.Addrs(), []netip.Addr{netip.MustParseAddr(c.by)}) || last.End != ping.EndRefused ||
				!strings.Contains(last.String(), "!H") {
				t.Errorf("%s: the last is %v, %q, want %s", c.host, last, last.End, c.by)
			}
		})
	}
	traces.Wait()
}

// A packet that is too big for a later link goes there in fragments, once a router of IPv6 has said so.
func TestTraceTooBigOfLinux(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 3)
	chain.Routers[1].SetMTU(t, "down2", 1280)
	chain.Routers[2].SetMTU(t, "up2", 1280)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, a := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
			var got []netip.Addr
			var last ping.Hop
			for h, err := range openPinger(t, kind).Trace(t.Context(), a[3].String(), ping.WithSize(1400)) {
				if err != nil {
					t.Error(err)
				}
				last = h
				got = append(got, h.Addrs()...)
			}
			// The target's first reply may be too big for the link as well, and get lost.
			if !slices.Equal(got, a) || last.End != ping.EndReached {
				t.Errorf("got %v, %q, want %v", got, last.End, a)
			}
		}
	})
}
