package monitor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

const ms = time.Millisecond

// viewOf is a view of codes that end with the present instant.
func viewOf(interval time.Duration, codes ...code) view {
	return view{codes: codes, end: int64(len(codes)), now: int64(len(codes)) - 1, interval: interval}
}

// A Window counts each kind of outcome, and its figures are those of the RTTs in it.
func TestWindow(t *testing.T) {
	c := func(rtts ...int) (list []code) {
		for _, rtt := range rtts {
			list = append(list, codeOf(time.Duration(rtt)*ms))
		}
		return list
	}
	codes := slices.Concat(c(100, 100, 100), []code{codeLost, codeLate}, c(10, 20), []code{codeRefused}, c(30, 40),
		[]code{codeDropped, codeNotSent, codeLost, codeDropped, codeLost}, c(50), []code{codeNone})
	s := Snapshot{views: []view{viewOf(time.Second, codes...)}}
	w := s.Window(12 * time.Second)
	w.sorted = nil
	want := Window{Sent: 10, SendErrors: 1, Received: 5, Lost: 5, Errors: 1, LocalDrops: 2,
		Min: 10 * ms, Max: 50 * ms, Mean: 30 * ms, StdDev: 14142 * time.Microsecond, Jitter: 10 * ms,
		LongestOutage: 4 * time.Second}
	for got, want := range map[*time.Duration]time.Duration{&w.Min: want.Min, &w.Max: want.Max, &w.Mean: want.Mean,
		&w.StdDev: want.StdDev, &w.Jitter: want.Jitter} {
		if math.Abs(float64(*got-want)) > float64(want)/1000 {
			t.Errorf("%v, want %v: %+v", *got, want, w)
		}
		*got = want
	}
	if w.Sent != want.Sent || w.SendErrors != want.SendErrors || w.Received != want.Received || w.Lost != want.Lost ||
		w.Errors != want.Errors || w.Late != want.Late || w.LocalDrops != want.LocalDrops ||
		w.LongestOutage != want.LongestOutage {
		t.Errorf("%+v\nwant %+v", w, want)
	}
	if got, want := s.Loss(12*time.Second), 4.0/9; math.Abs(got-want) > 1e-9 {
		t.Errorf("the loss is %v, want %v", got, want)
	}
	for q, want := range map[float64]time.Duration{-1: 10 * ms, 0: 10 * ms, 0.2: 10 * ms, 0.5: 30 * ms, 0.9: 50 * ms,
		7: 50 * ms, math.NaN(): 0} {
		if got := s.Percentile(12*time.Second, q); (got - want).Abs() > want/4000 {
			t.Errorf("the percentile %v is %v, want %v", q, got, want)
		}
	}
	if all := s.Window(0); all.Late != 1 || all.Received != 8 || s.Window(time.Hour).Received != 8 {
		t.Errorf("%+v", all)
	}
	if got := s.Sparkline(0, 17); got != "███××▁▁×▂▃ ×× ×▄ " {
		t.Errorf("%q", got)
	}
	if got := s.Sparkline(math.MaxInt64, 5); got != "    ▁" {
		t.Errorf("%q", got)
	}
	if got := s.Sparkline(0, 5); len([]rune(got)) != 5 {
		t.Errorf("%q", got)
	}
	if got := s.Sparkline(30*time.Second, 3); got != " █▁" {
		t.Errorf("%q", got)
	}
}

// Where nothing was sent the loss is 0, and where this host dropped everything it is 1.
func TestWindowWithout(t *testing.T) {
	for want, codes := range map[float64][]code{0: {codeNone}, 1: {codeDropped}} {
		s := Snapshot{views: []view{viewOf(time.Second, codes...)}}
		if got := s.Loss(0); got != want || s.Percentile(0, 0.5) != 0 || s.Window(0).LongestOutage != 0 {
			t.Errorf("%v: %v, %+v", codes, got, s.Window(0))
		}
	}
	if (Snapshot{}).Loss(time.Minute) != 0 || (Snapshot{}).Sparkline(time.Minute, 8) != "" {
		t.Error("an empty Snapshot has a loss")
	}
}

// A window that ends with the present leaves out what is older, also where the last instants have no outcome.
func TestWindowSlides(t *testing.T) {
	v := viewOf(100*ms, codeLost, codeOf(ms), codeOf(ms), codeOf(ms))
	for d, want := range map[time.Duration]int{100 * ms: 1, 300 * ms: 3, 301 * ms: 4, time.Hour: 4, math.MaxInt64: 4} {
		if got := len(v.last(d)); got != want {
			t.Errorf("the last %v are %d, want %d", d, got, want)
		}
	}
	if v.now += 2; len(v.last(300*ms)) != 1 {
		t.Errorf("%v", v.last(300*ms))
	}
	if v.now += 100; len(v.last(300*ms)) != 0 {
		t.Errorf("%v", v.last(300*ms))
	}
}

// The buckets of the histogram have the bounds that are said.
func TestBuckets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	try := func(rtt time.Duration) {
		i := bucket(rtt)
		if s := rtt.Seconds(); s > RTTBound(i)+1e-9 || i > 0 && s <= RTTBound(i-1)-1e-9 {
			t.Fatalf("%v is in the bucket %d, from %v to %v", rtt, i, RTTBound(i-1), RTTBound(i))
		}
	}
	for range 200_000 {
		try(time.Duration(math.Exp(random.Float64() * 26)))
	}
	for _, b := range bounds {
		for d := range time.Duration(5) {
			try(b - 2 + d)
		}
	}
	try(0)
	try(math.MaxInt64)
	if RTTBound(30) != 1 || !math.IsInf(RTTBound(RTTBuckets-1), 1) || RTTBound(RTTBuckets-2) != 4 {
		t.Errorf("%v, %v, %v", RTTBound(30), RTTBound(RTTBuckets-2), RTTBound(RTTBuckets-1))
	}
}

// A level that shifts is noticed, and chance is not taken for one.
func TestCompare(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	series := func(n int, rtt time.Duration) (list []code) {
		for range n {
			switch c := codeOf(rtt + time.Duration(random.ExpFloat64()*float64(rtt)/4)); {
			case random.IntN(20) == 0:
				list = append(list, codeLost)
			default:
				list = append(list, c)
			}
		}
		return list
	}
	for _, c := range []struct {
		before, after time.Duration
		n, recent     int
		want          bool
	}{
		{20 * ms, 20 * ms, 900, 60, false},
		{20 * ms, 23 * ms, 900, 60, false}, // for sure, but it is little
		{20 * ms, 28 * ms, 900, 60, true},
		{28 * ms, 18 * ms, 900, 60, true},
		{20 * ms, 40 * ms, 900, 10, false}, // too few
		{100 * time.Microsecond, 400 * time.Microsecond, 900, 60, false},
		{20 * ms, 40 * ms, 30, 30, true},
	} {
		shifts := 0
		const rounds = 300
		for range rounds {
			v := viewOf(time.Second, slices.Concat(series(c.n, c.before), series(c.recent, c.after))...)
			if _, _, shifted := new(levels).shift(v, v.now+1-int64(c.recent)); shifted {
				shifts++
			}
		}
		if c.want && shifts < rounds*95/100 || !c.want && shifts > 0 {
			t.Errorf("%+v: %d shifts in %d", c, shifts, rounds)
		}
	}
}

// Several addresses are out only while none of them is answered.
func TestOutageOfSeveral(t *testing.T) {
	answer, dead := codeOf(ms), []code{codeLost, codeLost, codeLost, codeLost, codeLost, codeLost}
	half := []code{answer, codeLost, codeNotSent, codeLate, answer, codeNone}
	late := viewOf(time.Second, codeLost, codeLost, answer) // added later
	for want, codes := range map[time.Duration][]view{
		6 * time.Second: {viewOf(time.Second, dead...), viewOf(time.Second, dead...)},
		5 * time.Second: {viewOf(time.Second, dead...), late},
		3 * time.Second: {viewOf(time.Second, dead...), viewOf(time.Second, half...)},
		0:               {viewOf(time.Second, dead...), viewOf(time.Second, answer, answer, answer, answer, answer, answer)},
	} {
		for range 2 {
			if got := (Snapshot{views: codes}).Window(0).LongestOutage; got != want {
				t.Errorf("%v: %v, want %v", codes, got, want)
			}
			codes[0], codes[1] = codes[1], codes[0]
		}
	}
	stopped := view{codes: dead, end: 6, now: 1 << 50, interval: time.Second} // of the time before Run ended
	s := Snapshot{views: []view{stopped, viewOf(time.Second, answer)}}
	if got := s.Window(0).LongestOutage; got > 6*time.Second {
		t.Errorf("%v", got)
	}
}

// A Sparkline that is asked for with any numbers has a width that memory can hold.
func TestSparklineOfAnySize(t *testing.T) {
	s := Snapshot{views: []view{viewOf(time.Second, codeOf(ms))}}
	for _, d := range []time.Duration{math.MinInt64, 0, 1, time.Hour, math.MaxInt64} {
		for _, width := range []int{math.MinInt, -1, 0, 1, 10, math.MaxInt} {
			if got := utf8.RuneCountInString(s.Sparkline(d, width)); got > max(0, min(width, 4096)) {
				t.Errorf("Sparkline(%v, %d) has %d characters", d, width, got)
			}
		}
	}
}
