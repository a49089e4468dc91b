package plan

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// A Limiter at 100 turns a second, 10 ms apart, is a script of instants. All are in ms.
func TestLimiter(t *testing.T) {
	type row struct {
		now  int64 // of Reserve; -1: GiveBack
		n    int
		turn int64 // that is returned, or given back
	}
	const back = -1
	for _, c := range []struct {
		name string
		rows []row
	}{
		{"evenly", []row{{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {25, 1, 30}}},
		{"together", []row{{0, 3, 0}, {0, 1, 30}, {0, 2, 40}, {0, 1, 60}}},
		{"who comes a little late slows nobody", []row{{0, 1, 0}, {14, 1, 10}, {14, 1, 20}}},
		{"turns are not saved up", []row{{0, 1, 0}, {16, 1, 16}, {16, 1, 26}, {1000, 1, 1000}, {1000, 1, 1010}}},
		{"the last that is given back is forgotten", []row{{0, 1, 0}, {0, 1, 10}, {back, 1, 10}, {0, 1, 10}, {0, 1, 20}}},
		{"one before it is taken first", []row{
			{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {0, 1, 30}, {back, 1, 20}, {back, 1, 10}, {0, 1, 10}, {0, 1, 20}, {0, 1, 40},
		}},
		{"all that are given back", []row{{0, 1, 0}, {0, 3, 10}, {back, 3, 10}, {back, 1, 0}, {0, 1, 0}, {0, 1, 10}}},
		{"in any order", []row{
			{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {back, 1, 10}, {back, 1, 20}, {0, 1, 10}, {0, 1, 20}, {0, 1, 30},
		}},
		{"one that has passed is not taken", []row{
			{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {back, 1, 10}, {11, 1, 30},
		}},
		{"several together take no free one", []row{
			{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {back, 1, 10}, {0, 2, 30}, {0, 1, 10}, {0, 1, 50},
		}},
		{"idleness forgets what was given back", []row{
			{0, 1, 0}, {0, 1, 10}, {0, 1, 20}, {back, 1, 10}, {100, 1, 100}, {100, 1, 110},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewLimiter(100)
			for i, r := range c.rows {
				if r.now == back {
					l.GiveBack(r.turn*ms, r.n)
				} else if turn := l.Reserve(r.now*ms, r.n); turn != r.turn*ms {
					t.Fatalf("row %d: turn at %d ns, want %d ms", i, turn, r.turn)
				}
			}
			l.Reserve(1_000_000*ms, 1)
			if len(l.free) > 0 || len(l.returned) > 0 {
				t.Errorf("turns are kept that have passed: %v, %v", l.free, l.returned)
			}
		})
	}
}

func TestLimiterBurst(t *testing.T) {
	for rate, want := range map[int]int{1: 1, 1000: 1, 1999: 1, 2000: 2, 100_000: 100, 10_000_000: 10_000} {
		if n := NewLimiter(rate).Burst(); n != want {
			t.Errorf("%d a second: %d, want %d", rate, n, want)
		}
	}
}

// Whoever asks and gives back, no turn is given to two, and none is left out.
func TestLimiterConcurrently(t *testing.T) {
	l := NewLimiter(1000)
	var mu sync.Mutex
	taken := map[int64]bool{}
	take := func(turn int64) {
		mu.Lock()
		defer mu.Unlock()
		if taken[turn] {
			t.Errorf("the turn at %d is given twice", turn)
		}
		taken[turn] = true
	}
	var callers sync.WaitGroup
	for seed := range uint64(8) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 1000 {
				turn := l.Reserve(0, 1)
				if random.IntN(3) == 0 {
					l.GiveBack(turn, 1)
				} else {
					take(turn)
				}
			}
		})
	}
	callers.Wait()
	for len(l.free) > 0 {
		take(l.Reserve(0, 1))
	}
	if want := l.next / ms; int64(len(taken)) != want {
		t.Errorf("%d turns of %d are taken", len(taken), want)
	}
}
