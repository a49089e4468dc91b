package engine

import (
	"math/rand/v2"
	"testing"
)

// What is taken is what was pushed, in order, whatever is taken and pushed meanwhile.
func TestFifo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q fifo[int]
	pushed, taken := 0, 0
	for step := range 10_000 {
		if step%2000 < 1000 { // grows, then shrinks
			for range r.IntN(20) {
				q.push(pushed)
				pushed++
			}
		}
		list := make([]int, r.IntN(20))
		n := q.pop(list)
		for _, item := range list[:n] {
			if item != taken {
				t.Fatalf("took %d, want %d", item, taken)
			}
			taken++
		}
		if q.len() != pushed-taken || n < len(list) && q.len() > 0 {
			t.Fatalf("%d left after %d of %d, want %d", q.len(), n, len(list), pushed-taken)
		}
		if q.len() == 0 && cap(q.items) > maxIdle {
			t.Fatalf("an empty queue keeps %d items", cap(q.items))
		}
	}
	if pushed < 1000 {
		t.Fatal("nearly nothing was pushed")
	}
}
