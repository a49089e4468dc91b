package ping_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// along answers as a way with a router at each distance but the silent ones, and the target at the last; 0: nowhere.
func along(last int, silent ...int) func(int, ping.Message) []delayed {
	return func(_ int, m ping.Message) []delayed {
		switch {
		case slices.Contains(silent, m.TTL):
			return nil
		case last > 0 && m.TTL >= last:
			return []delayed{{ms, echoed(m)}}
		case m.Addr.Is6():
			return []delayed{{ms, refusal(m, fmt.Sprintf("2001:db8::%x", m.TTL), timeExceeded6, 0)}}
		}
		return []delayed{{ms, refusal(m, fmt.Sprintf("10.0.0.%d", m.TTL), timeExceeded4, 0)}}
	}
}

// A Trace begins at the distance of WithFirstHop, where it sends its first probe, and gives up after as many silent
// hops in a row as WithGapLimit says.
func TestTraceFirstHopAndGapLimit(t *testing.T) {
	all := func(from, to int) (list []int) {
		for i := from; i <= to; i++ {
			list = append(list, i)
		}
		return list
	}
	for _, c := range []struct {
		name    string
		way     func(int, ping.Message) []delayed
		opts    []ping.ProbeOption
		from    int
		to      int
		reached bool
	}{
		{"first hop", along(8), []ping.ProbeOption{ping.WithFirstHop(5)}, 5, 8, true},
		{"first hop is the target", along(8), []ping.ProbeOption{ping.WithFirstHop(8)}, 8, 8, true},
		{"first hop beyond the target", along(8), []ping.ProbeOption{ping.WithFirstHop(20)}, 20, 20, true},
		{"first hop is the last", along(0), []ping.ProbeOption{ping.WithFirstHop(30)}, 30, 30, false},
		{"first hop of 255", along(0), []ping.ProbeOption{ping.WithFirstHop(255), ping.WithMaxHops(255)}, 255, 255, false},
		{"silent before", along(8, 1, 2, 3), []ping.ProbeOption{ping.WithFirstHop(4), ping.WithGapLimit(1)}, 4, 8, true},
		{"no limit", along(9, 2, 3, 4, 5, 6, 7, 8), nil, 1, 9, true},
		{"gap", along(0, all(4, 30)...), []ping.ProbeOption{ping.WithGapLimit(3)}, 1, 6, false},
		{"gap of one", along(9, 3), []ping.ProbeOption{ping.WithGapLimit(1)}, 1, 3, false},
		{"gap that is just too small", along(9, 3, 4, 5), []ping.ProbeOption{ping.WithGapLimit(3)}, 1, 5, false},
		{"gap that is just large enough", along(9, 3, 4, 5), []ping.ProbeOption{ping.WithGapLimit(4)}, 1, 9, true},
		{"two gaps", along(9, 2, 3, 5, 6), []ping.ProbeOption{ping.WithGapLimit(3)}, 1, 9, true},
		{"nobody", along(0, all(1, 30)...), []ping.ProbeOption{ping.WithGapLimit(5)}, 1, 5, false},
		{"gap from the first hop on", along(0, all(1, 30)...),
			[]ping.ProbeOption{ping.WithFirstHop(10), ping.WithGapLimit(5)}, 10, 14, false},
		{"gap beyond the last", along(0, all(28, 30)...), []ping.ProbeOption{ping.WithGapLimit(5)}, 1, 30, false},
		{"silent target", along(0, all(6, 30)...), []ping.ProbeOption{ping.WithGapLimit(255)}, 1, 30, false},
	} {
		for _, host := range []string{target, "2001:db8::1"} {
			t.Run(c.name+", "+host, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					least, first := 256, 0
					p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
						if n == 0 {
							first = m.TTL
						}
						least = min(least, m.TTL)
						return c.way(n, m)
					}))
					var last ping.Hop
					var hops []int
					for h, err := range p.Trace(t.Context(), host, c.opts...) {
						if err != nil || len(h.Replies) != 3 {
							t.Fatalf("%v, %v", h, err)
						}
						last = h
						hops = append(hops, h.Distance)
					}
					if !slices.Equal(hops, all(c.from, c.to)) || last.Reached() != c.reached || first != c.from || least != c.from {
						t.Errorf("hops %v, the last is %v; the first probe went to %d, the nearest to %d", hops, last, first, least)
					}
					if n := p.Counters().InFlight; n != 0 {
						t.Errorf("%d in flight", n)
					}
				})
			})
		}
	}
}

// A silent way costs a Trace with a gap limit little more than the wait for a "host unreachable".
func TestTraceGapLimitTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		start := time.Now()
		hops := 0
		for range p.Trace(t.Context(), target, ping.WithGapLimit(4), ping.WithTimeout(time.Second)) {
			hops++
		}
		if took := time.Since(start); hops != 4 || took != 3600*ms {
			t.Errorf("%d hops in %v", hops, took)
		}
	})
}

// The options are refused by name, for a call and as a Pinger's default.
func TestTraceFirstHopRefused(t *testing.T) {
	for _, c := range []struct {
		opts []ping.ProbeOption
		want string
	}{
		{[]ping.ProbeOption{ping.WithFirstHop(0)}, "WithFirstHop(0): want 1 to 255"},
		{[]ping.ProbeOption{ping.WithFirstHop(256)}, "WithFirstHop(256): want 1 to 255"},
		{[]ping.ProbeOption{ping.WithFirstHop(31)}, "WithFirstHop(31) with WithMaxHops(30)"},
		{[]ping.ProbeOption{ping.WithMaxHops(3), ping.WithFirstHop(4)}, "WithFirstHop(4) with WithMaxHops(3)"},
		{[]ping.ProbeOption{ping.WithGapLimit(0)}, "WithGapLimit(0): want 1 to 255"},
		{[]ping.ProbeOption{ping.WithGapLimit(256)}, "WithGapLimit(256): want 1 to 255"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(nil))
			n := 0
			for h, err := range p.Trace(t.Context(), target, c.opts...) {
				if n++; err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, %v, want %q", h, err, c.want)
				}
			}
			if n != 1 {
				t.Errorf("%d turns", n)
			}
			options := []ping.Option{ping.WithTransport(newFake(nil))}
			for _, o := range c.opts {
				options = append(options, o)
			}
			if p, err := ping.New(options...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, %v, want %q", p, err, c.want)
			}
		})
	}
	// They are a Trace's alone.
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)), ping.WithFirstHop(20), ping.WithGapLimit(1))
		if r, err := p.Ping(t.Context(), target); err != nil || r.From != netip.MustParseAddr(target) {
			t.Errorf("Ping: %+v, %v", r, err)
		}
	})
}
