package ping

import (
	"math/rand/v2"
	"testing"
)

func TestWindow(t *testing.T) {
	w := window{limit: 1000, most: 1000}
	const slice = windowSlice
	first := w.add(600)
	if w.full() {
		t.Error("full with 600 of 1000")
	}
	second := w.add(400)
	if !w.full() {
		t.Error("not full with 1000 of 1000")
	}
	w.remove(first, 600)
	if w.full() || w.total != 400 {
		t.Errorf("after an answer: %d", w.total)
	}
	w.advance((windowSlices - 1) * slice)
	if w.total != 400 {
		t.Errorf("within the span: %d", w.total)
	}
	w.advance(windowSlices * slice)
	if w.total != 0 {
		t.Errorf("after the span: %d", w.total)
	}
	w.remove(second, 400) // answered when it is counted no more
	if w.total != 0 {
		t.Errorf("taken out twice: %d", w.total)
	}
	w.add(1000)
	w.advance(1000 * slice)
	if w.total != 0 || w.next() != 1001*slice {
		t.Errorf("long after: %d, next %d", w.total, w.next())
	}
	w.advance(0) // the past changes nothing
	if w.next() != 1001*slice {
		t.Errorf("next %d", w.next())
	}
	for range 10 {
		w.dropped(true)
	}
	if w.limit != 4*cost(0) {
		t.Errorf("limit %d after drops", w.limit)
	}
	for range 100 {
		w.dropped(false)
	}
	if w.limit != w.most && w.limit != 4*cost(0) {
		t.Errorf("limit %d at last", w.limit)
	}
}

// The total is what a list of the probes adds up to.
func TestWindowAgainstList(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	w := window{limit: 1 << 20}
	type entry struct {
		slice int64
		cost  int
	}
	var list []entry
	now := int64(0)
	for range 20_000 {
		switch r.IntN(3) {
		case 0:
			now += int64(r.IntN(int(2 * windowSlice)))
			w.advance(now)
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
			if now/windowSlice-e.slice < windowSlices {
				want += e.cost
			}
		}
		if w.total != want {
			t.Fatalf("total %d, want %d", w.total, want)
		}
	}
}
