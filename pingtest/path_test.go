package pingtest_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// chain makes n routers, one behind the other, and a host behind the last. Router i answers after i milliseconds.
func chain(n *pingtest.Network, addr string, length int) (routers []*pingtest.Host, host *pingtest.Host) {
	format := "10.0.0.%d"
	if addr == six {
		format = "2001:db8:1::%d"
	}
	var last *pingtest.Host
	for i := 1; i <= length; i++ {
		last = n.Host(fmt.Sprintf(format, i), pingtest.Behind(last), pingtest.RTT(time.Duration(i)*ms))
		routers = append(routers, last)
	}
	return routers, n.Host(addr, pingtest.Behind(last), pingtest.RTT(20*ms))
}

// A probe's TTL runs out at the router that far away, which says so, unless it is silent, down, or behind one that is.
func TestHops(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, host := chain(n, addr, 5)
		label := ping.MPLSLabel{Label: 24001, TrafficClass: 5, TTL: 1}
		routers[1].Set(pingtest.MPLS(label))
		routers[2].Set(pingtest.Silent())
		p := n.Pinger(t)
		// trace returns who answered probes of each TTL, and after how long.
		trace := func() (from []string) {
			for ttl := 1; ttl <= 7; ttl++ {
				r, err := p.Ping(t.Context(), addr, ping.WithTTL(ttl))
				var e *ping.ICMPError
				switch {
				case errors.As(err, &e):
					if e.Code != 0 || addr == four && e.Type != 11 || addr == six && e.Type != 3 {
						t.Errorf("TTL %d: %v", ttl, e)
					}
					if want := 64 - (ttl - 1); r.TTL != want || e.From != r.From || (e.MPLS != nil) != (ttl == 2) {
						t.Errorf("TTL %d: answer with TTL %d, want %d, %+v", ttl, r.TTL, want, e)
					}
					fallthrough
				case err == nil:
					from = append(from, fmt.Sprint(r.From, " ", r.RTT))
				default:
					from = append(from, "*")
				}
			}
			return from
		}
		hop := func(i int) string { return fmt.Sprint(routers[i-1], " ", time.Duration(i)*ms) }
		end := addr + " 20ms"
		for _, c := range []struct {
			name   string
			change func()
			want   []string
		}{
			{"all", func() {}, []string{hop(1), hop(2), "*", hop(4), hop(5), end, end}},
			{"the second down", func() { routers[1].Set(pingtest.Down()) }, []string{hop(1), "*", "*", "*", "*", "*", "*"}},
			{"up again, the last losing", func() {
				routers[1].Set(pingtest.Up())
				routers[4].Set(pingtest.Loss(1))
			}, []string{hop(1), hop(2), "*", hop(4), "*", end, end}},
			{"another way", func() { host.Set(pingtest.Behind(routers[0])) }, []string{hop(1), end, end, end, end, end, end}},
			{"none between", func() { host.Set(pingtest.Behind(nil)) }, []string{end, end, end, end, end, end, end}},
		} {
			c.change()
			if got := trace(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: got %v\nwant %v", c.name, got, c.want)
			}
		}
		// Routers answer for themselves, too; TTLs are as far as they go.
		r, err := p.Ping(t.Context(), routers[3].String())
		if err != nil || r.From != routers[3].Addr() || r.RTT != 4*ms || r.TTL != 61 {
			t.Errorf("a router pinged: %+v, %v", r, err)
		}
	})
}

// Trace finds the routers as they are, all of its probes in one flow.
func TestTrace(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, host := chain(n, addr, 4)
		routers[1].Set(pingtest.Silent())
		routers[2].Set(pingtest.MPLS(ping.MPLSLabel{Label: 24001, TrafficClass: 5, TTL: 1}))
		want := []string{
			fmt.Sprintf(" 1  %v  1.000 ms  1.000 ms  1.000 ms", routers[0]),
			" 2  *  *  *",
			fmt.Sprintf(" 3  %v <MPLS:L=24001,E=5,S=1,T=1>  3.000 ms  3.000 ms  3.000 ms", routers[2]),
			fmt.Sprintf(" 4  %v  4.000 ms  4.000 ms  4.000 ms", routers[3]),
			fmt.Sprintf(" 5  %v  20.000 ms  20.000 ms  20.000 ms", host),
		}
		var got []string
		for hop, err := range n.Pinger(t).Trace(t.Context(), addr) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, hop.String())
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// A flow that is asked for shows in the records.
		for range n.Pinger(t).Trace(t.Context(), addr, ping.WithFlow(7), ping.WithCount(1)) {
		}
		for _, r := range n.Records() {
			if r.ID == 2 && (r.FlowLabel != 0) != (addr == six) {
				t.Errorf("flow label %#x in %+v", r.FlowLabel, r)
			}
		}
	})
}

// PathMTU finds the smallest MTU, told or not.
func TestPathMTU(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, host := chain(n, addr, 3)
		p := n.Pinger(t)
		most := map[string]int{four: 65535, six: 65575}[addr]
		for _, c := range []struct {
			host    *pingtest.Host
			setting pingtest.Setting
			want    int
		}{
			{host, pingtest.Up(), most},
			{routers[0], pingtest.MTU(9000), 9000},
			{routers[1], pingtest.MTU(1492), 1492},
			{routers[2], pingtest.BlackHole(1400), 1400},
			{host, pingtest.BlackHole(1333), 1333},
		} {
			c.host.Set(c.setting)
			if got, err := p.PathMTU(t.Context(), addr); err != nil || got != c.want {
				t.Errorf("got %d, %v, want %d", got, err, c.want)
			}
		}
	})
}

func TestRoutingLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, _ := chain(n, addr, 2)
		routers[0].Set(pingtest.Behind(routers[1]))
		_, err := n.Pinger(t).Ping(t.Context(), addr)
		var e *ping.ICMPError
		if !errors.As(err, &e) || e.Type != 11 && addr == four || e.Type != 3 && addr == six {
			t.Errorf("%v, want TTL exceeded", err)
		}
	})
}

func TestMTU(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, _ := chain(n, addr, 3)
		routers[1].Set(pingtest.MTU(1400))
		p := n.Pinger(t)
		header := 28 // IPv4's and ICMP's
		if addr == six {
			header = 48
		}
		// A packet of so many bytes: who refuses it, and with which MTU; "" if it arrives, "*" if nobody says
		// anything.
		check := func(what string, size int, dont bool, want string) {
			t.Helper()
			_, err := p.Ping(t.Context(), addr, ping.WithSize(size-header), ping.WithDontFragment(dont))
			got := ""
			var e *ping.ICMPError
			switch {
			case errors.As(err, &e):
				if e.MTU == 0 || addr == four && (e.Type != 3 || e.Code != 4) || addr == six && (e.Type != 2 || e.Code != 0) {
					t.Errorf("%s: %+v", what, e)
				}
				got = fmt.Sprint(e.From, " ", e.MTU)
			case errors.Is(err, ping.ErrTimeout):
				got = "*"
			case err != nil:
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s: %d bytes: got %q, want %q", what, size, got, want)
			}
		}
		second := fmt.Sprint(routers[1], " 1400")
		check("fits", 1400, true, "")
		check("too big", 1401, true, second)
		check("may be fragmented", 9000, false, "")
		routers[2].Set(pingtest.BlackHole(1300))
		check("fits", 1300, true, "")
		check("black hole", 1301, true, "*")
		check("the error comes first", 1401, true, second)
		routers[1].Set(pingtest.MTU(0))
		check("no limit, but the black hole", 1401, true, "*")
		routers[2].Set(pingtest.MTU(1300), pingtest.Silent())
		check("says nothing", 1301, true, "*")
	})
}

// What passes through a router that refuses is refused; what does not get that far is not.
func TestRefusingRouter(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, _ := chain(n, addr, 3)
		routers[1].Set(pingtest.Refuse(ping.ICMPError{Type: 3, Code: 13}))
		p := n.Pinger(t)
		for _, c := range []struct {
			host string
			from netip.Addr
		}{{routers[0].String(), netip.Addr{}}, {routers[1].String(), routers[1].Addr()}, {addr, routers[1].Addr()}} {
			_, err := p.Ping(t.Context(), c.host)
			var e *ping.ICMPError
			if errors.As(err, &e) != c.from.IsValid() || e != nil && (e.From != c.from || e.Code != 13) {
				t.Errorf("%s: %v, want an error from %v", c.host, err, c.from)
			}
		}
	})
}

// In a routing loop every TTL runs out, the largest too.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		a := n.Host("192.0.2.1")
		b := n.Host("192.0.2.2", pingtest.Behind(a))
		a.Set(pingtest.Behind(b))
		p := n.Pinger(t)
		for _, ttl := range []int{1, 2, 254, 255} {
			var e *ping.ICMPError
			if _, err := p.Ping(t.Context(), "192.0.2.2", ping.WithTTL(ttl)); !errors.As(err, &e) || e.Type != 11 {
				t.Errorf("TTL %d: %v", ttl, err)
			}
		}
	})
}

// A Trace under WithRate yields what is settled while it waits for its turn, and sends nothing that is no longer
// wanted.
func TestTraceRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host("192.0.2.1")
		p := n.Pinger(t, ping.WithRate(1))
		start := time.Now()
		for h, err := range p.Trace(t.Context(), "192.0.2.1", ping.WithCount(1)) {
			if d := time.Since(start); err != nil || !h.Reached() || d != ms {
				t.Errorf("%v, %v after %v", h, err, d)
			}
		}
		if c := n.Counts(); c.Requests != 1 {
			t.Errorf("%d requests", c.Requests)
		}
	})
}

// Where this host cannot send any more, that is no limit of the path's.
func TestPathMTUCannotSend(t *testing.T) {
	for _, e := range []error{syscall.ENETUNREACH, ping.ErrNoRoom} {
		synctest.Test(t, func(t *testing.T) {
			n := pingtest.NewNetwork()
			h := n.Host("192.0.2.1", pingtest.RTT(10*ms))
			p := n.Pinger(t)
			h.At(15*ms, pingtest.SendError(e))
			if mtu, err := p.PathMTU(t.Context(), "192.0.2.1"); !errors.Is(err, e) || mtu != 9000 {
				t.Errorf("%v: got %d, %v", e, mtu, err)
			}
		})
	}
}

// A network that was made outside of the bubble would never come to what its schedule says.
func TestOutsideTheBubble(t *testing.T) {
	n := pingtest.NewNetwork()
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if s, ok := recover().(string); !ok || !strings.Contains(s, "inside") {
				t.Errorf("recovered %q", s)
			}
		}()
		n.Pinger(t)
	})
}
