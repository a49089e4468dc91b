package plan

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// A Watch does what a list of targets does that is searched from end to end.
func TestWatchModel(t *testing.T) {
	type target struct {
		id, next, interval int64
		value, seq         int
		last               int64 // tag of its last probe, -1 for none
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		var w Watch[int]
		var model []*target
		var gone []int64 // tags of targets that have been removed or replaced
		remove := func(id int64) bool {
			i := slices.IndexFunc(model, func(m *target) bool { return m.id == id })
			if i < 0 {
				return false
			}
			if model[i].last >= 0 {
				gone = append(gone, model[i].last)
			}
			model = slices.Delete(model, i, i+1)
			return true
		}
		now := int64(0)
		for step := range 3000 {
			now += random.Int64N(3 * ms)
			id := random.Int64N(200) - 100
			switch random.IntN(8) {
			case 0, 1:
				interval := 1 + random.Int64N(1000*ms)
				remove(id)
				w.Add(id, time.Duration(interval), now, step)
				first := w.heap.at(w.byID[id].slot)
				if first < now || first > now+interval+4*ms {
					t.Fatalf("seed %d: added at %d with interval %d, first due at %d", seed, now, interval, first)
				}
				model = append(model, &target{id: id, next: first, interval: interval, value: step, last: -1})
			case 2:
				if got := w.Remove(id); got != remove(id) {
					t.Fatalf("seed %d: Remove(%d) is %v", seed, id, got)
				}
			default:
				tg, at, ok := w.Next()
				if ok != (len(model) > 0) {
					t.Fatalf("seed %d: %d targets, %v", seed, len(model), ok)
				}
				if !ok {
					continue
				}
				i := slices.IndexFunc(model, func(m *target) bool { return m.id == tg.ID })
				m := model[i]
				for _, other := range model {
					if other.next < at {
						t.Fatalf("seed %d: %d is due at %d, not %d at %d", seed, other.id, other.next, tg.ID, at)
					}
				}
				if at != m.next || tg.Value != m.value {
					t.Fatalf("seed %d: %+v at %d, want %+v", seed, *tg, at, *m)
				}
				now = max(now, at)
				m.last = tg.Tag()
				w.Sent(now)
				for m.next += m.interval; m.next < now; m.next += max(m.interval, (now-m.next)/m.interval*m.interval) {
				}
				m.seq++
			}
			for _, m := range model {
				if m.last < 0 {
					continue
				}
				if tg, seq, ok := w.Find(m.last); !ok || tg.ID != m.id || seq != m.seq-1 {
					t.Fatalf("seed %d: the last probe of %+v is number %d, %v", seed, *m, seq, ok)
				}
			}
			if len(w.heap.entries) != len(model) || len(w.byID) != len(model) {
				t.Fatalf("seed %d: %d, %d targets, want %d", seed, len(w.heap.entries), len(w.byID), len(model))
			}
		}
		for _, tag := range gone {
			if tg, seq, ok := w.Find(tag); ok {
				t.Fatalf("seed %d: a probe of a target that is gone is number %d of %+v", seed, seq, *tg)
			}
		}
	}
}

// A target keeps to its grid: lateness does not add up, and points that pass are left out.
func TestWatchGrid(t *testing.T) {
	var w Watch[string]
	w.Add(7, 100*time.Millisecond, 0, "a")
	_, first, _ := w.Next()
	if first%ms != 0 || first < 0 || first >= 100*ms {
		t.Fatalf("first at %d", first)
	}
	for _, r := range []struct{ late, next int64 }{ // ms after the first
		{0, 100}, {100, 200}, {250, 300}, {300, 400}, {599, 600}, {600, 700}, {1650, 1700},
	} {
		w.Sent(first + r.late*ms)
		tg, at, ok := w.Next()
		if !ok || at != first+r.next*ms || tg.Value != "a" {
			t.Fatalf("sent after %d ms, the next is due after %d, want %d", r.late, (at-first)/ms, r.next)
		}
	}
}

// Whatever the ids have in common, their targets spread over the interval, on whole milliseconds, the same each time.
func TestWatchSpread(t *testing.T) {
	const targets, parts = 10_000, 100
	for _, c := range []struct {
		name string
		id   func(i int64) int64
	}{
		{"one after another", func(i int64) int64 { return i }},
		{"below 0", func(i int64) int64 { return -i }},
		{"every 256th", func(i int64) int64 { return i << 8 }},
		{"high bits", func(i int64) int64 { return i << 48 }},
		{"decimal", func(i int64) int64 { return i * 1_000_000_007 }},
		{"like addresses", func(i int64) int64 { return 10<<24 | i%100<<16 | i/100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, interval := range []time.Duration{5 * time.Millisecond, 100 * time.Millisecond, time.Second, time.Hour} {
				coarse := coarseness(int64(interval))
				const now = 123_456_789
				var w, again Watch[int]
				var counts [parts]int
				for i := range int64(targets) {
					w.Add(c.id(i), interval, now, 0)
					again.Add(c.id(i), interval, now, 0)
				}
				for _, e := range w.heap.entries {
					if e.at < now || e.at >= now+int64(interval)+coarse || e.at%coarse != 0 {
						t.Fatalf("interval %v: first due after %v", interval, time.Duration(e.at-now))
					}
					if other := again.byID[w.target(e.slot).ID]; again.heap.at(other.slot) != e.at {
						t.Fatalf("interval %v: another share the second time", interval)
					}
					counts[min((e.at-now)*parts/int64(interval), parts-1)]++
				}
				// 100 in each, give or take 10 (standard deviation); and a part is a few of the coarse instants.
				if least := slices.Min(counts[1 : parts-1]); interval != 100*time.Millisecond && least < 50 {
					t.Errorf("interval %v: only %d in some hundredth", interval, least)
				}
				if most := slices.Max(counts[:]); interval != 100*time.Millisecond && most > 160 {
					t.Errorf("interval %v: %d in some hundredth", interval, most)
				}
			}
		})
	}
}

// What happens between Next and Sent does not send another target's probe.
func TestWatchChanged(t *testing.T) {
	var w Watch[int]
	for id := range int64(10) {
		w.Add(id, time.Second, 0, 0)
	}
	first, at, _ := w.Next()
	old := *first
	w.Remove(old.ID)
	w.Sent(at)
	for id, tg := range w.byID {
		if tg.seq != 0 {
			t.Errorf("a probe of %d has left, not of %d", id, old.ID)
		}
	}
	w.Add(old.ID, time.Second, 0, 1)
	if first, _, _ = w.Next(); first.ID != old.ID || first.Tag() == old.Tag() {
		t.Errorf("%+v comes first, want %d; its tag was %d", first, old.ID, old.Tag())
	}
	w.Add(old.ID, time.Second, 0, 2) // replaced
	w.Sent(at)
	if first, _, _ = w.Next(); first.seq != 0 || first.Value != 2 {
		t.Errorf("%+v", first)
	}
	w.Sent(at)
	w.Sent(at) // once more
	if _, seq, ok := w.Find(first.Tag() - 1); !ok || seq != 0 || first.seq != 1 {
		t.Errorf("the first probe is number %d, %v, of %d", seq, ok, first.seq)
	}
}

// The number of a probe comes out right however long a target runs, for the last half million of them.
func TestWatchLongRun(t *testing.T) {
	const kept = 1 << seqBits
	var w Watch[int]
	w.Add(1, time.Millisecond, 0, 0)
	w.Add(2, time.Millisecond, 0, 0)
	tg := w.byID[2]
	for _, start := range []int{0, 1, kept - 2, kept, 5*kept - 1, math.MaxInt / 2} {
		tg.seq = start
		var tags []int64
		for n := range 5 {
			tags = append(tags, tg.Tag())
			tg.seq++
			for k, tag := range tags {
				if got, seq, ok := w.Find(tag); !ok || got != tg || seq != start+k {
					t.Fatalf("from %d on, after %d: probe %d is number %d, %v", start, n, k, seq, ok)
				}
			}
		}
		if start == 0 {
			continue
		}
		tg.seq = start + kept // the oldest that is still known
		if _, seq, ok := w.Find(tags[0]); !ok || seq != start {
			t.Errorf("from %d on, much later: number %d, %v", start, seq, ok)
		}
	}
}

// A tag that no probe had is refused.
func TestWatchFindNothing(t *testing.T) {
	var w Watch[int]
	for _, tag := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		if _, _, ok := w.Find(tag); ok {
			t.Errorf("without targets: found %d", tag)
		}
	}
	w.Add(1, time.Second, 0, 0)
	tg, _, _ := w.Next()
	next := tg.Tag()
	for _, tag := range []int64{next, next + 1, -1, math.MaxInt64, math.MinInt64, next + 1<<seqBits} {
		if _, seq, ok := w.Find(tag); ok {
			t.Errorf("before the first probe: found %d as number %d", tag, seq)
		}
	}
	w.Sent(0)
	if _, _, ok := w.Find(next); !ok {
		t.Error("the first probe is not found")
	}
	for range 1<<generationBits - 1 {
		w.Remove(1)
		w.Add(1, time.Second, 0, 0)
		w.byID[1].seq = 1
		if _, _, ok := w.Find(next); ok {
			t.Fatal("found after it was replaced")
		}
	}
}

// A Watch of many targets is small, and works without allocation.
func TestWatchLean(t *testing.T) {
	for _, c := range []struct{ targets, most int }{{10_000, 2_000_000}, {100_000, 15_000_000}} {
		before := heapInUse()
		w := new(Watch[*int])
		for id := range int64(c.targets) {
			w.Add(id, time.Second, 0, nil)
		}
		used := heapInUse() - before
		t.Logf("%d targets: %d bytes, %d each", c.targets, used, used/c.targets)
		if used > c.most {
			t.Errorf("%d targets: %d bytes, want %d at most", c.targets, used, c.most)
		}
		if n := testing.AllocsPerRun(1000, func() {
			tg, at, _ := w.Next()
			tag := tg.Tag()
			w.Sent(at)
			w.Find(tag)
		}); n > 0 {
			t.Errorf("%v allocations for a probe", n)
		}
		if n := testing.AllocsPerRun(1000, func() {
			w.Remove(5)
			w.Add(5, time.Minute, 0, nil)
		}); n > 0 {
			t.Errorf("%v allocations to replace a target", n)
		}
		runtime.KeepAlive(w)
	}
}

func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// BenchmarkWatch is one probe of one of 10,000 targets: Next, Sent and Find.
func BenchmarkWatch(b *testing.B) {
	var w Watch[*int]
	for id := range int64(10_000) {
		w.Add(id, time.Second, 0, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		t, at, _ := w.Next()
		tag := t.Tag()
		w.Sent(at)
		if _, _, ok := w.Find(tag); !ok {
			b.Fatal("not found")
		}
	}
}
