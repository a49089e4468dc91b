package flight

import (
	"math/rand/v2"
	"testing"
)

func TestWindow(t *testing.T) {
	w := window{limit: 1000, most: 1000}
	first := w.add(600)
	if w.full(false) {
		t.Error("full with 600 of 1000")
	}
	second := w.add(400)
	if !w.full(false) {
		t.Error("not full with 1000 of 1000")
	}
	w.remove(second, 200)
	if w.full(false) || w.full(true) {
		t.Errorf("full with %d of 1000", w.total)
	}
	w.add(200 - 125)
	if w.full(false) || !w.full(true) {
		t.Errorf("%d of 1000 is full for bulk alone", w.total)
	}
	w.add(125)
	w.remove(first, 600)
	if w.full(false) || w.total != 400 {
		t.Errorf("after an answer: %d", w.total)
	}
	for i := range windowSlices {
		if w.total != 400 {
			t.Errorf("seen empty %d times: %d", i, w.total)
		}
		w.drained(w.next())
	}
	if w.total != 0 {
		t.Errorf("seen empty often enough: %d", w.total)
	}
	w.remove(second, 400) // answered when it is counted no more
	if w.total != 0 {
		t.Errorf("taken out twice: %d", w.total)
	}

	// However much time passes, what nobody has read may be in the buffer.
	w.add(1000)
	w.drained(1000 * windowSlice)
	for range 10 {
		w.drained(1000*windowSlice + windowSlice - 1)
	}
	if w.total != 1000 || w.next() != 1001*windowSlice {
		t.Errorf("long after: %d, next %d", w.total, w.next())
	}
	w.drained(0) // the past changes nothing
	if w.next() != 1001*windowSlice {
		t.Errorf("next %d", w.next())
	}
}

// What is dropped narrows the window, to room for four messages or what there is at most, and time without drops
// opens it again.
func TestWindowNarrows(t *testing.T) {
	for _, c := range []struct{ most, least int }{{1 << 20, 4 * MessageCost(0)}, {1000, 1000}} {
		w := window{limit: c.most, most: c.most}
		for range 20 {
			if w.dropped(true); w.limit > c.most {
				t.Fatalf("limit %d of %d after drops", w.limit, c.most)
			}
		}
		if w.limit != c.least {
			t.Errorf("limit %d after drops, want %d", w.limit, c.least)
		}
		for range 100 {
			w.dropped(false)
		}
		if w.limit != c.most {
			t.Errorf("limit %d at last, want %d", w.limit, c.most)
		}
	}
}

// The total is what a list of the probes of the last slices adds up to.
func TestWindowAgainstList(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	w := window{limit: 1 << 20}
	type entry struct {
		slice uint32
		cost  int
	}
	var list []entry
	now, began, slices := int64(0), int64(0), uint32(0)
	for range 20_000 {
		switch r.IntN(3) {
		case 0:
			now += int64(r.IntN(int(2 * windowSlice)))
			w.drained(now)
			if now-began >= windowSlice {
				began = now
				slices++
			}
		case 1:
			e := entry{cost: 1 + r.IntN(1000)}
			e.slice = w.add(e.cost)
			list = append(list, e)
		case 2:
			if len(list) > 0 {
				i := r.IntN(len(list))
				w.remove(list[i].slice, list[i].cost)
				list[i] = list[len(list)-1]
				list = list[:len(list)-1]
			}
		}
		want := 0
		for _, e := range list {
			if slices-e.slice < windowSlices {
				want += e.cost
			}
		}
		if w.total != want {
			t.Fatalf("total %d, want %d", w.total, want)
		}
	}
}
