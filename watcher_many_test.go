package ping_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// A target costs a Watcher no goroutine, and little memory, which does not grow with time.
func TestWatcherManyTargets(t *testing.T) {
	const few, many, most = 10, 10_000, 300 // bytes a target
	goroutines, heap := map[int]int{}, map[int]int64{}
	for _, targets := range []int{few, many} {
		synctest.Test(t, func(t *testing.T) {
			p, err := ping.New(ping.WithTransport(newMirror(1)))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			w := newWatcher(t, p)
			var early int64
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for i := range int64(targets) {
				add(t, w, i*i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
			}
			n := 0
			for id, r := range w.Replies(ctx) {
				if r.Err != nil {
					t.Fatalf("target %d: %+v", id, r)
				}
				switch n++; n {
				case 2 * targets: // everything is as large as it gets
					early = liveHeap()
				case 20 * targets:
					goroutines[targets] = runtime.NumGoroutine()
					heap[targets] = liveHeap()
					if grown := heap[targets] - early; grown > 100_000 {
						t.Errorf("%d targets: the heap grows by %d bytes in 18 s", targets, grown)
					}
					cancel()
				}
			}
		})
	}
	if goroutines[many] != goroutines[few] {
		t.Errorf("%d goroutines with %d targets, %d with %d", goroutines[many], many, goroutines[few], few)
	}
	if raceEnabled {
		skipped.Test(t, "the race detector needs memory of its own")
	}
	if each := (heap[many] - heap[few]) / (many - few); each > most {
		t.Errorf("%d bytes a target, want %d at most", each, most)
	}
}

// liveHeap is what is in use on the heap.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
