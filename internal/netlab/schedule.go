//go:build linux

package netlab

import (
	"container/heap"
	"sync"
	"time"
)

// A schedule runs functions at their times, one after another, on a goroutine of
// its own.
type schedule struct {
	wake chan struct{} // there is a new earliest entry
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	entries entryHeap
	added   int
}

type entry struct {
	at    time.Time
	order int // of entries for the same time
	run   func()
}

func newSchedule() *schedule {
	s := &schedule{
		wake: make(chan struct{}, 1),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	go s.loop()
	return s
}

// add has run called at a time.
func (s *schedule) add(at time.Time, run func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heap.Push(&s.entries, entry{at, s.added, run})
	s.added++
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// stop forgets what has not run and returns when nothing runs anymore.
func (s *schedule) stop() {
	close(s.quit)
	<-s.done
}

func (s *schedule) loop() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		case <-timer.C:
		}
		wait, ok := s.runDue()
		if ok {
			timer.Reset(wait)
		}
	}
}

// runDue runs what is due and returns how long it is until the next entry, if
// there is one.
func (s *schedule) runDue() (wait time.Duration, ok bool) {
	for {
		s.mu.Lock()
		if len(s.entries) == 0 {
			s.mu.Unlock()
			return 0, false
		}
		if wait = time.Until(s.entries[0].at); wait > 0 {
			s.mu.Unlock()
			return wait, true
		}
		e := heap.Pop(&s.entries).(entry)
		s.mu.Unlock()
		select {
		case <-s.quit:
			return 0, false
		default:
			e.run()
		}
	}
}

type entryHeap []entry

func (h entryHeap) Len() int      { return len(h) }
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)   { *h = append(*h, x.(entry)) }

func (h entryHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}

func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = entry{}
	*h = (*h)[:last]
	return e
}
