package ping_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// The pace of a Trace.
const (
	ahead      = 4         // distances tried at once beyond the last that answered
	stride     = 30 * ms   // from one more distance to the next, while nobody answers
	follow     = 50 * ms   // from one probe for a distance to the next, while the first is not answered
	lastChance = 3500 * ms // of a probe that nobody has answered from farther away
)

// A path on which nobody answers costs little more than the wait for a "host unreachable", and a long one is not walked
// step by step. Not many probes go beyond the target.
func TestTracePace(t *testing.T) {
	elapsed := func(w *way, opts ...ping.ProbeOption) (took time.Duration, hops int, sent []int) {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(w.answer))
			start := time.Now()
			hops = len(lines(t, p, target, opts...))
			took, sent = time.Since(start), w.probes()
		})
		return took, hops, sent
	}
	// 4 at once, 26 a stride apart; three probes follow each other, and the last for the first distance
	// waits longest. The others, overdue by then, get 10 ms more, as it is with a Transport.
	took, hops, sent := elapsed(&way{routers: make([]string, 40)})
	if want := 2*follow + lastChance + 10*ms; took != want || hops != 30 || slices.Max(sent) != 3 || len(sent) != 30 {
		t.Errorf("silence: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
	took, hops, sent = elapsed(&way{routers: make([]string, 40)},
		ping.WithMaxHops(5), ping.WithTimeout(4*time.Second), ping.WithCount(1))
	if want := stride + 4*time.Second; took != want || hops != 5 || !slices.Equal(sent, []int{1, 1, 1, 1, 1}) {
		t.Errorf("silence up to 5 hops: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
	// A silent hop before the target, which is 30 ms away, costs ten times that.
	took, hops, _ = elapsed(&way{routers: []string{"10.0.0.1", ""}})
	if want := 2*follow + 300*ms; took != want || hops != 3 {
		t.Errorf("a silent router: %v, %d hops, want %v", took, hops, want)
	}
	// Of 20 routers, 10 ms apart, four answer before the next four need be tried.
	routers := slices.Repeat([]string{"10.0.0.1"}, 20)
	took, hops, sent = elapsed(&way{routers: routers})
	if hops != 21 || took > time.Second {
		t.Errorf("20 routers: %v, %d hops", took, hops)
	}
	// The target, 210 ms away, is found while as many strides pass.
	if most := 21 + ahead + int(210*ms/stride); len(sent) > most {
		t.Errorf("20 routers: sent as far as %d, want at most %d", len(sent), most)
	}
	took, hops, sent = elapsed(&way{routers: routers[:1]})
	if want := 60 * ms; took != want || hops != 2 || len(sent) > 2+ahead {
		t.Errorf("one router: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
}

// More than three probes for one distance leave an interval apart, so that routers' limits let them be answered.
func TestTraceInterval(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		count    int
		want     []time.Duration // of sending, to the first distance
	}{
		{time.Second, 5, []time.Duration{0, 10 * ms, 20 * ms, 1020 * ms, 2020 * ms}},
		{5 * ms, 5, []time.Duration{0, 10 * ms, 20 * ms, 25 * ms, 30 * ms}},
		{0, 5, []time.Duration{0, 10 * ms, 20 * ms, 30 * ms, 40 * ms}},
		{time.Hour, 3, []time.Duration{0, 10 * ms, 20 * ms}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got []time.Duration
			start := time.Now()
			w := &way{routers: []string{"10.0.0.1"}}
			w.change = func(m ping.Message, usual []delayed) []delayed {
				if m.TTL == 1 {
					got = append(got, time.Since(start))
				}
				return usual
			}
			p := newFakePinger(t, newFake(w.answer))
			lines(t, p, target, ping.WithCount(c.count), ping.WithInterval(c.interval))
			if !slices.Equal(got, c.want) {
				t.Errorf("interval %v: sent at %v, want %v", c.interval, got, c.want)
			}
		})
	}
}

// A router that sends no more than Linux does, one error a second after the first six, is found out all the same.
func TestTraceLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type bucket struct {
			tokens time.Duration
			last   time.Time
		}
		buckets := map[string]*bucket{}
		w := &way{routers: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}}
		w.change = func(m ping.Message, usual []delayed) []delayed {
			if usual[0].Err == nil {
				return usual
			}
			// As inet_peer_xrlim_allow does it (net/ipv4/icmp.c).
			b := buckets[usual[0].Err.From.String()]
			if b == nil {
				b = &bucket{6 * time.Second, time.Now()}
				buckets[usual[0].Err.From.String()] = b
			}
			b.tokens = min(b.tokens+time.Since(b.last), 6*time.Second)
			b.last = time.Now()
			if b.tokens < time.Second {
				return nil
			}
			b.tokens -= time.Second
			return usual
		}
		p := newFakePinger(t, newFake(w.answer))
		want := []string{repeat(1, "10.0.0.1"), repeat(2, "10.0.0.2"), repeat(3, "10.0.0.3"), repeat(4, target+".")}
		for i := range 2 {
			if got := lines(t, p, target); !slices.Equal(got, want) {
				t.Errorf("trace %d: got %q", i, got)
			}
		}
		// However many are missing, two are sent again.
		w.sent = nil
		got := lines(t, p, target, ping.WithCount(20), ping.WithTimeout(200*ms), ping.WithInterval(0))
		if len(got) != 4 || !strings.Contains(got[0], "*") {
			t.Errorf("got %q", got)
		}
		if sent := w.probes(); !slices.Equal(sent[:4], []int{22, 22, 22, 20}) {
			t.Errorf("sent %v", sent)
		}
		// No more than a probe or two is let pass now: every router is found, though not three times.
		for i := range 3 {
			start := time.Now()
			for h, err := range p.Trace(t.Context(), target) {
				if err != nil || len(h.Addrs()) != 1 || !strings.Contains(want[h.Distance-1], h.Addrs()[0].String()) {
					t.Errorf("limited trace %d: %v, %v", i, h, err)
				}
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("limited trace %d took %v", i, took)
			}
		}
	})
}

// A caller that takes its time distorts no RTT, and a second trace over the same Pinger is another's business.
func TestTraceSlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{routers: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}}
		p := newFakePinger(t, newFake(w.answer))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for h, err := range p.Trace(t.Context(), target) {
					if err != nil {
						t.Error(err)
						return
					}
					for _, r := range h.Replies {
						if want := time.Duration(h.Distance) * 10 * ms; r.RTT != want {
							t.Errorf("hop %d: RTT %v, want %v", h.Distance, r.RTT, want)
						}
					}
					time.Sleep(300 * ms)
				}
			})
		}
		wg.Wait()
	})
}

// Answers come at the instants at which probes are due, so that the loop and the timekeeper are at work at one time,
// which the race detector looks at.
func TestTraceAnswersWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			return []delayed{{time.Duration(n%4) * 50 * ms, refusal(m, "192.0.2.254", timeExceeded4, 0)}}
		}))
		var traces sync.WaitGroup
		for range 50 {
			traces.Go(func() {
				hops := 0
				for h, err := range p.Trace(t.Context(), target) {
					if hops++; err != nil || h.Distance != hops {
						t.Errorf("hop %d: %v, %v", hops, h, err)
					}
				}
				if hops != 30 {
					t.Errorf("%d hops", hops)
				}
			})
		}
		traces.Wait()
	})
}
