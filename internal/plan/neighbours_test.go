package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Hosts that do not answer have their places until the system has given them up, and no more than so many at a time.
func TestNeighboursWaiting(t *testing.T) {
	n := NewNeighbours(3, 5)
	start := int64(time.Hour)
	for range 3 {
		if at := n.Next(start); at != start {
			t.Fatalf("a place is free at %v", time.Duration(at))
		}
		n.Take(start)
	}
	at := n.Next(start)
	if wait := time.Duration(at - start); wait < MissingFor || wait > MissingFor+time.Duration(placeTick) {
		t.Errorf("all wait; the next place is free after %v", wait)
	}
	for range 3 {
		if n.Next(at) != at {
			t.Error("no place is free when it was to be")
		}
		n.Take(at)
	}
	if n.Next(at) == at {
		t.Error("a fourth place")
	}
}

// Hosts that answer make room for others that may not, until too many are known.
func TestNeighboursAnswered(t *testing.T) {
	n := NewNeighbours(3, 5)
	start := int64(time.Hour)
	for i := range 5 {
		if at := n.Next(start); at != start {
			t.Fatalf("place %d is free at %v", i, time.Duration(at))
		}
		n.Answered(n.Take(start))
	}
	at := n.Next(start)
	if wait := time.Duration(at - start); wait < presentFor || wait > presentFor+time.Duration(placeTick) {
		t.Errorf("all are known; the next place is free after %v", wait)
	}
	// An answer that comes when the place is free again takes one too.
	n = NewNeighbours(1, 1)
	until := n.Take(start)
	late := n.Next(start)
	n.Answered(until)
	if n.Next(late) == late {
		t.Error("the host that answered late has no place")
	}
}

// The places are as many as are told last.
func TestNeighboursResize(t *testing.T) {
	n := NewNeighbours(0, 0)
	if n.Next(0) != 0 {
		t.Error("there is always one place")
	}
	n.Take(0)
	if n.Next(0) == 0 {
		t.Error("there are two")
	}
	n.Resize(2, 2)
	if n.Next(0) != 0 {
		t.Error("there are not two")
	}
}

// Neighbours does what a list of places does that is searched from end to end.
func TestNeighboursModel(t *testing.T) {
	type place struct {
		until    int64
		answered bool
	}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		waiting, all := 1+random.IntN(20), 1+random.IntN(40)
		n := NewNeighbours(waiting, all)
		var model []place
		now := int64(0)
		for range 2000 {
			now += random.Int64N(int64(10 * time.Millisecond))
			if random.IntN(100) == 0 {
				now += random.Int64N(int64(2 * presentFor))
			}
			model = slices.DeleteFunc(model, func(p place) bool { return p.until/placeTick < now/placeTick })
			missing := 0
			for _, p := range model {
				if !p.answered {
					missing++
				}
			}
			free := missing < waiting && len(model) < all
			at := n.Next(now)
			if (at <= now) != free {
				t.Fatalf("seed %d: %d of %d wait, %d of %d in all: at %v, %v", seed, missing, waiting, len(model), all, now, at)
			}
			switch {
			case free:
				model = append(model, place{until: n.Take(now)})
			case random.IntN(4) == 0:
				now = at
			}
			if len(model) == 0 {
				continue
			}
			if p := &model[random.IntN(len(model))]; !p.answered && random.IntN(3) == 0 {
				p.until, p.answered = n.Answered(p.until), true
			}
		}
	}
}
