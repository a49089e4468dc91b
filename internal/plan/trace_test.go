package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const timeout = 1000 * ms

// newTrace returns a Trace whose probes wait for timeout.
func newTrace(count, first, most, gap int, interval time.Duration) *Trace {
	return NewTrace(count, first, most, gap, interval, time.Duration(timeout))
}

// A departure is one probe as it left.
type departure struct {
	TraceProbe
	at int64
}

// A walk is a Trace on its way, in time of its own.
type walk struct {
	trace *Trace
	now   int64
	// answer says what becomes of the probe, the nth that was sent to its distance, from 0, and how long that takes.
	answer   func(p TraceProbe, nth int, now int64) (Outcome, int64)
	sent     []departure
	outcomes map[TraceProbe]Outcome
	taken    []int // distances
	inFlight []settlement
}

// A settlement is what will become of a probe: the outcome, unless that takes longer than the probe waits.
type settlement struct {
	probe   TraceProbe
	outcome Outcome
	sent    int64
	after   int64 // how long until the outcome
	wait    int64
}

// at is when the probe is settled.
func (s *settlement) at() int64 {
	if s.outcome == Silent {
		return s.sent + s.wait
	}
	return s.sent + min(s.after, s.wait)
}

// run goes on to the end.
func (w *walk) run(t testing.TB) {
	t.Helper()
	w.outcomes = map[TraceProbe]Outcome{}
	sentTo := map[int]int{}
	for turn := 0; ; turn++ {
		for d, ok := w.trace.Take(); ok; d, ok = w.trace.Take() {
			w.taken = append(w.taken, d)
		}
		if w.trace.Done() {
			return
		}
		first, waits := -1, w.trace.Waits()
		for i := range w.inFlight {
			s := &w.inFlight[i]
			s.wait = min(s.wait, int64(waits(s.probe.Distance)))
			if first < 0 || s.at() < w.inFlight[first].at() {
				first = i
			}
		}
		p, at, ok := w.trace.Next(w.now)
		switch {
		case turn > 1_000_000:
			t.Fatal("it does not end")
		case ok && (first < 0 || at <= w.inFlight[first].at()):
			w.now = max(w.now, at)
			wait := int64(waits(p.Distance))
			w.trace.Sent(w.now)
			w.sent = append(w.sent, departure{p, w.now})
			o, after := w.answer(p, sentTo[p.Distance], w.now)
			sentTo[p.Distance]++
			w.inFlight = append(w.inFlight, settlement{p, o, w.now, after, wait})
		case first >= 0:
			s := w.inFlight[first]
			w.inFlight = slices.Delete(w.inFlight, first, first+1)
			w.now = max(w.now, s.at())
			if s.after > s.wait {
				s.outcome = Silent
			}
			w.outcomes[s.probe] = s.outcome
			w.trace.Settled(s.probe, s.outcome, min(s.after, s.wait))
		default:
			t.Fatalf("it hangs after %d hops", len(w.taken))
		}
	}
}

// routers answers as the map says, by distance, after 1 ms; what is not in it is silent.
func routers(m map[int]Outcome) func(TraceProbe, int, int64) (Outcome, int64) {
	return func(p TraceProbe, _ int, _ int64) (Outcome, int64) {
		if o := m[p.Distance]; o != Silent {
			return o, ms
		}
		return Silent, timeout
	}
}

// When each probe leaves.
func TestTracePace(t *testing.T) {
	for _, c := range []struct {
		name     string
		trace    *Trace
		answer   func(TraceProbe, int, int64) (Outcome, int64)
		distance int // whose probes are looked at; 0: those with number 0 of all
		want     []int64
	}{
		{"silence", newTrace(1, 1, 8, 0, time.Second), routers(nil), 0, []int64{0, 0, 0, 0, 30, 60, 90, 120}},
		{"silence, from the third on", newTrace(1, 3, 8, 0, time.Second), routers(nil), 0, []int64{0, 0, 0, 0, 30, 60}},
		{"a gap of 2", newTrace(1, 1, 8, 2, time.Second), routers(map[int]Outcome{1: InTransit}), 0, []int64{0, 0, 1}},
		{
			"answers go ahead", newTrace(1, 1, 10, 0, time.Second),
			routers(map[int]Outcome{1: InTransit, 2: InTransit, 3: InTransit, 7: Answered}), 0,
			[]int64{0, 0, 0, 0, 1, 1, 1}, // 4, 5 and 6 are not waited for
		},
		{
			"answered probes follow one another", newTrace(3, 1, 1, 0, time.Second),
			routers(map[int]Outcome{1: InTransit}), 1, []int64{0, 1, 2},
		},
		{"unanswered ones do after 50 ms", newTrace(3, 1, 1, 0, time.Second), routers(nil), 1, []int64{0, 50, 100}},
		{
			"the fourth keeps the interval", newTrace(5, 1, 1, 0, 200*time.Millisecond),
			routers(map[int]Outcome{1: Answered}), 1, []int64{0, 1, 2, 202, 402},
		},
		{
			"but not one of 0", newTrace(5, 1, 1, 0, 0),
			routers(nil), 1, []int64{0, 50, 100, 150, 200},
		},
		{
			"a limited router gets one more", newTrace(2, 1, 1, 0, time.Second),
			func(_ TraceProbe, nth int, _ int64) (Outcome, int64) {
				if nth == 0 {
					return InTransit, ms
				}
				return Silent, timeout
			}, 1, []int64{0, 1, 1101}, // and none after that, for it was not answered either
		},
		{
			"and a second if the first is answered", newTrace(4, 1, 1, 0, 0),
			func(_ TraceProbe, nth int, _ int64) (Outcome, int64) {
				if nth == 0 || nth > 3 {
					return Refused, ms
				}
				return Silent, timeout
			}, 1, []int64{0, 1, 51, 101, 1201, 2301},
		},
		{
			"a target does not", newTrace(2, 1, 1, 0, time.Second),
			func(_ TraceProbe, nth int, _ int64) (Outcome, int64) {
				if nth == 0 {
					return Answered, ms
				}
				return Silent, timeout
			}, 1, []int64{0, 1},
		},
		{
			"a silent router with one behind it does, if there is time", newTrace(1, 1, 3, 0, time.Second),
			routers(map[int]Outcome{2: InTransit}), 1, []int64{0, 1100},
		},
		{
			"but not otherwise", newTrace(3, 1, 2, 0, time.Second),
			routers(map[int]Outcome{2: InTransit}), 1, []int64{0, 25, 50},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := walk{trace: c.trace, answer: c.answer}
			w.run(t)
			var got []int64
			for _, d := range w.sent {
				if d.Distance == c.distance || c.distance == 0 && d.Seq == 0 {
					got = append(got, d.at/ms)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("probes leave at %v ms, want %v", got, c.want)
			}
		})
	}
}

// Where a Trace ends.
func TestTraceEnd(t *testing.T) {
	transit := func(distances ...int) map[int]Outcome {
		m := map[int]Outcome{}
		for _, d := range distances {
			m[d] = InTransit
		}
		return m
	}
	for _, c := range []struct {
		name             string
		first, most, gap int
		path             map[int]Outcome
		ends             map[int]Outcome
		from, to         int
	}{
		{"at the target", 1, 30, 0, transit(1, 2, 3), map[int]Outcome{4: Answered, 5: Answered, 6: Answered}, 1, 4},
		{"at a refusal", 1, 30, 0, transit(1, 2), map[int]Outcome{3: Refused}, 1, 3},
		{"at a refusal that all get", 1, 30, 0, transit(1, 2), map[int]Outcome{3: Refused, 4: Refused, 5: Refused}, 1, 3},
		{"at a refusal at the most", 1, 3, 0, transit(1, 2), map[int]Outcome{3: Refused}, 1, 3},
		{"at the last refusal", 1, 30, 0, transit(1, 3), map[int]Outcome{2: Refused, 4: Refused}, 1, 4},
		{"not at a refusal in passing", 1, 30, 0, transit(1, 2, 4, 5), map[int]Outcome{3: Refused, 6: Answered}, 1, 6},
		{"not where the target answers next", 1, 30, 0, transit(1, 2), map[int]Outcome{3: Refused, 4: Answered}, 1, 4},
		{"where it is too big", 1, 30, 0, transit(1), map[int]Outcome{2: TooBig}, 1, 2},
		{"at the most", 1, 9, 0, transit(1, 2), nil, 1, 9},
		{"at one", 1, 1, 0, nil, nil, 1, 1},
		{"not at the first", 5, 30, 0, transit(1, 2, 3, 5, 6), map[int]Outcome{7: Answered}, 5, 7},
		{"before the first", 5, 30, 0, transit(1), map[int]Outcome{2: Answered, 5: Answered, 6: Answered}, 5, 5},
		{"nowhere", 5, 4, 0, nil, nil, 5, 4},
		{"after a gap at the beginning", 1, 30, 3, nil, nil, 1, 3},
		{"after a gap at a later beginning", 4, 30, 3, nil, nil, 4, 6},
		{"after a gap", 1, 30, 3, transit(1, 2, 5, 9), nil, 1, 8},
		{"after a gap of one", 1, 30, 1, transit(1, 2, 4), nil, 1, 3},
		{"after the second gap", 1, 30, 4, transit(1, 5), nil, 1, 9},
		{"before the gap is full", 1, 30, 4, transit(1, 2), map[int]Outcome{6: Answered}, 1, 6},
		{"at the most, with a gap", 1, 7, 6, transit(1, 2), nil, 1, 7},
		{"after a long gap", 1, 60, 40, transit(1), nil, 1, 41},
	} {
		t.Run(c.name, func(t *testing.T) {
			for d, o := range c.ends {
				c.path[d] = o
			}
			for _, count := range []int{1, 3, 7} {
				w := walk{trace: newTrace(count, c.first, c.most, c.gap, time.Second), answer: routers(c.path)}
				w.run(t)
				var want []int
				for d := c.from; d <= c.to; d++ {
					want = append(want, d)
				}
				if !slices.Equal(w.taken, want) {
					t.Errorf("%d probes each: hops %v, want %d to %d", count, w.taken, c.from, c.to)
				}
				for p, o := range w.outcomes {
					if p.Distance <= c.to && o != c.path[p.Distance] {
						t.Errorf("%+v: outcome %d", p, o)
					}
				}
			}
		})
	}
}

func TestTraceProbeTag(t *testing.T) {
	for _, p := range []TraceProbe{{}, {1, 0}, {255, 999}, {255, 65535}} {
		if got := TraceProbeOf(p.Tag()); got != p || p.Tag() < 0 {
			t.Errorf("%v has the tag %d, which is that of %v", p, p.Tag(), got)
		}
	}
}

// What is settled while a probe waits for its turn may change which is next.
func TestTraceTurn(t *testing.T) {
	trace := newTrace(1, 1, 30, 0, time.Second)
	var got []string
	next := func(now int64) {
		p, at, ok := trace.Next(now * ms)
		got = append(got, fmt.Sprint(p.Distance, at/ms, ok))
	}
	next(0)
	trace.Sent(0)
	next(0)
	trace.Settled(TraceProbe{1, 0}, Answered, ms)
	next(100)
	if want := []string{"1 0 true", "2 0 true", "0 0 false"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A router says of all probes at the same time that a host on its link is missing. The first word of it does not end
// the others, that are on their way.
func TestTraceRefusedTogether(t *testing.T) {
	w := walk{trace: newTrace(3, 1, 30, 0, 0)}
	w.answer = func(p TraceProbe, _ int, now int64) (Outcome, int64) {
		if p.Distance < 3 {
			return InTransit, ms
		}
		return Refused, 3000*ms + int64(p.Seq) - now
	}
	w.run(t)
	for seq := range 3 {
		if o := w.outcomes[TraceProbe{3, seq}]; o != Refused {
			t.Errorf("probe %d: outcome %d", seq, o)
		}
	}
	if len(w.taken) != 3 {
		t.Errorf("hops %v", w.taken)
	}
}
