package ping

import (
	"errors"
	"time"
)

const (
	// ahead is how many distances beyond the farthest that has answered are tried at once.
	ahead = 4
	// stride is how long after one distance the next is tried without that.
	stride = 30 * time.Millisecond
	// follow is how long after one probe the next for the same distance leaves, if that is not settled sooner.
	follow = 50 * time.Millisecond
	// limitPause is how long a router's limit on ICMP errors takes to let one more pass: a second, Linux's
	// icmp_ratelimit (Documentation/networking/ip-sysctl.rst), and a little more, for it counts in ticks.
	limitPause = 1100 * time.Millisecond
	// maxRetries is how many probes for one distance are sent again at most.
	maxRetries = 2
)

// A course is what a Trace knows of the way, and says which probe is to leave next. It does no I/O, and is told the time.
type course struct {
	count    int
	end      int       // the last distance, as far as is known
	farthest int       // that has answered
	taken    int       // distances that have been handed over
	opened   time.Time // when the first probe for the last of hops left
	hops     []waypoint
}

// A waypoint is one distance of a course.
type waypoint struct {
	replies []Reply // of the probes that have left, answered or not
	flying  int
	last    time.Time // when a probe left
	retries int
	futile  bool // the last of them was not answered
}

// A probe is one of a Trace.
type probe struct{ distance, seq int }

func (p probe) tag() int               { return p.distance<<16 | p.seq }
func probeOf(tag int64) probe          { return probe{int(tag >> 16), int(tag & 0xffff)} }
func (c *course) ended() bool          { return c.taken >= c.end }
func newCourse(count, max int) *course { return &course{count: count, end: max} }

// next returns the probe that is to leave next, and when, at once if in the past; false if that hangs on an answer.
func (c *course) next() (next probe, at time.Time, ok bool) {
	consider := func(p probe, t time.Time) {
		if !ok || t.Before(at) {
			next, at, ok = p, t, true
		}
	}
	for i := c.taken; i < min(len(c.hops), c.end); i++ {
		w := &c.hops[i]
		switch n := len(w.replies); {
		case n < c.count && w.flying == 0:
			consider(probe{i + 1, n}, time.Time{})
		case n < c.count:
			consider(probe{i + 1, n}, w.last.Add(follow))
		default:
			if seq, ok := c.missing(i); ok {
				consider(probe{i + 1, seq}, w.last.Add(limitPause))
			}
		}
	}
	if n := len(c.hops); n < c.end {
		if n < c.farthest+ahead {
			consider(probe{n + 1, 0}, time.Time{})
		} else {
			consider(probe{n + 1, 0}, c.opened.Add(stride))
		}
	}
	return next, at, ok
}

// missing returns the probe at c.hops[i] that is to be sent again, for its answer may have been one too many for
// the router; false for none, or none yet.
func (c *course) missing(i int) (seq int, ok bool) {
	w := &c.hops[i]
	if len(w.replies) < c.count || w.flying > 0 || w.futile || w.retries == maxRetries {
		return 0, false
	}
	seq, answered := -1, false
	for k := range w.replies {
		switch r := &w.replies[k]; {
		case r.Err == nil:
			return 0, false
		case !silent(r):
			answered = true
		case seq < 0:
			seq = k
		}
	}
	return seq, seq >= 0 && (answered || c.farthest > i+1)
}

// sent says when the probe left.
func (c *course) sent(p probe, at time.Time) {
	if p.distance > len(c.hops) {
		c.hops = append(c.hops, waypoint{replies: make([]Reply, 0, c.count)})
		c.opened = at
	}
	w := &c.hops[p.distance-1]
	w.flying++
	w.last = at
	if p.seq < len(w.replies) {
		w.retries++
	} else {
		w.replies = append(w.replies, Reply{})
	}
}

// settle says what became of a probe.
func (c *course) settle(p probe, r Reply) {
	w := &c.hops[p.distance-1]
	w.flying--
	r.Seq = p.seq
	w.replies[p.seq] = r
	if silent(&r) {
		w.futile = w.retries > 0
		return
	}
	c.farthest = max(c.farthest, p.distance)
	var refused *ICMPError
	if errors.As(r.Err, &refused) && refused.onTheWay() {
		return
	}
	c.end = min(c.end, p.distance)
}

// take hands over the next hop, if all is known of it.
func (c *course) take() (h Hop, ok bool) {
	if c.taken >= min(len(c.hops), c.end) {
		return Hop{}, false
	}
	w := &c.hops[c.taken]
	_, again := c.missing(c.taken)
	if len(w.replies) < c.count || w.flying > 0 || again {
		return Hop{}, false
	}
	c.taken++
	return Hop{Distance: c.taken, Replies: w.replies}, true
}

func silent(r *Reply) bool { return errors.Is(r.Err, ErrTimeout) }
