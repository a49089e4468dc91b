package monitor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Codes are exact for small RTTs, and never further off than is said; greater RTTs have no smaller codes.
func FuzzCode(f *testing.F) {
	for _, d := range []int64{0, 1, 4095, 4096, 4097, 8190, 8191, 8192, 1e6, 1e9, 4388456300543, math.MaxInt64} {
		f.Add(d, d+1)
	}
	f.Add(int64(-5), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, a, b int64) {
		x, y := time.Duration(a), time.Duration(b)
		c, d := codeOf(x), codeOf(y)
		if !c.answered() || !d.answered() {
			t.Fatalf("the codes of %v and %v, %d and %d, are no RTTs", x, y, c, d)
		}
		if x < y && c > d || x > y && c < d {
			t.Errorf("%v has the code %d, and %v %d", x, c, y, d)
		}
		const longest = 73 * time.Minute
		got, want := c.rtt(), min(max(x, 0), longest)
		if off := (got - want).Abs(); x < longest && off > want/4096 || x >= longest && got < longest {
			t.Errorf("%v becomes %v", x, got)
		}
		if want < 4096 && got != want {
			t.Errorf("%v becomes %v, want it exact", want, got)
		}
		if again := codeOf(got); again != c {
			t.Errorf("%v has the code %d, which is %v, which has %d", x, c, got, again)
		}
	})
}

// All codes that are RTTs are told apart.
func TestCodes(t *testing.T) {
	for c := firstRTT; ; c++ {
		if got := codeOf(c.rtt()); got != c {
			t.Fatalf("code %d is %v, which has the code %d", c, c.rtt(), got)
		}
		if c == math.MaxUint16 {
			break
		}
	}
}

// A ring does what a map from instants does that forgets what is too old.
func TestRing(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := ring{size: 1 + random.IntN(40)}
		model := map[int64]code{}
		end := int64(0)
		for n, step := int64(0), 0; step < 1000; step++ {
			switch random.IntN(20) {
			case 0:
				n += random.Int64N(100)
			default:
				n++
			}
			at := n - random.Int64N(4) // some are settled late
			c := code(1 + random.IntN(1000))
			if _, taken := model[at]; taken || at < end-int64(r.size) || at < 0 {
				continue // see TestRingCollision
			}
			r.put(at, c)
			model[at] = c
			end = max(end, at+1)
			from := n - random.Int64N(60)
			var want []code
			for m := max(from, end-int64(r.size), 0); m < end; m++ {
				want = append(want, model[m])
			}
			if got := r.appendLast(nil, from); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: from %d to %d, of %d:\n%v, want\n%v", seed, step, from, end, r.size, got, want)
			}
		}
	}
}

// Two probes for the same instant both count, where there is room beside it, and else the worse.
func TestRingCollision(t *testing.T) {
	r := ring{size: 8}
	ok := codeOf(time.Millisecond)
	r.put(0, ok)
	r.put(1, ok)
	r.put(1, codeLost) // goes to 2
	r.put(3, ok)
	r.put(2, codeRefused) // 1, 2 and 3 are taken
	r.put(1, codeLate)    // the worse of both
	if got, want := r.appendLast(nil, 0), []code{ok, codeLate, codeLost, ok}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !r.amend(3, codeLost, codeLate) || r.amend(0, codeLost, codeLate) || r.amend(9, codeNone, codeLost) {
		t.Errorf("amended to %v", r.appendLast(nil, 0))
	}
}
