package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// eight is a way of eight routers, 1 ms away each, the third of them silent.
var eight = along(9, 3)

// A silent router costs no more than some RTTs of the others.
func TestTraceSilentRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(eight))
		start := time.Now()
		got := lines(t, p, target)
		if took := time.Since(start); took != 75*ms || len(got) != 9 || got[2] != "3 * * *" {
			t.Errorf("%v: %q", took, got)
		}
		if c := p.Counters(); c.Lost < 3 || c.InFlight != 0 {
			t.Errorf("counters %+v", c)
		}
		// Who traces on and on uses up what routers limit, and waits for more.
		for range 3 {
			start = time.Now()
			got = lines(t, p, target)
		}
		if took := time.Since(start); took < time.Second || len(got) != 9 {
			t.Errorf("the fourth trace: %v: %q", took, got)
		}
	})
}

// A router that lets pass no ICMP error for a while is found by the probe that is sent again, where there is time for
// one: here the target is silent.
func TestTraceLateRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			if m.TTL == 2 && time.Since(start) < time.Second {
				return nil
			}
			return along(0, 5, 6)(n, m)
		}))
		want := []string{
			repeat(1, "10.0.0.1"), "2 10.0.0.2 10.0.0.2 *", repeat(3, "10.0.0.3"), repeat(4, "10.0.0.4"),
			"5 * * *", "6 * * *",
		}
		if got := lines(t, p, target, ping.WithMaxHops(6)); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

// Whatever ends a trace early comes after the hops that are known.
func TestTraceCutShortShowsHops(t *testing.T) {
	gone := errors.New("the cable is out")
	for _, c := range []struct {
		name  string
		after time.Duration // until it happens
		want  string
		hops  []string
	}{
		{"deadline", 60 * ms, "context deadline exceeded", []string{
			"1 10.0.0.1 10.0.0.1 10.0.0.1", "2 10.0.0.2 10.0.0.2 10.0.0.2", "3 * *", "4 10.0.0.4 10.0.0.4 10.0.0.4",
		}},
		{"close", 60 * ms, "use of closed network connection", []string{
			"1 10.0.0.1 10.0.0.1 10.0.0.1", "2 10.0.0.2 10.0.0.2 10.0.0.2", "3 * *", "4 10.0.0.4 10.0.0.4 10.0.0.4",
		}},
		{"not sent", 70 * ms, "the cable is out", []string{
			"1 10.0.0.1 10.0.0.1 10.0.0.1", "2 10.0.0.2 10.0.0.2 10.0.0.2", "3 * *", "4 10.0.0.4 10.0.0.4 10.0.0.4",
		}},
		{"before all", 0, "context deadline exceeded", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx := t.Context()
				f := newFake(along(0, 3, 5, 6, 7, 8, 9, 10, 11, 12))
				p := newFakePinger(t, f)
				switch c.want {
				case gone.Error():
					f.refuse = func(int, ping.Message) error {
						if time.Since(start) < c.after {
							return nil
						}
						return gone
					}
				case net.ErrClosed.Error():
					time.AfterFunc(c.after, func() { p.Close() })
				default:
					deadline, cancel := context.WithTimeout(ctx, c.after)
					defer cancel()
					ctx = deadline
				}
				var hops []string
				var last error
				for h, err := range p.Trace(ctx, target, ping.WithMaxHops(12)) {
					if last != nil {
						t.Errorf("%v, %v after an error", h, err)
					}
					if last = err; err != nil {
						break
					}
					hops = append(hops, sketch(h))
					if h.End != "" || h.Reached() {
						t.Errorf("%v, reached %v, ends the trace: %q", h, h.Reached(), h.End)
					}
					for _, r := range h.Replies {
						if r.Sent.IsZero() || !r.Target.IsValid() {
							t.Errorf("hop %d: %+v", h.Distance, r)
						}
						if !r.From.IsValid() && r.Err == nil {
							t.Errorf("hop %d: %+v", h.Distance, r)
						}
					}
				}
				if last == nil || !strings.Contains(last.Error(), c.want) || !slices.Equal(hops, c.hops) {
					t.Errorf("%q, %v, want %q", hops, last, c.hops)
				}
			})
		})
	}
}

// A loop may be broken among the hops that come before an error.
func TestTraceCutShortBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(along(0, 1)))
		ctx, cancel := context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		for h, err := range p.Trace(ctx, target) {
			if err != nil || h.Distance != 1 {
				t.Errorf("%v, %v", h, err)
			}
			break
		}
	})
}

// unreachableAt answers as a way where a router finds after 3.07 s that what comes next is missing.
func unreachableAt(distance int, from string, limit int) func(int, ping.Message) []delayed {
	told := 0
	var first time.Time
	return func(n int, m ping.Message) []delayed {
		if m.TTL < distance {
			return along(0)(n, m)
		}
		if first.IsZero() {
			first = time.Now()
		}
		if told++; told > limit {
			return nil
		}
		return []delayed{{time.Until(first.Add(3070 * ms)), refusal(m, from, unreachable4, 1)}}
	}
}

// A host that is missing from the last link is said to be, and so is a gateway that is missing from the first.
func TestTraceMissingHost(t *testing.T) {
	for _, c := range []struct {
		name string
		way  func(int, ping.Message) []delayed
		want []string
	}{
		{"host", unreachableAt(3, "10.0.0.2", 100), []string{
			repeat(1, "10.0.0.1"), repeat(2, "10.0.0.2"), repeat(3, "10.0.0.2!H"),
		}},
		{"one error is sent", unreachableAt(3, "10.0.0.2", 1), []string{
			repeat(1, "10.0.0.1"), repeat(2, "10.0.0.2"), "3 10.0.0.2!H * *",
		}},
		{"gateway", unreachableAt(1, "192.0.2.99", 100), []string{repeat(1, "192.0.2.99!H")}},
		{"far away", unreachableAt(25, "10.0.0.24", 2), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(c.way))
				var got []string
				var last ping.Hop
				start := time.Now()
				for h, err := range p.Trace(t.Context(), target) {
					if err != nil {
						t.Error(err)
					}
					last = h
					got = append(got, sketch(h))
				}
				if c.want != nil && !slices.Equal(got, c.want) || last.End != ping.EndRefused ||
					!strings.Contains(got[len(got)-1], "!H") {
					t.Errorf("got %q, which ends as %q", got, last.End)
				}
				if took := time.Since(start); took > 3750*ms {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A refusal ends the way only where nothing farther answers, and is shown.
func TestTraceRefusedInPassing(t *testing.T) {
	once := func(distance, nth int, way func(int, ping.Message) []delayed) func(int, ping.Message) []delayed {
		seen := 0
		return func(n int, m ping.Message) []delayed {
			if m.TTL == distance {
				if seen++; seen == nth {
					return []delayed{{ms, refusal(m, "10.0.0.2", unreachable4, 1)}}
				}
			}
			return way(n, m)
		}
	}
	plain := func(distance int) string { return repeat(distance, fmt.Sprint("10.0.0.", distance)) }
	for _, c := range []struct {
		name string
		way  func(int, ping.Message) []delayed
		opts []ping.ProbeOption
		hop  int
		want string // there
	}{
		{"the first probe", once(4, 1, along(7)), nil, 4, "4 10.0.0.2!H 10.0.0.4 10.0.0.4"},
		{"the second", once(4, 2, along(7)), nil, 4, "4 10.0.0.4 10.0.0.2!H 10.0.0.4"},
		{"the only one", once(4, 1, along(7)), []ping.ProbeOption{ping.WithCount(1)}, 4, "4 10.0.0.2!H"},
		{"before the target", once(6, 1, along(7)), []ping.ProbeOption{ping.WithCount(1)}, 6, "6 10.0.0.2!H"},
		{"the target's", once(7, 1, along(7)), nil, 7, "7 10.0.0.2!H 192.0.2.1. 192.0.2.1."},
		{"the target's only one", once(7, 1, along(7)), []ping.ProbeOption{ping.WithCount(1)}, 7, "7 10.0.0.2!H"},
		{"before silence", once(4, 2, along(7, 5, 6)), nil, 4, "4 10.0.0.4 10.0.0.2!H 10.0.0.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(c.way))
				var last ping.Hop
				for h, err := range p.Trace(t.Context(), target, c.opts...) {
					if err != nil {
						t.Error(err)
					}
					last = h
					got := sketch(h)
					if h.Distance == c.hop && got != c.want ||
						h.Distance < min(c.hop, 5) && len(c.opts) == 0 && got != plain(h.Distance) {
						t.Errorf("got %q, want %q", got, c.want)
					}
				}
				want := 7
				if c.hop == 7 && len(c.opts) > 0 {
					want = 8 // where it answers
				}
				if last.Distance != want || !last.Reached() || last.End != ping.EndReached {
					t.Errorf("the last is %v, %q", last, last.End)
				}
			})
		})
	}
}

// A packet that is too big for a link of the way is sent again, for the system to send fragments, unless it must not
// be fragmented.
func TestTraceTooBig(t *testing.T) {
	const host = "2001:db8::1"
	for _, c := range []struct {
		name   string
		learns int // how many errors it takes
		df     bool
		last   string
		end    ping.TraceEnd
		probes int // to the last distance, but for those that it learnt from
	}{
		{"once", 1, false, repeat(5, host+"."), ping.EndReached, 3},
		{"thrice", 3, false, repeat(5, host+"."), ping.EndReached, 3},
		{"never", 1000, false, repeat(3, "2001:db8::2!F-1280"), ping.EndRefused, 11},
		{"not to be fragmented", 1000, true, repeat(3, "2001:db8::2!F-1280"), ping.EndRefused, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused, probes := 0, map[int]int{}
				p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
					probes[m.TTL]++
					if m.TTL > 2 && refused < c.learns {
						if refused++; c.end == ping.EndReached {
							probes[m.TTL]-- // which these meet has no order
						}
						e := refusal(m, "2001:db8::2", packetTooBig6, 0)
						e.Err.MTU = 1280
						return []delayed{{ms, e}}
					}
					return along(5)(n, m)
				}))
				var last ping.Hop
				for h, err := range p.Trace(t.Context(), host, ping.WithDontFragment(c.df)) {
					if err != nil {
						t.Error(err)
					}
					last = h
				}
				if sketch(last) != c.last || last.End != c.end || probes[last.Distance] != c.probes {
					t.Errorf("the last is %v, %q, of %d probes", last, last.End, probes[last.Distance])
				}
			})
		})
	}
}

// The last hop, and no other, says why it is the last.
func TestTraceEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		way  func(int, ping.Message) []delayed
		opts []ping.ProbeOption
		want ping.TraceEnd
	}{
		{"target", along(4), nil, ping.EndReached},
		{"target at the most", along(4), []ping.ProbeOption{ping.WithMaxHops(4)}, ping.EndReached},
		{"most", along(0), nil, ping.EndMaxHops},
		{"silence to the most", nil, []ping.ProbeOption{ping.WithGapLimit(30)}, ping.EndMaxHops},
		{"gap", along(0, 3, 4, 5), []ping.ProbeOption{ping.WithGapLimit(2)}, ping.EndGap},
		{"refusal", func(n int, m ping.Message) []delayed {
			return []delayed{{ms, refusal(m, "10.0.0.9", unreachable4, 13)}}
		}, nil, ping.EndRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ends []ping.TraceEnd
				for h, err := range newFakePinger(t, newFake(c.way)).Trace(t.Context(), target, c.opts...) {
					if err != nil {
						t.Error(err)
					}
					ends = append(ends, h.End)
				}
				if n := len(ends) - 1; ends[n] != c.want || strings.Trim(fmt.Sprint(ends[:n]), "[ ]") != "" {
					t.Errorf("got %q, want %q last", ends, c.want)
				}
			})
		})
	}
}

func TestHopsBack(t *testing.T) {
	for ttl, want := range map[int]int{0: 0, -1: 0, 64: 1, 63: 2, 1: 64, 128: 1, 65: 64, 255: 1, 243: 13, 129: 127} {
		if got := (ping.Reply{From: netip.MustParseAddr(target), TTL: ttl}).HopsBack(); got != want {
			t.Errorf("TTL %d: %d, want %d", ttl, got, want)
		}
	}
}
