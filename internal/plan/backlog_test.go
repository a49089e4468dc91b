package plan

import (
	"testing"
	"time"
)

// What waits has room until the system has given its host up, or that answers. What is larger than all goes alone.
func TestBacklog(t *testing.T) {
	b := NewBacklog(10)
	const start = int64(time.Hour)
	for _, size := range []int{4, 6} {
		if at := b.Next(start, size); at != start {
			t.Fatalf("room for %d bytes at %v", size, time.Duration(at))
		}
		b.Take(start, size)
	}
	at := b.Next(start, 1)
	if wait := time.Duration(at - start); wait < MissingFor || wait > MissingFor+time.Duration(placeTick) {
		t.Errorf("it is full; there is room after %v", wait)
	}
	if b.Next(at, 11) != at {
		t.Error("nothing waits, and there is no room")
	}
	until := b.Take(at, 11)
	if b.Next(at, 1) == at {
		t.Error("there is more room than there is")
	}
	b.Answered(until, 11)
	if b.Next(at, 10) != at {
		t.Error("the host has answered, and there is no room")
	}
	late := b.Take(at, 3)
	end := b.Next(at, 10)
	b.Next(end, 10)
	b.Answered(late, 3)
	b.Take(end, 1)
	if b.Next(end, 10) == end {
		t.Error("a late answer has made room twice")
	}
}
