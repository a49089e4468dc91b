package plan

import (
	"math"
	"time"
)

// A Sweep is count probes to each of very many targets, which its owner adds one after another. The first probe of a
// target leaves at once, those after it an interval apart; but neighbours, which are hosts on the link, wait for a
// place of [Neighbours]. What is due again goes before what is new, and nothing that has no need of a place waits
// behind what has.
//
// A Sweep holds no more than sweepTargets, each from when it is added until its last probe is settled. It is not safe
// for concurrent use.
type Sweep[T any] struct {
	count    int
	interval int64
	most     int            // of the places of its own
	places   [2]*Neighbours // of all, and its own

	visits []visit[T]
	free   []int32 // the visits that are not in use
	fresh  line    // have never left, and need no place
	parked line    // wait for a place
	again  line    // have another probe to come, the earliest first
	next   *line   // of the probe that Next has named
}

// A visit is a target with its probes.
type visit[T any] struct {
	target   T
	due      int64 // when the next probe is
	until    int64 // when the place comes free
	made     int32
	settled  int32
	behind   int32 // the visit after this one in its line
	near     bool  // it needs a place
	answered bool  // since it has taken that
}

// A line is visits that wait for the same, in order.
type line struct {
	first, last int32
	len         int
}

// sweepTargets is more than can be in flight over one socket, so that only those that wait for their next probe are
// ever too many.
const sweepTargets = 1 << 16

// NewSweep returns a Sweep without targets. Its neighbours take a place of all, and one of most of its own, which is
// for those that do not answer; all may be nil if it is to have none.
func NewSweep[T any](count int, interval time.Duration, all *Neighbours, most int) Sweep[T] {
	interval = min(interval, maxInterval)
	return Sweep[T]{count: count, interval: int64(interval), most: most, places: [2]*Neighbours{all}}
}

// Room reports whether there is room for another target.
func (s *Sweep[T]) Room() bool { return len(s.visits)-len(s.free) < sweepTargets }

// Parked reports whether a neighbour waits for a place.
func (s *Sweep[T]) Parked() bool { return s.parked.len > 0 }

// Add adds a target; near says that it is a neighbour. There must be room.
func (s *Sweep[T]) Add(target T, near bool) {
	if len(s.free) == 0 {
		s.free = append(s.free, int32(len(s.visits)))
		s.visits = append(s.visits, visit[T]{})
	}
	last := len(s.free) - 1
	v := s.free[last]
	s.free = s.free[:last]
	s.visits[v] = visit[T]{target: target, near: near}
	if near {
		if s.places[1] == nil {
			s.places[1] = NewNeighbours(s.most, math.MaxInt)
		}
		s.push(&s.parked, v)
	} else {
		s.push(&s.fresh, v)
	}
}

// Next returns the tag of the next probe, and when it is due. It returns false if there is none before another target
// has been added.
func (s *Sweep[T]) Next(now int64) (tag, at int64, ok bool) {
	for s.again.len > 0 && s.visits[s.again.first].due <= now {
		if v := &s.visits[s.again.first]; !v.near || v.until > now || s.place(now) <= now {
			return s.name(&s.again), now, true
		}
		s.push(&s.parked, s.pop(&s.again))
	}
	if s.parked.len > 0 {
		if at = s.place(now); at <= now {
			return s.name(&s.parked), now, true
		}
	}
	switch {
	case s.fresh.len > 0:
		return s.name(&s.fresh), now, true
	case s.again.len > 0:
		if due := s.visits[s.again.first].due; s.parked.len == 0 || due < at {
			return s.name(&s.again), due, true
		}
	case s.parked.len == 0:
		return 0, 0, false
	}
	return s.name(&s.parked), at, true
}

// place is when there is one.
func (s *Sweep[T]) place(now int64) int64 { return max(s.places[0].Next(now), s.places[1].Next(now)) }

// name has the next probe be that of the first in the line, and returns its tag.
func (s *Sweep[T]) name(l *line) int64 {
	s.next = l
	return int64(l.first)<<32 | int64(s.visits[l.first].made)
}

// Sent says that the probe that Next named last leaves now.
func (s *Sweep[T]) Sent(now int64) {
	i := s.pop(s.next)
	v := &s.visits[i]
	if v.near && v.until <= now {
		for _, n := range s.places {
			v.until = n.Take(now)
		}
		v.answered = false
	}
	if v.made++; int(v.made) < s.count {
		v.due = now + s.interval
		s.push(&s.again, i)
	}
}

// Target is the target of the probe with a tag that has not been settled, and whether that is a neighbour.
func (s *Sweep[T]) Target(tag int64) (target T, near bool) {
	v := &s.visits[tag>>32]
	return v.target, v.near
}

// Settled says that the probe with a tag is settled, by an answer or not. It returns the target, and the number of the
// probe, from 0.
func (s *Sweep[T]) Settled(tag int64, answered bool) (target T, seq int) {
	i := int32(tag >> 32)
	v := &s.visits[i]
	target = v.target
	if v.near && answered && !v.answered {
		until := v.until
		for _, n := range s.places {
			v.until = n.Answered(until)
		}
		v.answered = true
	}
	if v.settled++; int(v.settled) == s.count {
		*v = visit[T]{}
		s.free = append(s.free, i)
	}
	return target, int(int32(tag))
}

// Done reports whether all probes of all targets that have been added are settled.
func (s *Sweep[T]) Done() bool { return len(s.free) == len(s.visits) }

func (s *Sweep[T]) push(l *line, v int32) {
	if l.len == 0 {
		l.first = v
	} else {
		s.visits[l.last].behind = v
	}
	l.last = v
	l.len++
}

func (s *Sweep[T]) pop(l *line) int32 {
	v := l.first
	l.first = s.visits[v].behind
	l.len--
	return v
}
