package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// mtuHops are the hops of a TraceMTU, as text: distance, router, MTU, who named it, and an error.
func mtuHops(t *testing.T, p *ping.Pinger, host string, opts ...ping.ProbeOption) (lines []string) {
	t.Helper()
	for h, err := range p.TraceMTU(t.Context(), host, opts...) {
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		line := fmt.Sprint(h.Distance)
		if h.Router.IsValid() {
			line += " " + h.Router.String()
		}
		line += fmt.Sprint(" ", h.MTU)
		if h.NamedBy.IsValid() {
			line += " by " + h.NamedBy.String()
		}
		if h.Reached {
			line += " reached"
		}
		if h.Router.IsValid() != (h.RTT > 0) {
			t.Errorf("%s: RTT %v", line, h.RTT)
		}
		lines = append(lines, line)
	}
	return lines
}

// mtuWay makes a network of four routers and a target, 192.0.2.1 to .4 and .9, and a Pinger on its link of 1,500 bytes.
func mtuWay(t *testing.T) (*ping.Pinger, []*pingtest.Host) {
	n := pingtest.NewNetwork()
	var way []*pingtest.Host
	for i, addr := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9"} {
		h := n.Host(addr, pingtest.RTT(time.Duration(1+i)*10*ms))
		if i > 0 {
			h.Set(pingtest.Behind(way[i-1]))
		}
		way = append(way, h)
	}
	return mustNew(t, ping.WithTransport(&limited{Transport: n.Transport(), local: 1500})), way
}

// What each hop of a path lets through is found, whatever its routers say.
func TestTraceMTU(t *testing.T) {
	refused := ping.ICMPError{Type: 3, Code: 13}
	for _, c := range []struct {
		name string
		set  func(way []*pingtest.Host)
		opts []ping.ProbeOption
		want []string
	}{
		{"all the same", func([]*pingtest.Host) {}, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1500", "4 192.0.2.4 1500", "5 192.0.2.9 1500 reached",
		}},
		{"two narrowings", func(way []*pingtest.Host) {
			way[1].Set(pingtest.MTU(1433))
			way[3].Set(pingtest.MTU(1300))
		}, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1433 by 192.0.2.2", "4 192.0.2.4 1433",
			"5 192.0.2.9 1300 by 192.0.2.4 reached",
		}},
		{"a black hole", func(way []*pingtest.Host) { way[1].Set(pingtest.BlackHole(1433)) }, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1433", "4 192.0.2.4 1433", "5 192.0.2.9 1433 reached",
		}},
		{"a silent router", func(way []*pingtest.Host) {
			way[0].Set(pingtest.Silent())
			way[2].Set(pingtest.Silent(), pingtest.MTU(1400))
		}, nil, []string{
			"0 1500", "1 0", "2 192.0.2.2 1500", "3 0", "4 192.0.2.4 1400", "5 192.0.2.9 1400 reached",
		}},
		{"a limit of hops", func(way []*pingtest.Host) {}, []ping.ProbeOption{ping.WithMaxHops(2)}, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500",
		}},
		{"a gap", func(way []*pingtest.Host) {
			way[2].Set(pingtest.Down())
		}, []ping.ProbeOption{ping.WithGapLimit(2)}, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 0", "4 0",
		}},
		{"a refusal", func(way []*pingtest.Host) { way[3].Set(pingtest.Refuse(refused)) }, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1500", "4 192.0.2.4 1500", "5 192.0.2.4 0",
			"ping 192.0.2.9: communication administratively prohibited, from 192.0.2.4",
		}},
		{"a refusal in passing", func(way []*pingtest.Host) { // of the first packet to the third router
			way[1].At(95*ms, pingtest.Refuse(refused)).At(105*ms, pingtest.Up())
		}, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1500", "4 192.0.2.4 1500", "5 192.0.2.9 1500 reached",
		}},
		{"a refusal, and then silence", func(way []*pingtest.Host) {
			way[1].At(95*ms, pingtest.Refuse(refused)).At(105*ms, pingtest.Up())
			way[2].Set(pingtest.Silent())
		}, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.2 0", "4 192.0.2.4 1500", "5 192.0.2.9 1500 reached",
		}},
		{"losses", func(way []*pingtest.Host) {
			for _, h := range way {
				h.Set(pingtest.Loss(0.2))
			}
			way[1].Set(pingtest.MTU(1433))
		}, nil, []string{
			"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1433 by 192.0.2.2", "4 192.0.2.4 1433",
			"5 192.0.2.9 1433 reached",
		}},
		{"too many tries", func([]*pingtest.Host) {}, []ping.ProbeOption{ping.WithCount(101)}, []string{
			"ping 192.0.2.9: WithCount(101): TraceMTU takes 1 to 100",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, way := mtuWay(t)
				c.set(way)
				if got := mtuHops(t, p, "192.0.2.9", c.opts...); !slices.Equal(got, c.want) {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
			})
		})
	}
}

// A hop whose router answers once and no more is not known, and narrows nothing. Where the target does so, what passed
// is a bound.
func TestTraceMTUBound(t *testing.T) {
	for _, silent := range []int{3, 4} {
		synctest.Test(t, func(t *testing.T) {
			p, way := mtuWay(t)
			want := []string{"0 1500", "1 192.0.2.1 1500", "2 192.0.2.2 1500", "3 192.0.2.3 1500"}
			if silent == 3 {
				want = append(want, "4 192.0.2.4 0", "5 192.0.2.9 1500 reached")
			} else {
				want = append(want, "4 192.0.2.4 1500", "5 192.0.2.9 68 reached",
					"ping 192.0.2.9: the path MTU is 68 or more: no reply in time")
			}
			// 10 ms for this host, and three round trips to each of the routers before.
			after := 10 * ms
			for i := range silent {
				after += 3 * time.Duration(1+i) * 10 * ms
			}
			way[silent].At(after+ms, pingtest.Silent())
			if got := mtuHops(t, p, "192.0.2.9"); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// The end of ctx and of the Pinger end the loop with an error, and a break without.
func TestTraceMTUCutShort(t *testing.T) {
	for name, want := range map[string]error{"cancelled": context.Canceled, "closed": net.ErrClosed, "broken": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := mtuWay(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var err error
				n := 0
				for _, err = range p.TraceMTU(ctx, "192.0.2.9") {
					if n++; n < 3 || err != nil {
						continue
					}
					switch name {
					case "cancelled":
						cancel()
					case "closed":
						p.Close()
					}
					if want == nil {
						break
					}
				}
				if wantN := map[bool]int{true: 3, false: 4}[want == nil]; n != wantN || !errors.Is(err, want) {
					t.Errorf("%d hops, %v, want %d, %v", n, err, wantN, want)
				}
				if c := p.Counters(); c.InFlight != 0 {
					t.Errorf("counters are %+v", c)
				}
			})
		})
	}
}
