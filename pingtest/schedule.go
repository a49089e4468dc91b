package pingtest

import (
	"container/heap"
	"time"
)

// A change of settings at some time.
type change struct {
	at       time.Time
	order    int // in which they were written down
	settings []Setting
}

// A schedule is the changes that are still to come, as a heap: the first is the next.
type schedule struct {
	changes []change
	added   int
}

// add puts a change down.
func (s *schedule) add(at time.Time, settings []Setting) {
	s.added++
	heap.Push(s, change{at, s.added, settings})
}

// advance makes the changes that are due, in order.
func (s *schedule) advance(now time.Time, to *settings) {
	for len(s.changes) > 0 && !s.changes[0].at.After(now) {
		for _, set := range heap.Pop(s).(change).settings {
			set(to)
		}
	}
}

func (s *schedule) Len() int { return len(s.changes) }

func (s *schedule) Less(i, j int) bool {
	a, b := &s.changes[i], &s.changes[j]
	return a.at.Before(b.at) || a.order < b.order && a.at.Equal(b.at)
}

func (s *schedule) Swap(i, j int) { s.changes[i], s.changes[j] = s.changes[j], s.changes[i] }

// Push is for package heap.
func (s *schedule) Push(x any) { s.changes = append(s.changes, x.(change)) }

// Pop is for package heap.
func (s *schedule) Pop() any {
	last := len(s.changes) - 1
	c := s.changes[last]
	s.changes[last] = change{}
	s.changes = s.changes[:last]
	return c
}
