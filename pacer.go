package ping

import "time"

// A schedule says when the probes of one call are due: an interval apart, on a grid that begins with the first, so
// that the time a probe takes to send does not add up. Points of the grid that pass while the caller is
// busy elsewhere are left out, not made up for.
type schedule struct {
	interval time.Duration // 0: as soon as the one before is settled
	next     time.Time
}

// wait returns how long it is until the next probe is due, with so many in flight; false if that hangs on an
// answer.
func (s *schedule) wait(now time.Time, flying int) (time.Duration, bool) {
	if s.interval == 0 {
		return 0, flying == 0
	}
	return s.next.Sub(now), true
}

// sent says that the probe that was due has left by now.
func (s *schedule) sent(now time.Time) {
	if s.interval == 0 {
		return
	}
	s.next = s.next.Add(s.interval)
	if late := now.Sub(s.next); late > 0 {
		s.next = s.next.Add((late + s.interval - 1) / s.interval * s.interval)
	}
}
