package plan

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Hosts that do not answer have their places until the system has given them up, and no more than so many at a time.
func TestNeighboursWaiting(t *testing.T) {
	n := NewNeighbours[int](3, 5)
	start := int64(time.Hour)
	for host := range 3 {
		if at := n.Next(host, start); at != start {
			t.Fatalf("a place is free at %v", time.Duration(at))
		}
		n.Take(host, start)
	}
	at := n.Next(3, start)
	if wait := time.Duration(at - start); wait < MissingFor || wait > MissingFor+time.Duration(placeTick) {
		t.Errorf("all wait; the next place is free after %v", wait)
	}
	for host := 3; host < 6; host++ {
		if n.Next(host, at) != at {
			t.Error("no place is free when it was to be")
		}
		n.Take(host, at)
	}
	if n.Next(6, at) == at {
		t.Error("a fourth place")
	}
}

// Hosts that answer make room for others that may not, until too many are known.
func TestNeighboursAnswered(t *testing.T) {
	n := NewNeighbours[int](3, 5)
	start := int64(time.Hour)
	for host := range 5 {
		if at := n.Next(host, start); at != start {
			t.Fatalf("place %d is free at %v", host, time.Duration(at))
		}
		n.Take(host, start)
		n.Answered(host, start)
	}
	at := n.Next(5, start)
	if wait := time.Duration(at - start); wait < presentFor || wait > presentFor+time.Duration(placeTick) {
		t.Errorf("all are known; the next place is free after %v", wait)
	}
	// An answer that comes when the place is free again takes one too.
	n = NewNeighbours[int](1, 1)
	n.Take(0, start)
	late := n.Next(1, start)
	n.Next(1, late)
	n.Answered(0, start)
	if n.Next(1, late) == late {
		t.Error("the host that answered late has no place")
	}
}

// A host has one place, which is held anew by each probe to it, and by each answer.
func TestNeighboursHeldAnew(t *testing.T) {
	const start, second = int64(time.Hour), int64(time.Second)
	type step struct {
		after  time.Duration
		answer bool // to what left then
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  time.Duration // when the place comes free
	}{
		{"asked for once", []step{{0, false}}, MissingFor},
		{"and once more", []step{{0, false}, {2 * time.Second, false}}, 2*time.Second + MissingFor},
		{"answers", []step{{0, true}}, presentFor},
		{"twice", []step{{0, true}, {30 * time.Second, true}}, 30*time.Second + presentFor},
		{"out of order", []step{{3 * time.Second, true}, {0, true}}, 3*time.Second + presentFor},
		{"and is there no more", []step{{0, true}, {30 * time.Second, false}}, presentFor},
		{"and leaves late", []step{{0, true}, {49 * time.Second, false}}, 49*time.Second + goneFor},
		{"answers late", []step{{0, false}, {time.Second, true}}, time.Second + presentFor},
		{"asked for in vain, given up, and again", []step{{0, false}, {9 * time.Second, false}}, 9*time.Second + MissingFor},
	} {
		n := NewNeighbours[string](1, 1)
		for _, s := range c.steps {
			now := start + int64(s.after)
			if at := n.Next("host", now); at != now {
				t.Errorf("%s: a place for it at %v", c.name, time.Duration(at-start))
			}
			n.Take("host", now)
			if s.answer {
				n.Answered("host", now)
			}
		}
		now := start + int64(c.steps[len(c.steps)-1].after)
		free := time.Duration(n.Next("other", now) - start)
		if free < c.want || free > c.want+time.Duration(placeTick) {
			t.Errorf("%s: free at %v, want %v", c.name, free, c.want)
		}
		if len(n.hosts) != 1 || n.missing.total+n.present.total != 1 {
			t.Errorf("%s: %d hosts, %d places", c.name, len(n.hosts), n.missing.total+n.present.total)
		}
		n.Next("other", now+placeTicks*second)
		n.Take("other", now+placeTicks*second)
		if _, known := n.hosts["host"]; known {
			t.Errorf("%s: more hosts than places", c.name)
		}
	}
}

// The places are as many as are told last.
func TestNeighboursResize(t *testing.T) {
	n := NewNeighbours[int](0, 0)
	if n.Next(0, 0) != 0 {
		t.Error("there is always one place")
	}
	n.Take(0, 0)
	if n.Next(1, 0) == 0 {
		t.Error("there are two")
	}
	n.Resize(2, 2)
	if n.Next(1, 0) != 0 {
		t.Error("there are not two")
	}
}

// Neighbours does what a table of hosts does that is searched from end to end, and remembers no more
// than it has places.
func TestNeighboursModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		waiting, all, hosts := 1+random.IntN(20), 1+random.IntN(40), 1+random.IntN(200)
		n := NewNeighbours[int](waiting, all)
		model, sent := make(map[int]place), make(map[int]int64)
		now := int64(0)
		for range 2000 {
			now += random.Int64N(int64(10 * time.Millisecond))
			if random.IntN(100) == 0 {
				now += random.Int64N(int64(2 * presentFor))
			}
			missing := 0
			for host, p := range model {
				if p.until/placeTick < now/placeTick {
					delete(model, host)
				} else if !p.answered {
					missing++
				}
			}
			host := random.IntN(hosts)
			p, held := model[host]
			free := held || missing < waiting && len(model) < all
			at := n.Next(host, now)
			if (at <= now) != free {
				t.Fatalf("seed %d: %d of %d wait, %d of %d in all, %v: at %v, %v",
					seed, missing, waiting, len(model), all, held, now, at)
			}
			switch {
			case free && p.answered:
				model[host] = place{max(p.until, now+int64(goneFor)), true}
			case free:
				model[host] = place{now + int64(MissingFor), false}
			case random.IntN(4) == 0:
				now = at
				continue
			default:
				continue
			}
			sent[host] = now
			if n.Take(host, now); random.IntN(3) == 0 {
				host = random.IntN(hosts)
				if p, held := model[host]; held {
					model[host] = place{max(p.until, sent[host]+int64(presentFor)), true}
					n.Answered(host, sent[host])
				}
			}
			if len(n.hosts) > all {
				t.Fatalf("seed %d: %d hosts, of %d places", seed, len(n.hosts), all)
			}
		}
	}
}

// A probe to a neighbour allocates nothing, to one that has a place or to others in turn.
func TestNeighboursAllocs(t *testing.T) {
	for _, hosts := range []int{1, 1000} {
		n := NewNeighbours[int](100, 100)
		now, host := int64(0), 0
		probe := func() {
			host = (host + 1) % hosts
			now = n.Next(host, now)
			n.Take(host, now)
			n.Answered(host, now)
		}
		for range 4 * hosts {
			probe()
		}
		if got := testing.AllocsPerRun(4*hosts, probe); got != 0 {
			t.Errorf("%d hosts: %v allocations", hosts, got)
		}
	}
}
