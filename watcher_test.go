package ping_test

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// watched is what a Watcher yielded, and when.
type watched struct {
	at time.Duration // since the loop began
	id int64
	ping.Reply
}

// watchFor runs the Watcher's loop for so long, or until each returns false.
func watchFor(t *testing.T, w *ping.Watcher, d time.Duration, each func(watched) bool) (list []watched) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	for id, r := range w.Replies(ctx) {
		one := watched{time.Since(start), id, r}
		list = append(list, one)
		if each != nil && !each(one) {
			break
		}
	}
	return list
}

// of picks what a Watcher yielded for one target.
func of(id int64, list []watched) (own []watched) {
	for _, r := range list {
		if r.id == id {
			own = append(own, r)
		}
	}
	return own
}

func newWatcher(t *testing.T, p *ping.Pinger, opts ...ping.ProbeOption) *ping.Watcher {
	t.Helper()
	w, err := p.NewWatcher(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func add(t *testing.T, w *ping.Watcher, id int64, addr string, opts ...ping.ProbeOption) {
	t.Helper()
	if err := w.Add(id, netip.MustParseAddr(addr), opts...); err != nil {
		t.Fatal(err)
	}
}

// Each target has its probes an interval apart, from an instant on that hangs on its id and lies within the first one.
func TestWatcherSchedule(t *testing.T) {
	const targets = 200
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		first := map[int64]time.Duration{}
		for range 2 {
			w := newWatcher(t, p)
			for i := range int64(targets) {
				add(t, w, i-10, []string{"192.0.2.1", "2001:db8::1"}[i%2])
			}
			list := watchFor(t, w, 5*time.Second, nil)
			var tenths [10]int
			for i := range int64(targets) {
				own := of(i-10, list)
				if len(own) != 5 {
					t.Fatalf("target %d: %d replies in 5 intervals", i-10, len(own))
				}
				begin := own[0].at - ms
				tenths[min(begin/(100*ms), 9)]++
				for k, r := range own {
					if r.Seq != k || r.Err != nil || r.RTT != ms || r.at != own[0].at+time.Duration(k)*time.Second {
						t.Errorf("target %d, reply %d: %+v", i-10, k, r)
					}
				}
				if before, ok := first[i-10]; ok && (begin-before).Abs() > 4*ms {
					t.Errorf("target %d begins after %v, and before after %v", i-10, begin, before)
				}
				first[i-10] = begin
			}
			if slices.Min(tenths[:]) < targets/20 || slices.Max(tenths[:]) > targets/5 {
				t.Errorf("targets that begin in each tenth of the interval: %v", tenths)
			}
		}
	})
}

// What else is done with a Watcher, from the body of its loop and beside it, changes nothing for a target.
func TestWatcherOthersUndisturbed(t *testing.T) {
	const targets = 10
	run := func(disturb func(w *ping.Watcher), each func(w *ping.Watcher, r watched)) (list []watched) {
		synctest.Test(t, func(t *testing.T) {
			w := newWatcher(t, newFakePinger(t, newFake(echoAfter(3*ms))), ping.WithInterval(200*ms))
			for i := range int64(targets) {
				add(t, w, i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
			}
			var beside sync.WaitGroup
			beside.Go(func() { disturb(w) })
			for _, r := range watchFor(t, w, 3*time.Second, func(r watched) bool { each(w, r); return true }) {
				if r.id < targets {
					list = append(list, r)
				}
			}
			beside.Wait()
		})
		return list
	}
	want := run(func(*ping.Watcher) {}, func(*ping.Watcher, watched) {})
	if len(want) != targets*15 {
		t.Fatalf("%d replies of %d targets in 15 intervals", len(want), targets)
	}
	got := run(func(w *ping.Watcher) {
		for i := range int64(100) {
			add(t, w, 1000+i%10, "192.0.2.2", ping.WithInterval(time.Duration(i+1)*ms))
			time.Sleep(10 * ms)
			w.Remove(1000 + i*7%10)
		}
	}, func(w *ping.Watcher, r watched) {
		add(t, w, 2000+r.id, "192.0.2.3")
		if r.Seq%3 == 0 {
			w.Remove(2000 + r.id)
			w.Remove(3000 + r.id) // there is none
		}
	})
	// Of what comes at one instant, the order may be another.
	order := func(a, b watched) int { return int(a.at-b.at)*targets + int(a.id-b.id) }
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	if len(got) != len(want) {
		t.Fatalf("%d replies, and %d without the others", len(got), len(want))
	}
	for i := range want {
		if got[i].at != want[i].at || got[i].id != want[i].id || got[i].Seq != want[i].Seq || got[i].Err != nil {
			t.Fatalf("reply %d is %+v, and without the others %+v", i, got[i], want[i])
		}
	}
}

// A target that is replaced begins anew, and what the one before has in flight is not yielded, nor that of one
// removed.
func TestWatcherReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, newFakePinger(t, newFake(echoAfter(500*ms))), ping.WithInterval(100*ms))
		add(t, w, 1, "192.0.2.1")
		add(t, w, 2, "192.0.2.2")
		add(t, w, 3, "192.0.2.3")
		add(t, w, 4, "192.0.2.5")
		replaced := false
		list := watchFor(t, w, 3*time.Second, func(r watched) bool {
			if r.id == 4 && r.Seq == 0 && r.From.String() == "192.0.2.5" { // with its probes 1 to 4 in flight
				add(t, w, 4, "192.0.2.6", ping.WithInterval(10*ms))
			}
			if r.Seq == 5 && r.id < 4 && !replaced {
				replaced = true
				add(t, w, 1, "2001:db8::1")
				add(t, w, 2, "192.0.2.4", ping.WithInterval(200*ms))
				w.Remove(3)
			}
			return true
		})
		seqs := map[string][]int{}
		for _, r := range list {
			key := fmt.Sprint(r.id, " ", r.From)
			seqs[key] = append(seqs[key], r.Seq)
		}
		last := map[string]int{
			"1 192.0.2.1": 5, "2 192.0.2.2": 5, "3 192.0.2.3": 5, "1 2001:db8::1": 13, "2 192.0.2.4": 6,
			"4 192.0.2.5": 0, "4 192.0.2.6": 193,
		}
		for key, own := range seqs {
			for i, seq := range own {
				if seq != i {
					t.Errorf("target %s: probes %v", key, own)
					break
				}
			}
			// Of the first three, one has come to probe 5 when they are replaced, and the others to that or the one
			// before.
			n := len(own) - 1
			if want, ok := last[key]; !ok || math.Abs(float64(n-want)) > 1+float64(want)/30 {
				t.Errorf("target %s: the last probe is %d, want %d", key, n, want)
			}
		}
		if len(seqs) != len(last) {
			t.Errorf("replies of %v", seqs)
		}
	})
}

// With a timeout above the interval, several probes of a target are in flight at a time.
func TestWatcherSeveralInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			if n%10 == 3 {
				return nil
			}
			return []delayed{{950 * ms, echoed(m)}}
		}))
		w := newWatcher(t, p, ping.WithInterval(100*ms), ping.WithTimeout(2*time.Second))
		add(t, w, 7, target)
		list := watchFor(t, w, 5*time.Second, func(r watched) bool {
			if r.Seq > 30 && p.Counters().InFlight < 9 {
				t.Errorf("%d probes in flight", p.Counters().InFlight)
			}
			return true
		})
		answered, lost := 0, 0
		for _, r := range list {
			switch {
			case r.Seq%10 == 3:
				if lost++; r.Err != ping.ErrTimeout {
					t.Errorf("%+v", r)
				}
			case r.Err != nil || r.RTT != 950*ms:
				t.Errorf("%+v", r)
			default:
				answered++
			}
		}
		if answered < 36 || lost < 3 {
			t.Errorf("%d answered and %d lost of 50", answered, lost)
		}
		if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned {
			t.Errorf("after the loop: %+v", c)
		}
	})
}

// While the body of the loop is at work nothing is sent, to targets of either family; after that each target goes on
// where its schedule is by then.
func TestWatcherSlowBody(t *testing.T) {
	for _, first := range []string{"192.0.2.1", "2001:db8::1"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(echoAfter(ms))
			w := newWatcher(t, newFakePinger(t, f), ping.WithInterval(100*ms))
			for i := range int64(20) {
				add(t, w, i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
			}
			start := time.Now()
			var from, to time.Duration
			list := watchFor(t, w, 5*time.Second, func(r watched) bool {
				if from == 0 && r.Seq == 3 && r.From.String() == first {
					from = r.at
					time.Sleep(2 * time.Second)
					to = time.Since(start)
				}
				return true
			})
			for _, at := range f.departures(start) {
				if at > from && at < to {
					t.Errorf("an echo request left %v after the start, while the body was at work from %v to %v", at, from, to)
				}
			}
			for i := range int64(20) {
				own := of(i, list)
				late := 0
				for k, r := range own {
					if r.Seq != k || r.Err != nil || r.RTT != ms {
						t.Errorf("target %d, reply %d: %+v", i, k, r)
					}
					if (r.Sent.Sub(own[0].Sent))%(100*ms) != 0 {
						late++
					}
				}
				if late > 1 || len(own) < 30 || len(own) > 32 {
					t.Errorf("target %d: %d of %d probes left beside its schedule", i, late, len(own))
				}
			}
		})
	}
}

// A Watcher takes its turns of the Pinger's rate with the other calls, and its targets share them.
func TestWatcherRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		p := newFakePinger(t, f, ping.WithRate(50))
		w := newWatcher(t, p)
		for i := range int64(100) { // twice the rate
			add(t, w, i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
		}
		var calls sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		calls.Go(func() {
			n := 0
			for range p.Stream(ctx, target, ping.WithInterval(100*ms)) {
				n++
			}
			if n < 90 {
				t.Errorf("a stream beside the Watcher got %d replies of 100", n)
			}
		})
		start := time.Now()
		list := watchFor(t, w, 10*time.Second, nil)
		calls.Wait()
		if n := len(f.departures(start)); n < 490 || n > 502 {
			t.Errorf("%d echo requests in 10 s at 50 a second", n)
		}
		for i := range int64(100) {
			if n := len(of(i, list)); n < 3 || n > 5 {
				t.Errorf("target %d got %d of 400 turns that 100 share", i, n)
			}
		}
	})
}
