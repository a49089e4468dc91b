package ping

import (
	"math"
	"time"
)

const (
	// The receive buffer must hold what may come while the program gets round to nothing else: the answers to
	// the probes of the last windowSlices times windowSlice.
	windowSlice  = int64(5 * time.Millisecond)
	windowSlices = 4
)

// A window bounds the answers that may be on their way at a time by what the receive buffer holds. It counts the
// unanswered probes of the last moments, by what their answers would take; older ones are most likely lost.
type window struct {
	limit  int // bytes of the kernel's accounting; 0: none
	most   int // what limit goes back to
	total  int
	slices [windowSlices]int // bytes by time of departure
	now    int64             // the index of the present slice, counted from the epoch
}

// cost is what the answer to a probe with so many bytes of payload takes of the receive buffer, at most: the
// kernel accounts for 832 bytes where the message has 64, and rounds long ones up.
func cost(size int) int { return 768 + 2*(size+headerLen) }

func (w *window) full() bool { return w.limit > 0 && w.total >= w.limit }

// add counts a probe, and returns the slice in which it is counted.
func (w *window) add(cost int) (slice int64) {
	w.slices[w.now%windowSlices] += cost
	w.total += cost
	return w.now
}

// remove takes a probe out again that was answered.
func (w *window) remove(slice int64, cost int) {
	if w.now-slice < windowSlices {
		w.slices[slice%windowSlices] -= cost
		w.total -= cost
	}
}

// advance lets the time be at, on the monotonic clock.
func (w *window) advance(at int64) {
	for slice := max(at/windowSlice, 0); w.now < slice; w.now++ {
		if slice-w.now > windowSlices {
			w.now = slice - windowSlices
		}
		oldest := &w.slices[(w.now+1)%windowSlices]
		w.total -= *oldest
		*oldest = 0
	}
}

// next is when time next makes room.
func (w *window) next() int64 {
	if w.limit == 0 {
		return math.MaxInt64
	}
	return (w.now + 1) * windowSlice
}

// dropped narrows the window, for the buffer held less than was thought, or opens it again.
func (w *window) dropped(some bool) {
	switch {
	case w.limit == 0:
	case some:
		w.limit = max(w.limit/2, 4*cost(0))
	default:
		w.limit = min(w.limit+w.most/16, w.most)
	}
}
