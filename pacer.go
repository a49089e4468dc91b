package ping

import (
	"container/heap"
	"math"
	"math/bits"
	"sync"
	"time"
)

// A schedule says when the probes of one call are due: an interval apart, on a grid that begins with the first, so
// that the time a probe takes to send does not add up. Points of the grid that pass while the caller is
// busy elsewhere are left out, not made up for.
//
// Times are on the monotonic clock, in nanoseconds from the Pinger's epoch.
type schedule struct {
	interval int64 // 0: as soon as the one before is settled
	next     int64
	shift    int64 // of the grid, after the first probe
}

// sent says that the probe that was due has left by now.
func (s *schedule) sent(now int64) {
	if s.interval == 0 {
		return
	}
	s.next += s.interval + s.shift
	s.shift = 0
	if late := now - s.next; late > 0 {
		s.next += (late + s.interval - 1) / s.interval * s.interval
	}
}

// spread shifts the second probe of a call, and the grid of those after it, by up to half an interval either way,
// so that calls that start together do not send together for ever. Calls are numbered one after another.
//
// The new grid begins on a whole millisecond, or up to four, if that is not much beside the interval, so that calls of
// like interval that are due in the same ones share the waking of a processor, which costs more than to send.
func (s *schedule) spread(call uint32) {
	// The van der Corput sequence: any number of calls in a row is spread evenly.
	phase := float64(bits.Reverse32(call)) / (1 << 32)
	s.shift = int64((phase - 0.5) * float64(s.interval))
	const ms = int64(time.Millisecond)
	if s.interval >= 10*ms {
		s.shift -= (s.next + s.interval + s.shift) % (min(max(s.interval/(250*ms), 1), 4) * ms)
	}
}

// spreadAfter is how many calls at a time are not shifted: who makes but a few would wonder.
const spreadAfter = 8

// maxInterval stands for all that are longer, 73 years, so that sums of it are numbers.
const maxInterval = 1 << 61

// A limiter spaces the echo requests of all calls evenly. It is safe for concurrent use.
type limiter struct {
	interval time.Duration
	epoch    time.Time

	mu       sync.Mutex
	next     time.Duration // when the next may leave, after epoch
	returned turns         // those before that which are free again, and some that are not any more
	free     map[time.Duration]struct{}
}

// turns is a heap.Interface, the earliest first.
type turns []time.Duration

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i] < t[j] }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)        { *t = append(*t, x.(time.Duration)) }
func (t *turns) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}

// limiterSlack is by how much a caller may come late to its turn, because of its timer or for want of a processor,
// without slowing those after it.
const limiterSlack = 5 * time.Millisecond

func newLimiter(rate int, epoch time.Time) *limiter {
	return &limiter{
		interval: time.Second / time.Duration(rate),
		epoch:    epoch,
		next:     math.MinInt64 / 2,
		free:     make(map[time.Duration]struct{}),
	}
}

// reserve takes the next n turns, and returns the first of them, which may have come.
func (l *limiter) reserve(at time.Time, n int) time.Time {
	now := at.Sub(l.epoch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next < now-limiterSlack { // and all that was given back has passed
		l.next = now
		l.returned = l.returned[:0]
		clear(l.free)
	}
	for n == 1 && len(l.returned) > 0 {
		turn := heap.Pop(&l.returned).(time.Duration)
		_, free := l.free[turn]
		delete(l.free, turn)
		if free && turn >= now {
			return l.epoch.Add(turn)
		}
	}
	turn := l.next
	l.next += time.Duration(n) * l.interval
	return l.epoch.Add(turn)
}

// giveBack frees n turns that were reserved together and not used.
func (l *limiter) giveBack(turn time.Time, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range n {
		t := turn.Sub(l.epoch) + time.Duration(k)*l.interval
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

// turns is how many turns are worth a timer: those of a millisecond, but at least one.
func (l *limiter) turns() int { return int(max(time.Millisecond/l.interval, 1)) }
