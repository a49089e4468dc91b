package plan

import (
	"math/rand/v2"
	"testing"
	"time"
)

// leave has all leave that is due by now, and returns the tags.
func leave(s *Sweep[int], now int64) (tags []int64) {
	for {
		tag, at, ok := s.Next(now)
		if !ok || at > now {
			return tags
		}
		s.Sent(now)
		tags = append(tags, tag)
	}
}

// targetOf is the target of a probe in flight.
func targetOf(s *Sweep[int], tag int64) int {
	target, _ := s.Target(tag)
	return target
}

// Each target gets all its probes, in order, an interval apart at least, whatever is answered when.
func TestSweepExact(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 0))
		const targets = 200
		count, interval := 1+random.IntN(4), time.Duration(random.IntN(3))*time.Second
		s := NewSweep(count, interval, NewNeighbours[int](7, 11), NewBacklog(5), 1)
		var inFlight []int64
		var made, settled [targets]int
		var last [targets]int64
		now, added := int64(0), 0
		for added < targets || !s.Done() {
			for added < targets && random.IntN(3) > 0 {
				s.Add(added, random.IntN(2) == 0)
				added++
			}
			tag, at, ok := s.Next(now)
			switch {
			case ok && at <= now:
				i, _ := s.Target(tag)
				if made[i] > 0 && now < last[i]+int64(interval) {
					t.Fatalf("seed %d: %v after the last", seed, time.Duration(now-last[i]))
				}
				s.Sent(now)
				made[i], last[i] = made[i]+1, now
				inFlight = append(inFlight, tag)
			case len(inFlight) > 0 && random.IntN(2) == 0:
				k := random.IntN(len(inFlight))
				i, seq := s.Settled(inFlight[k], random.IntN(2) == 0)
				if seq >= made[i] {
					t.Fatalf("seed %d: probe %d of %d is settled", seed, seq, made[i])
				}
				settled[i]++
				inFlight = append(inFlight[:k], inFlight[k+1:]...)
			case ok:
				now = at
			default:
				now += int64(time.Second)
			}
		}
		for i := range targets {
			if made[i] != count || settled[i] != count {
				t.Fatalf("seed %d: %d probes, %d settled, of %d", seed, made[i], settled[i], count)
			}
		}
		if len(s.visits) > targets {
			t.Errorf("room for %d targets", len(s.visits))
		}
	}
}

// What is due again goes before what is new, so that an interval of 0 has the probes of a target follow one another.
func TestSweepOrder(t *testing.T) {
	s := NewSweep[int](3, 0, nil, nil, 0)
	s.Add(7, false)
	s.Add(8, false)
	tags := leave(&s, 5)
	if len(tags) != 6 {
		t.Fatalf("%d left", len(tags))
	}
	for k, tag := range tags {
		if target, seq := s.Settled(tag, true); target != 7+k/3 || seq != k%3 {
			t.Errorf("number %d: probe %d of %d", k, seq, target)
		}
	}
}

// No more targets are held than there is room for; each that ends makes room for another.
func TestSweepRoom(t *testing.T) {
	s := NewSweep[int](2, time.Second, nil, nil, 0)
	var tags []int64
	for n := 0; s.Room(); n++ {
		s.Add(n, false)
		tags = append(tags, leave(&s, 0)...)
	}
	if len(tags) != sweepTargets {
		t.Fatalf("%d targets", len(tags))
	}
	tags = append(tags, leave(&s, int64(time.Second))...)
	if len(tags) != 2*sweepTargets || s.Room() {
		t.Fatalf("%d probes, room %v", len(tags), s.Room())
	}
	s.Settled(tags[5], true)
	if s.Room() {
		t.Error("there is room, and no target is done")
	}
	s.Settled(tags[sweepTargets+5], false)
	if !s.Room() {
		t.Error("a target is done, and there is no room")
	}
}

// Neighbours wait for places, and nothing else waits behind them.
func TestSweepParked(t *testing.T) {
	s := NewSweep(1, time.Second, NewNeighbours[int](100, 100), NewBacklog(10), 1)
	for n := range 20 {
		s.Add(n, true)
	}
	if tags := leave(&s, 0); len(tags) != 10 || !s.Parked() {
		t.Errorf("%d neighbours left at once, others wait: %v", len(tags), s.Parked())
	}
	s.Add(-1, false)
	if tags := leave(&s, 1); len(tags) != 1 || targetOf(&s, tags[0]) != -1 {
		t.Errorf("%d left, of one that is far", len(tags))
	}
	now := later(t, &s, 1)
	if wait := time.Duration(now); wait < MissingFor || wait > MissingFor+2*time.Duration(placeTick) {
		t.Errorf("the next leaves at %v", wait)
	}
	if tags := leave(&s, now); len(tags) != 10 || s.Parked() {
		t.Errorf("%d left when there were places", len(tags))
	}
}

// later is when the next probe leaves, which waits for a place, as the Sweep says bit by bit.
func later(t *testing.T, s *Sweep[int], now int64) int64 {
	t.Helper()
	for {
		_, at, ok := s.Next(now)
		if !ok || at > now+placeTick {
			t.Fatalf("at %v it says %v, %v", time.Duration(now), time.Duration(at), ok)
		}
		if at <= now {
			return now
		}
		now = at
	}
}

// A Sweep goes on where the hosts of another have answered, and made room, before that would have come free.
func TestSweepBeside(t *testing.T) {
	n, b := NewNeighbours[int](100, 100), NewBacklog(10)
	first, second := NewSweep(1, time.Second, n, b, 1), NewSweep(1, time.Second, n, b, 1)
	for target := range 10 {
		first.Add(target, true)
	}
	tags := leave(&first, 0)
	second.Add(10, true)
	_, at, ok := second.Next(0)
	if !ok || at == 0 || at > placeTick {
		t.Fatalf("the next leaves at %v, %v, where there is no room", at, ok)
	}
	first.Settled(tags[3], true)
	if left := leave(&second, at); len(left) != 1 {
		t.Errorf("%d left when the other had an answer", len(left))
	}
}

// The place of a target is good for all its probes, as long as it has it.
func TestSweepPlace(t *testing.T) {
	s := NewSweep(8, time.Second, NewNeighbours[int](1, 10), NewBacklog(10), 1)
	s.Add(1, true)
	tags := leave(&s, 0)
	s.Add(2, true)
	const second = int64(time.Second)
	for now := second; now <= 3*second; now += second {
		if tags = append(tags, leave(&s, now)...); targetOf(&s, tags[len(tags)-1]) != 1 || len(tags) != 1+int(now/second) {
			t.Fatalf("at %d s %d have left", now/second, len(tags))
		}
	}
	// By now the place is free, and it takes it again.
	next := leave(&s, 4*second)
	if len(next) != 1 || targetOf(&s, next[0]) != 1 {
		t.Fatalf("%d left", len(next))
	}
	// It answers, so that it waits no more, and leaves the place to the other.
	s.Settled(next[0], true)
	if next = leave(&s, 4*second); len(next) != 1 || targetOf(&s, next[0]) != 2 {
		t.Fatalf("%d left", len(next))
	}
	// What has answered needs no other place for its next probes.
	if next = leave(&s, 5*second); len(next) != 2 {
		t.Fatalf("%d left", len(next))
	}
}

// A target that holds a place needs no other: it is sent to as often as there is room, and so are those that a Sweep
// after this one has anew.
func TestSweepKnown(t *testing.T) {
	const second = int64(time.Second)
	for _, c := range []struct {
		name           string
		places, room   int
		targets, times int
		answers        bool
		want           int // probes that leave at once
	}{
		{"one that answers, many times", 1, 1, 1, 1000, true, 1000},
		{"one that does not", 1, 1000, 1, 1000, false, 1000},
		{"one that does not, with less room", 1, 7, 1, 1000, false, 7},
		{"a network that answers, again and again", 400, 10, 400, 50, true, 20_000},
		{"one that does not, with room", 400, 2000, 400, 4, false, 1600},
		{"one larger than the table", 400, 1000, 401, 2, true, 400},
	} {
		n, b := NewNeighbours[int](c.places, c.places), NewBacklog(c.room)
		left := 0
		for i := range c.times {
			s := NewSweep(1, time.Second, n, b, 1)
			now := second + int64(i)*int64(10*time.Millisecond)
			for target := range c.targets {
				s.Add(target, true)
				for _, tag := range leave(&s, now) {
					s.Settled(tag, c.answers)
					left++
				}
			}
			if !s.Done() {
				break
			}
		}
		if left != c.want {
			t.Errorf("%s: %d probes left at once, want %d", c.name, left, c.want)
		}
	}
}
