package ping

import (
	"math/bits"
	"slices"
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

	mu       sync.Mutex
	next     time.Time   // when the next may leave
	returned []time.Time // turns before that which are free again, in order
}

// limiterSlack is by how much a caller may come late to its turn, because of its timer or for want of a processor,
// without slowing those after it.
const limiterSlack = 5 * time.Millisecond

func newLimiter(rate int) *limiter { return &limiter{interval: time.Second / time.Duration(rate)} }

// reserve takes the next n turns, and returns the first of them, which may have come.
func (l *limiter) reserve(now time.Time, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.Before(now.Add(-limiterSlack)) {
		l.next = now
	}
	for n == 1 && len(l.returned) > 0 {
		turn := l.returned[0]
		l.returned = slices.Delete(l.returned, 0, 1)
		if !turn.Before(now) {
			return turn
		}
	}
	turn := l.next
	l.next = turn.Add(time.Duration(n) * l.interval)
	return turn
}

// giveBack frees n turns that were reserved together and not used.
func (l *limiter) giveBack(turn time.Time, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range n {
		free := turn.Add(time.Duration(n-1-k) * l.interval)
		i, _ := slices.BinarySearchFunc(l.returned, free, time.Time.Compare)
		l.returned = slices.Insert(l.returned, i, free)
	}
	for len(l.returned) > 0 {
		last := l.returned[len(l.returned)-1]
		if !last.Add(l.interval).Equal(l.next) {
			break
		}
		l.next = last
		l.returned = l.returned[:len(l.returned)-1]
	}
}

// turns is how many turns are worth a timer: those of a millisecond, but at least one.
func (l *limiter) turns() int { return int(max(time.Millisecond/l.interval, 1)) }
