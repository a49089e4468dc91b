package plan

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A router is one distance of a path.
type router struct {
	outcome Outcome // of what it answers
	delay   int64
	mute    int // how many probes it leaves unanswered first
	burst   int // how many ICMP errors it has at once, and one a second more; 0: no limit
	tokens  float64
	last    int64
}

// answer is what becomes of the nth probe.
func (r *router) answer(_ TraceProbe, nth int, now int64) (Outcome, int64) {
	if r.outcome == Silent || nth < r.mute || r.delay >= timeout {
		return Silent, timeout
	}
	if r.burst > 0 {
		r.tokens = min(r.tokens+float64(now-r.last)/float64(time.Second), float64(r.burst))
		r.last = now
		if r.tokens < 1 {
			return Silent, timeout
		}
		r.tokens--
	}
	return r.outcome, r.delay
}

// randomPath returns as many routers as a path has, from distance 1 on, to where it ends or far beyond what is tried.
func randomPath(random *rand.Rand, count int) []router {
	path := make([]router, 1+random.IntN(40))
	least := 1 + random.Int64N(60*ms)
	for i := range path {
		r := &path[i]
		r.delay = least + random.Int64N(4*least) // no answer takes ten times as long as another
		r.outcome = InTransit
		switch random.IntN(8) {
		case 0, 1:
			r.outcome = Silent
		case 2:
			r.burst = 1 + random.IntN(6)
			r.tokens = float64(r.burst)
		case 3:
			r.mute = count // only what is sent again is answered
		}
	}
	end := &path[len(path)-1]
	*end = router{delay: end.delay}
	switch random.IntN(4) {
	case 0:
		end.outcome = Refused
	case 1, 2:
		end.outcome = Answered
	default: // what follows is silence
		path = append(path, make([]router, 60)...)
	}
	return path
}

// A thousand paths are found as they are, from hop to hop, in a time that their silence explains.
func TestTracePaths(t *testing.T) {
	retried := map[bool]int{}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		count, first, most, gap := 1+random.IntN(6), 1, 30, 0
		if random.IntN(2) == 0 {
			first = 1 + random.IntN(10)
		}
		if random.IntN(2) == 0 {
			gap = 1 + random.IntN(8)
		}
		interval := time.Duration(random.Int64N(2)) * time.Second
		path := randomPath(random, count)

		end, silent := first, 0 // silent ones in a row until there
		farthest := 0
		for d := first; d <= min(most, len(path)); d++ {
			end = d
			r := &path[d-1]
			if r.outcome == Silent || r.mute > 0 {
				silent++
			} else {
				silent, farthest = 0, d
			}
			if silent == gap && gap > 0 || r.outcome == Answered || r.outcome == Refused {
				break
			}
		}
		if first > len(path) { // the target is nearer, and answers all
			continue
		}

		w := walk{trace: newTrace(count, first, most, gap, interval)}
		w.answer = func(p TraceProbe, nth int, now int64) (Outcome, int64) {
			if p.Distance < first || p.Distance > most || p.Seq >= count {
				t.Fatalf("seed %d: probe %+v", seed, p)
			}
			if p.Distance > len(path) {
				return path[len(path)-1].outcome, path[len(path)-1].delay // that which is nearer
			}
			return path[p.Distance-1].answer(p, nth, now)
		}
		w.run(t)

		if len(w.taken) != end-first+1 || w.taken[0] != first {
			t.Fatalf("seed %d: hops %v, want %d to %d", seed, w.taken, first, end)
		}
		for d := first; d <= end; d++ {
			r := &path[d-1]
			answered := r.outcome != Silent && r.mute == 0
			again := 0
			for _, s := range w.sent {
				if s.Distance == d {
					again++
				}
			}
			again -= count
			if again < 0 || again > maxRetries || answered && r.burst == 0 && again > 0 {
				t.Errorf("seed %d, hop %d: %d sent again", seed, d, again)
			}
			met := false
			for seq := range count {
				o, known := w.outcomes[TraceProbe{d, seq}]
				if !known || o != Silent && o != r.outcome || o == Silent && answered && r.burst == 0 {
					t.Errorf("seed %d, hop %d, probe %d: outcome %d, %v", seed, d, seq, o, known)
				}
				met = met || o != Silent
			}
			switch {
			case r.mute > 0 && d < farthest: // found by its retry, if there is time for that
				retried[met]++
			case met != answered:
				t.Errorf("seed %d, hop %d of %d: answered %v, want %v", seed, d, end, met, answered)
			}
		}
		limit := int64(most)*stride + int64(patience) + int64(count)*(timeout+int64(interval)) +
			maxRetries*(limitPause+timeout)
		if gap > 0 { // each distance may wait for one that answers
			limit += int64(most) * timeout
		}
		if w.now > limit {
			t.Errorf("seed %d: it took %v, more than %v", seed, time.Duration(w.now), time.Duration(limit))
		}
	}
	if retried[true] < retried[false] {
		t.Errorf("retries found so many routers, and came too late for others: %v", retried)
	}
}

// pathEnd is where a path ends by the outcomes so far, which are those of all probes up to there.
func pathEnd(outcomes map[TraceProbe]Outcome, first, most, gap int) (end int, refused bool) {
	end = most
	passed, farthest, refusals := first-1, first-1, map[int]bool{}
	for p, o := range outcomes {
		if o != Silent {
			farthest = max(farthest, p.Distance)
		}
		switch o {
		case Silent:
		case Answered:
			end = min(end, p.Distance)
		case InTransit:
			passed = max(passed, p.Distance)
		default:
			refusals[p.Distance] = true
		}
	}
	for p, o := range outcomes {
		if o == Answered && p.Distance == end {
			return end, false
		}
	}
	for d := passed + 1; d <= most; d++ {
		if refusals[d] {
			return d, true
		}
	}
	if gap > 0 {
		end = min(end, farthest+gap)
	}
	return end, false
}

// FuzzTrace: whatever becomes of each probe, and whenever, hops come in order, whole, and to an end; nothing is sent
// more often than it may be, nor beyond the end; and the last hop is the first where the path ends.
func FuzzTrace(f *testing.F) {
	f.Add(3, 1, 30, 0, int64(time.Second), []byte{})
	f.Add(3, 1, 30, 0, int64(time.Second), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(1, 1, 255, 0, int64(1), []byte{1})
	f.Add(3, 1, 9, 0, int64(0), []byte{0x10, 0x21, 0x32, 0x03, 0x14, 0xff, 0xf0})
	f.Add(10, 1, 4, 0, int64(time.Minute), []byte{0x81, 0x80, 0x80, 0x80})
	f.Add(2, 3, 30, 4, int64(time.Second), []byte{0x81, 0x87, 0x80, 0x85, 0x16, 0x06})
	f.Add(8, 1, 30, 0, int64(1784*time.Millisecond), []byte{51, 70, 198, 19, 154, 147}) // each refuses some
	f.Fuzz(func(t *testing.T, count, first, most, gap int, interval int64, script []byte) {
		if count < 1 || count > 20 || first < 1 || first > most || most > 255 || gap < 0 || gap > 255 ||
			interval < 0 || interval > int64(time.Hour) {
			t.Skip("refused by the options")
		}
		sent := map[TraceProbe]int{}
		turn := 0
		w := walk{trace: newTrace(count, first, most, gap, time.Duration(interval))}
		w.answer = func(p TraceProbe, _ int, now int64) (Outcome, int64) {
			end, refused := pathEnd(w.outcomes, first, most, gap)
			if refused {
				end++ // to see whether something is there
			}
			if p.Distance < first || p.Distance > end || p.Seq < 0 || p.Seq >= count {
				t.Fatalf("probe %+v, the path ends at %d", p, end)
			}
			sent[p]++
			what := byte(0)
			if len(script) > 0 {
				what = script[turn%len(script)]
			}
			turn++
			after := int64(what>>3) * 10 * ms
			switch what & 7 {
			case 0, 1, 2:
				return InTransit, after
			case 3:
				return Refused, after
			case 4:
				return Answered, after
			}
			return Silent, timeout
		}
		w.run(t)
		final, _ := pathEnd(w.outcomes, first, most, gap)
		if len(w.taken) != final-first+1 {
			t.Errorf("hops %v, want %d to %d", w.taken, first, final)
		}
		for i, d := range w.taken {
			if d != first+i {
				t.Errorf("hop %d has distance %d", i, d)
			}
			again := 0
			for seq := range count {
				o, known := w.outcomes[TraceProbe{d, seq}]
				if !known || o == Answered && d != final {
					t.Errorf("hop %d of %d, probe %d: outcome %d, %v", d, final, seq, o, known)
				}
				again += sent[TraceProbe{d, seq}] - 1
			}
			if again < 0 || again > maxRetries {
				t.Errorf("hop %d: %d probes were sent again", d, again)
			}
		}
		// Each hop takes a timeout for its probes and each retry, and all go on together, unless each is waited for: to
		// see whether a gap ends there, or whether something answers beyond a refusal.
		limit := int64(most)*stride + int64(count)*int64(patience) + maxRetries*(limitPause+timeout) + int64(count)*interval
		if gap > 0 || slices.Contains(slices.Collect(maps.Values(w.outcomes)), Refused) {
			limit *= int64(most)
		}
		if w.now > limit {
			t.Errorf("it took %v, more than %v", time.Duration(w.now), time.Duration(limit))
		}
	})
}
