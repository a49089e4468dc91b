package ping_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A target with a phase sends when the wall clock says so, whatever its id is, and whenever it is added.
func TestWatcherPhase(t *testing.T) {
	const interval = 10 * time.Second
	for _, phase := range []time.Duration{0, 1, 3 * time.Second, interval - 1, interval + time.Second} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(1234567 * time.Microsecond)
			w := newWatcher(t, newFakePinger(t, newFake(echoAfter(ms))), ping.WithInterval(interval))
			var adding sync.WaitGroup
			adding.Go(func() {
				for id := range int64(20) {
					add(t, w, id, target, ping.WithPhase(phase))
					time.Sleep(777 * ms)
				}
			})
			seen := map[int64]int{}
			for _, r := range watchFor(t, w, 4*interval, nil) {
				if got := time.Duration(r.Sent.UnixNano()) % interval; got != phase%interval {
					t.Errorf("phase %v: target %d has a probe sent at %v", phase, r.id, got)
				}
				seen[r.id]++
			}
			for id := range int64(20) {
				if seen[id] < 2 {
					t.Errorf("phase %v: target %d has %d replies", phase, id, seen[id])
				}
			}
			adding.Wait()
		})
	}
}

// A target that is replaced by one with the same phase keeps its instants.
func TestWatcherPhaseReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, newFakePinger(t, newFake(echoAfter(ms))), ping.WithPhase(300*ms))
		add(t, w, 1, target)
		var last time.Time
		n := 0
		for _, r := range w.Replies(t.Context()) {
			if n > 0 && r.Sent.Sub(last) != time.Second {
				t.Errorf("%v after the probe before", r.Sent.Sub(last))
			}
			last = r.Sent
			if n++; n == 5 {
				break
			}
			add(t, w, 1, target, ping.WithSize(n))
		}
	})
}
