package paths

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The table is that of the literature: Augustin and others 2007 have it for 0.05 (38 and 44 for k = 7 and 8, which the
// bound over all k makes 39 and 45).
func TestStops(t *testing.T) {
	for _, test := range []struct {
		bound float64
		want  []int
	}{
		{0.05, []int{6, 11, 16, 21, 27, 33, 39, 45, 51, 57, 63, 70, 76, 83, 90, 96}},
		{0.01, []int{8, 15, 21, 28, 36, 43, 51, 58, 66, 74, 82, 90, 98, 106, 115, 123}},
	} {
		s := &stops{bound: test.bound}
		s.after(16)
		if got := s.n[1:]; !slices.Equal(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.bound, got, test.want)
		}
		for hops := 2; hops <= 40; hops++ {
			if p := s.miss(hops); p > test.bound || p < test.bound/3 {
				t.Errorf("%v: %d next hops are missed with probability %v", test.bound, hops, p)
			}
		}
	}
}

// What the rule is computed to miss is what it misses, when it is tried.
func TestMiss(t *testing.T) {
	const trials = 20000
	random := rand.New(rand.NewPCG(1, 2))
	for _, hops := range []int{2, 3, 5, 16} {
		s := &stops{bound: 0.05}
		wrong := 0
		for range trials {
			found := map[int]bool{}
			for n := 0; n < s.after(len(found)); n++ {
				found[random.IntN(hops)] = true
			}
			if len(found) < hops {
				wrong++
			}
		}
		p := s.miss(hops)
		if share := float64(wrong) / trials; math.Abs(share-p) > 4*math.Sqrt(p*(1-p)/trials) {
			t.Errorf("%d next hops are missed in %v of the trials, and computed to be in %v", hops, share, p)
		}
	}
}
