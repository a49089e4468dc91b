package flight

import (
	"math"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

const (
	// An answer comes soon, or most likely never. What waits to be read may be the answer to any probe, so time
	// counts only as far as the receive buffer has been seen empty: it has room for the answers to the probes of
	// windowSlices slices, each of which lasts until the buffer is empty, and windowSlice at least.
	windowSlice  = int64(5 * time.Millisecond)
	windowSlices = 4
)

// A window bounds the answers that may be on their way, or waiting to be read, by what the receive buffer holds. It
// counts the unanswered probes of the last moments, by what their answers would take, be they given up or not.
type window struct {
	limit  int // bytes of the kernel's accounting; 0: none
	most   int // what limit goes back to
	total  int
	slices [windowSlices]int // bytes by time of departure
	now    uint32            // the number of the present slice, which is 0 again after 248 days at least
	since  int64             // when the present slice began, on the monotonic clock
}

// MessageCost is what a message with so many bytes of payload takes of the receive buffer, at most: the kernel
// accounts for 832 bytes where it has 64, and rounds long ones up.
func MessageCost(size int) int { return 768 + 2*(size+wire.HeaderLen) }

// full reports whether there is no room for another probe; bulk leaves an eighth to the others.
func (w *window) full(bulk bool) bool {
	limit := w.limit
	if bulk {
		limit -= limit / 8
	}
	return w.limit > 0 && w.total >= limit
}

// add counts a probe, and returns the slice in which it is counted.
func (w *window) add(cost int) (slice uint32) {
	w.slices[w.now%windowSlices] += cost
	w.total += cost
	return w.now
}

// remove takes a probe out again that was answered.
func (w *window) remove(slice uint32, cost int) {
	if w.now-slice < windowSlices {
		w.slices[slice%windowSlices] -= cost
		w.total -= cost
	}
}

// drained says that all has been read that had come at, on the monotonic clock.
func (w *window) drained(at int64) {
	if at < w.next() {
		return
	}
	w.since = at
	w.now++
	oldest := &w.slices[w.now%windowSlices]
	w.total -= *oldest
	*oldest = 0
}

// next is when there is room again, if the buffer is empty by then.
func (w *window) next() int64 {
	if w.limit == 0 {
		return math.MaxInt64
	}
	return w.since + windowSlice
}

// dropped narrows the window, for the buffer held less than was thought, or opens it again.
func (w *window) dropped(some bool) {
	switch {
	case w.limit == 0:
	case some:
		w.limit = max(w.limit/2, min(4*MessageCost(0), w.most))
	default:
		w.limit = min(w.limit+w.most/16, w.most)
	}
}
