package plan

import (
	"math/bits"
	"time"
)

// A Series is the probes of a call to one target, an interval apart, on a grid that begins with the first: the time
// that a probe takes to send does not add up. Points of the grid that pass while the owner is busy elsewhere are left
// out, not made up for.
//
// A Series is not safe for concurrent use.
type Series struct {
	grid
	shift    int64 // of the grid, after the first probe
	count    int   // 0: without end
	made     int
	inFlight int
}

// NewSeries returns count probes (0: without end), the first at start, then one every interval. An interval of 0 has
// each leave as soon as the one before it is settled.
func NewSeries(interval time.Duration, count int, start int64) Series {
	return Series{grid: grid{interval: min(int64(interval), maxInterval), next: start}, count: count}
}

// Spread shifts the second probe, and the grid of those after it, by up to half an interval either way, so that calls
// that start together do not send together for ever. Calls are numbered one after another. It is for a Series of which
// nothing has been sent.
//
// The new grid begins on a whole millisecond, or up to four, where the interval is 10 ms or more.
func (s *Series) Spread(call uint32) {
	// The van der Corput sequence: any number of calls in a row is spread evenly.
	phase := float64(bits.Reverse32(call)) / (1 << 32)
	s.shift = int64((phase - 0.5) * float64(s.interval))
	s.shift -= (s.next + s.interval + s.shift) % coarseness(s.interval)
}

// Next returns the number of the next probe, from 0, and when it is due. It returns false if that depends on the one in
// flight, or if there is none.
func (s *Series) Next(now int64) (seq int, at int64, ok bool) {
	switch {
	case s.count > 0 && s.made == s.count:
		return 0, 0, false
	case s.interval > 0:
		return s.made, s.next, true
	case s.inFlight > 0:
		return 0, 0, false
	}
	return s.made, now, true
}

// Sent says that the next probe leaves now.
func (s *Series) Sent(now int64) {
	if s.made == 0 {
		s.next = now // the grid begins with the first, however long that had to wait
	}
	s.made++
	s.inFlight++
	if s.interval > 0 {
		s.next += s.shift
		s.shift = 0
		s.pass(now)
	}
}

// Settled says that a probe that has left is settled, be it that it could not be sent.
func (s *Series) Settled() { s.inFlight-- }

// Done reports whether all probes have been sent and settled.
func (s *Series) Done() bool { return s.count > 0 && s.made == s.count && s.inFlight == 0 }
