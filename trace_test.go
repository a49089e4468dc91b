package ping_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What a Trace makes of each thing that may be on the way.
func TestTrace(t *testing.T) {
	const a, b, c = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	three := []string{a, b, c}
	found := func(last ...string) []string {
		return append([]string{repeat(1, a), repeat(2, b), repeat(3, c)}, last...)
	}
	arrived := repeat(4, target+".")
	unheard := []string{repeat(1, a), "2 * * *", repeat(3, c), arrived}
	at := func(distance int, f func(m ping.Message, usual []delayed) []delayed) func(ping.Message, []delayed) []delayed {
		return func(m ping.Message, usual []delayed) []delayed {
			if m.TTL == distance {
				return f(m, usual)
			}
			return usual
		}
	}
	beyond := func(distance, typ, code int) func(ping.Message, []delayed) []delayed {
		return func(m ping.Message, usual []delayed) []delayed {
			if m.TTL >= distance {
				return []delayed{{30 * ms, refusal(m, three[2], typ, code)}}
			}
			return usual
		}
	}
	for _, test := range []struct {
		name    string
		routers []string
		change  func(m ping.Message, usual []delayed) []delayed
		want    []string
		probes  []int // to the distances up to the last, 3 each if nil
	}{
		{"no router", nil, nil, []string{repeat(1, target+".")}, nil},
		{"three routers", three, nil, found(arrived), nil},
		{"a silent router", []string{a, "", c}, nil, unheard, []int{3, 3, 3, 3}},
		{"all silent", []string{"", "", ""}, nil, []string{"1 * * *", "2 * * *", "3 * * *", arrived}, []int{3, 3, 3, 3}},
		{"many silent routers", slices.Concat(three, make([]string, 15)), nil, func() []string {
			list := found()
			for d := 4; d <= 18; d++ {
				list = append(list, fmt.Sprintf("%d * * *", d))
			}
			return append(list, repeat(19, target+"."))
		}(), nil},
		{"the target at every distance", three, func(m ping.Message, _ []delayed) []delayed {
			return []delayed{{10 * ms, echoed(m)}}
		}, []string{repeat(1, target+".")}, nil},
		{"an unreachable at the third hop", three, beyond(3, 3, 1),
			[]string{repeat(1, a), repeat(2, b), repeat(3, c+"!H")}, nil},
		{"prohibited beyond the third hop", three, beyond(4, 3, 13), found(repeat(4, c+"!X")), nil},
		{"a parameter problem", three, beyond(2, 12, 0), []string{repeat(1, a), repeat(2, c+"!<12-0>")}, nil},
		{"not reassembled", three, beyond(2, 11, 1), []string{repeat(1, a), repeat(2, c+"!<11-1>")}, nil},
		{"a loop", nil, func(m ping.Message, _ []delayed) []delayed {
			return []delayed{{10 * ms, exceeded(m, three[m.TTL%2])}}
		}, []string{repeat(1, b), repeat(2, a), repeat(3, b), repeat(4, a), repeat(5, b), repeat(6, a)}, nil},
		{"two answers each", three, func(_ ping.Message, usual []delayed) []delayed {
			return append(usual, usual...)
		}, found(arrived), nil},
		{"an answer, and an echo too", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			return append(usual, delayed{60 * ms, echoed(m)})
		}), found(arrived), nil},
		{"a late router", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].after = 1001 * ms
			return usual
		}), unheard, []int{3, 3, 3, 3}},
		{"a slow router", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].after = 390 * ms
			return usual
		}), found(arrived), nil},
		{"a router too slow", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].after = 410 * ms
			return usual
		}), unheard, nil},
		{"8 bytes quoted", three, func(m ping.Message, usual []delayed) []delayed {
			if m.TTL < 4 {
				usual[0].Data = usual[0].Data[:8]
			}
			return usual
		}, found(arrived), nil},
		{"another destination quoted", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].Addr = netip.MustParseAddr("192.0.2.77")
			return usual
		}), found(arrived), []int{3, 3, 3, 3}},
		{"another destination quoted, and 8 bytes", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].Addr, usual[0].Data = netip.MustParseAddr("192.0.2.77"), usual[0].Data[:8]
			return usual
		}), unheard, []int{3, 3, 3, 3}},
		{"another cookie quoted", three, at(2, func(m ping.Message, usual []delayed) []delayed {
			usual[0].Data = bytes.Clone(usual[0].Data)
			usual[0].Data[10]++
			return usual
		}), unheard, []int{3, 3, 3, 3}},
		{"an echo from elsewhere", three, at(4, func(m ping.Message, usual []delayed) []delayed {
			usual[0].Addr = netip.MustParseAddr("192.0.2.77")
			return usual
		}), found("4 * * *", "5 192.0.2.1. 192.0.2.1. 192.0.2.1."), nil},
		{"advice", three, func(m ping.Message, usual []delayed) []delayed {
			return append([]delayed{{ms, refusal(m, a, redirect4, 1)}, {ms, refusal(m, a, sourceQuench4, 0)}}, usual...)
		}, found(arrived), nil},
		{"the nearer answers come later", three, func(m ping.Message, usual []delayed) []delayed {
			usual[0].after = 100*ms - time.Duration(m.TTL)*10*ms
			return usual
		}, found(arrived), nil},
		{"routers in turn", three, func() func(ping.Message, []delayed) []delayed {
			n := 0
			return at(2, func(m ping.Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return []delayed{{20 * ms, exceeded(m, "10.0.0.22")}}
				}
				return usual
			})
		}(), []string{repeat(1, a), "2 10.0.0.2 10.0.0.22 10.0.0.2", repeat(3, c), arrived}, nil},
		{"one probe lost on the way", three, func() func(ping.Message, []delayed) []delayed {
			n := 0
			return at(3, func(m ping.Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return nil
				}
				return usual
			})
		}(), found(arrived), []int{3, 3, 4, 3}},
		{"one probe lost at the target", three, func() func(ping.Message, []delayed) []delayed {
			n := 0
			return at(4, func(m ping.Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return nil
				}
				return usual
			})
		}(), found("4 192.0.2.1. * 192.0.2.1."), []int{3, 3, 3, 3}},
		{"two unreachables lost", three, func() func(ping.Message, []delayed) []delayed {
			n := 0
			return func(m ping.Message, usual []delayed) []delayed {
				if m.TTL < 4 {
					return usual
				}
				if m.TTL > 4 {
					return nil
				}
				if n++; n == 2 || n == 3 {
					return nil
				}
				return []delayed{{30 * ms, refusal(m, c, 3, 10)}}
			}
		}(), found(repeat(4, c+"!X")), []int{3, 3, 3, 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &way{routers: test.routers, change: test.change}
				p := newFakePinger(t, newFake(w.answer))
				opts := []ping.ProbeOption{}
				if test.name == "a loop" {
					opts = append(opts, ping.WithMaxHops(6))
				}
				if got := lines(t, p, target, opts...); !slices.Equal(got, test.want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
				}
				if probes := w.probes(); test.probes != nil && !slices.Equal(probes[:len(test.probes)], test.probes) {
					t.Errorf("sent %v, want %v", probes, test.probes)
				}
				if c := p.Counters(); c.InFlight != 0 {
					t.Errorf("counters %+v", c)
				}
			})
		})
	}
}

// The hops of an IPv6 path, and each field of a Reply.
func TestTraceReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const host = "2001:db8::99"
		w := &way{routers: []string{"2001:db8::1"}}
		p := newFakePinger(t, newFake(w.answer))
		start := time.Now()
		var hops []ping.Hop
		for h, err := range p.Trace(t.Context(), host) {
			if err != nil {
				t.Fatal(err)
			}
			hops = append(hops, h)
		}
		if len(hops) != 2 {
			t.Fatalf("hops are %v", hops)
		}
		router, end := hops[0].Replies[1], hops[1].Replies[2]
		sent, back := start.Add(10*ms), start.Add(20*ms)
		var refused *ping.ICMPError
		if !errors.As(router.Err, &refused) || refused.Type != timeExceeded6 || refused.From != router.From {
			t.Errorf("error is %v", router.Err)
		}
		router.Err = nil
		if want := (ping.Reply{
			Seq: 1, Target: netip.MustParseAddr(host), From: netip.MustParseAddr("2001:db8::1"),
			RTT: 10 * ms, TTL: 63, Clock: ping.ClockKernel,
			Sent: time.Unix(0, sent.UnixNano()), Received: time.Unix(0, back.UnixNano()),
		}); router != want {
			t.Errorf("got %+v, want %+v", router, want)
		}
		if end.Err != nil || end.From != netip.MustParseAddr(host) || end.RTT != 20*ms || end.Size != 64 || end.TTL != 64 {
			t.Errorf("got %+v", end)
		}
		if hops[0].Reached() || !hops[1].Reached() {
			t.Error("Reached is wrong")
		}
		want := "[ 1  2001:db8::1  10.000 ms  10.000 ms  10.000 ms  2  2001:db8::99  20.000 ms  20.000 ms  20.000 ms]"
		if got := fmt.Sprint(hops); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// The options hold for each probe, but for the two that make no sense.
func TestTraceOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{routers: []string{"10.0.0.1"}}
		p := newFakePinger(t, newFake(w.answer), ping.WithRate(10), ping.WithTTL(3))
		start := time.Now()
		got := lines(t, p, target,
			ping.WithCount(1), ping.WithSize(100), ping.WithTrafficClass(8), ping.WithDontFragment(true),
			ping.WithInterval(time.Hour))
		if want := []string{"1 10.0.0.1", "2 192.0.2.1."}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if took := time.Since(start); took < 100*ms {
			t.Errorf("at 10 a second, two probes took %v", took)
		}
		for i, m := range w.sent {
			if m.TTL != i+1 || len(m.Data) != 108 || m.TrafficClass != 8 || !m.DontFragment {
				t.Errorf("probe %d: TTL %d, %d bytes, class %d", i, m.TTL, len(m.Data), m.TrafficClass)
			}
		}
		w.sent = nil
		want := []string{"1" + strings.Repeat(" 10.0.0.1", 5)}
		if got := lines(t, p, target, ping.WithMaxHops(1), ping.WithCount(5)); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if sent := w.probes(); !slices.Equal(sent, []int{5}) {
			t.Errorf("sent %v", sent)
		}
	})
}
