package plan

import "time"

// A Sweep is count probes to each of very many targets, which its owner adds one after another. The first probe of a
// target leaves at once, those after it an interval apart; but neighbours, which are hosts on the link, wait for a
// place of [Neighbours], and for room in a [Backlog]. What is due again goes before what is new, and no target that is
// none waits behind one.
//
// A Sweep holds no more than sweepTargets, each from when it is added until its last probe is settled. It is not safe
// for concurrent use.
type Sweep[T comparable] struct {
	count    int
	interval int64
	places   *Neighbours[T]
	backlog  *Backlog
	size     int // what a target takes of that

	visits []visit[T]
	free   []int32 // the visits that are not in use
	fresh  line    // have never left, and need no place
	parked line    // wait for a place
	again  line    // have another probe to come, the earliest first
	next   *line   // of the probe that Next has named
}

// A visit is a target with its probes.
type visit[T comparable] struct {
	target   T
	due      int64 // when the next probe is
	until    int64 // when what it has taken comes free
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

// NewSweep returns a Sweep without targets. Its neighbours take places, and each so many bytes of the backlog until it
// answers; these may be nil if it is to have no neighbours.
func NewSweep[T comparable](
	count int, interval time.Duration, places *Neighbours[T], backlog *Backlog, size int,
) Sweep[T] {
	interval = min(interval, maxInterval)
	return Sweep[T]{count: count, interval: int64(interval), places: places, backlog: backlog, size: size}
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
		s.push(&s.parked, v)
	} else {
		s.push(&s.fresh, v)
	}
}

// Next returns the tag of the next probe, and when it is due. It returns false if there is none before another target
// has been added.
func (s *Sweep[T]) Next(now int64) (tag, at int64, ok bool) {
	for s.again.len > 0 && s.visits[s.again.first].due <= now {
		if v := &s.visits[s.again.first]; !v.near || v.until > now || s.place(v, now) <= now {
			return s.name(&s.again), now, true
		}
		s.push(&s.parked, s.pop(&s.again))
	}
	if s.parked.len > 0 {
		if at = s.place(&s.visits[s.parked.first], now); at <= now {
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

// place is when there is one for a neighbour, and room, or when that is to be asked again: answers to other Sweeps make
// room sooner.
func (s *Sweep[T]) place(v *visit[T], now int64) int64 {
	return min(max(s.places.Next(v.target, now), s.backlog.Next(now, s.size)), now+placeTick)
}

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
		s.places.Take(v.target, now)
		v.until = s.backlog.Take(now, s.size)
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
		s.backlog.Answered(v.until, s.size)
		sent := v.until - int64(MissingFor)
		s.places.Answered(target, sent)
		v.until = sent + int64(presentFor)
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
