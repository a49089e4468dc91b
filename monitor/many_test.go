package monitor_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A target costs no goroutine, and little memory, which does not grow with time.
func TestManyTargets(t *testing.T) {
	const few, many, most = 10, 10_000, 5_000 // bytes a target, of which 2,000 are the window's, and some the network's
	goroutines, heap := map[int]int{}, map[int]int64{}
	for _, targets := range []int{few, many} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			for i := range targets {
				r.network.Host(address(i))
				r.add(monitor.Target{Host: address(i)})
			}
			time.Sleep(3 * time.Second)
			early := liveHeap()
			time.Sleep(10 * time.Second)
			goroutines[targets], heap[targets] = runtime.NumGoroutine(), liveHeap()
			if grown := heap[targets] - early; grown > 200_000 {
				t.Errorf("%d targets: the heap grows by %d bytes in 10 s", targets, grown)
			}
		})
	}
	if goroutines[many] != goroutines[few] || goroutines[many] > 20 {
		t.Errorf("%d goroutines with %d targets, %d with %d", goroutines[many], many, goroutines[few], few)
	}
	if each := (heap[many] - heap[few]) / (many - few); each > most {
		t.Errorf("%d bytes a target, want %d at most", each, most)
	} else {
		t.Logf("%d bytes a target, %d goroutines", each, goroutines[many])
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

// A day of 50 targets, each of which is down once, at another time, for as long as its number in minutes says.
func TestDay(t *testing.T) {
	const targets = 50
	const interval = 10 * time.Second
	length := skipped.AtLength(t, 2*time.Hour, 24*time.Hour)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, monitor.WithWindow(length))
		for i := range targets {
			from := length/4 + time.Duration(i)*time.Minute/7
			r.network.Host(address(i), pingtest.Loss(0.01)).
				At(from, pingtest.Down()).At(from+time.Duration(i+1)*time.Minute, pingtest.Up())
			r.add(monitor.Target{Host: address(i), Interval: interval})
		}
		time.Sleep(length)
		for i := range targets {
			s := r.get(address(i))
			w := s.Window(0)
			outage := time.Duration(i+1) * time.Minute
			if s.State != monitor.Up || s.Counts.Downs != 1 || (w.LongestOutage-outage).Abs() > 3*interval ||
				w.Sent != int(s.Counts.Sent) || (w.Sent-int(length/interval)) > 1 {
				t.Errorf("target %d: %+v, %+v", i, s.Status, w)
			}
		}
		r.stop()
		if len(r.changes) != 3*targets {
			t.Errorf("%d changes, of which there should be three a target", len(r.changes))
		}
	})
}
