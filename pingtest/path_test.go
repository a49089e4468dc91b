package pingtest_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
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
