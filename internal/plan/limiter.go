package plan

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// Slack is by how much a caller may come late to its turn, because of its timer or for want of a processor,
// without slowing those after it.
const Slack = int64(5 * time.Millisecond)

// A Limiter spaces the echo requests of all calls evenly: each takes a turn, in the order in which they ask. Turns
// that nobody takes are not saved up.
//
// It is safe for concurrent use.
type Limiter struct {
	interval int64

	mu       sync.Mutex
	next     int64              // the turn after the last that was reserved
	returned turns              // those before it that are free again, and some that are not any more
	free     map[int64]struct{} // which of them are
}

// NewLimiter returns a Limiter to rate turns a second, 1 to 1e9.
func NewLimiter(rate int) *Limiter {
	return &Limiter{
		interval: int64(time.Second) / int64(rate),
		next:     math.MinInt64 / 2,
		free:     make(map[int64]struct{}),
	}
}

// Reserve takes the next n turns together, and returns the first of them, which may have come. A single turn may be
// one that was given back.
func (l *Limiter) Reserve(now int64, n int) (turn int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next < now-Slack { // and all that was given back has passed
		l.next = now
		l.returned = l.returned[:0]
		clear(l.free)
	}
	for n == 1 && len(l.returned) > 0 {
		turn := heap.Pop(&l.returned).(int64)
		_, free := l.free[turn]
		delete(l.free, turn)
		if free && turn >= now {
			return turn
		}
	}
	turn = l.next
	l.next += int64(n) * l.interval
	return turn
}

// GiveBack frees n turns that were reserved together, the first of which is turn, and not used.
func (l *Limiter) GiveBack(turn int64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range int64(n) {
		t := turn + k*l.interval
		heap.Push(&l.returned, t)
		l.free[t] = struct{}{}
	}
	for len(l.free) > 0 { // the last ones need not be kept
		last := l.next - l.interval
		if _, free := l.free[last]; !free {
			return
		}
		delete(l.free, last)
		l.next = last
	}
	l.returned = l.returned[:0]
}

// Interval is how far one turn is from the next, in nanoseconds.
func (l *Limiter) Interval() int64 { return l.interval }

// Burst is how many turns are worth a timer: those of a millisecond, but at least one.
func (l *Limiter) Burst() int { return int(max(int64(time.Millisecond)/l.interval, 1)) }

// turns is a heap.Interface, the earliest first.
type turns []int64

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i] < t[j] }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)        { *t = append(*t, x.(int64)) }
func (t *turns) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
