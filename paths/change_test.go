package paths_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

// Each change of a way is one event, at whatever moment it comes, however many routers it concerns, and though up to
// three answers in ten are lost. A detour that is over after a second is none.
func TestChanges(t *testing.T) {
	for seed := range uint64(skipped.AtLength(t, 60, 1000)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			n, hosts := chain("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", target)
			loss := 0.3 * random.Float64()
			var detour []*pingtest.Host
			at := 1 + random.IntN(3) // how many routers stay, and after how many of the others the detour ends
			before := at + random.IntN(3)
			via := hosts[at-1]
			for i := range before - at + 1 + random.IntN(2) {
				h := n.Host("198.51.100."+string(rune('1'+i)), pingtest.Behind(via), pingtest.RTT(25*ms))
				detour, via = append(detour, h), h
			}
			for _, h := range append(hosts, detour...) {
				h.Set(pingtest.Loss(loss))
			}
			n.Seed(seed)
			moment := func(round int) time.Duration {
				return time.Duration(round)*time.Second + time.Duration(random.Int64N(int64(time.Second)))
			}
			end := hosts[before]
			blip := moment(10)
			end.At(blip, pingtest.Behind(via)).At(blip+time.Second, pingtest.Behind(hosts[before-1]))
			end.At(moment(40), pingtest.Behind(via)).At(moment(80), pingtest.Behind(hosts[before-1]))
			rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(120))
			if err != nil {
				t.Fatal(err)
			}
			var changes []string
			for _, r := range rounds {
				if r.Change != nil {
					changes = append(changes, r.Change.String())
				}
			}
			if len(changes) != 2 {
				t.Errorf("seed %d, loss %.2f: routers %d to %d by %d others: %q", seed, loss, at+1, before, len(detour), changes)
			}
		})
	}
}

// What is kept of a distance begins when the way gets there: the probes that went beyond the target are not counted.
func TestRowsOfALongerWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", target)
		extra := n.Host("192.0.2.33", pingtest.Behind(hosts[1]))
		longer, shorter := pingtest.Behind(extra), pingtest.Behind(hosts[1])
		hosts[2].At(9900*ms, longer).At(19900*ms, shorter).At(29900*ms, longer)
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(40))
		if err != nil {
			t.Fatal(err)
		}
		last := rounds[39].Hops
		if len(last) != 4 || len(last[3].Routers) != 1 || last[3].Routers[0].Statistics.Sent != 10 {
			t.Errorf("got %s", sketch(rounds[39]))
		}
		if third := last[2].Routers; len(third) != 2 || third[0].Statistics.Sent != 20 || third[1].Statistics.Sent != 20 ||
			third[0].Target || !third[1].Target {
			t.Errorf("the third hop: %+v", third)
		}
	})
}

// A router that says nothing is a step of silence.
func TestChangeToSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", "192.0.2.3", target)
		silent := n.Host("198.51.100.1", pingtest.Behind(hosts[0]), pingtest.Silent())
		beyond := n.Host("198.51.100.2", pingtest.Behind(silent))
		hosts[3].At(9900*ms, pingtest.Behind(beyond))
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(40))
		if err != nil {
			t.Fatal(err)
		}
		var changes []string
		for _, r := range rounds {
			if r.Change != nil {
				changes = append(changes, r.Change.String())
			}
		}
		if len(changes) != 1 || changes[0] != "other router at 2: silence instead of 192.0.2.2" {
			t.Errorf("got %q", changes)
		}
	})
}

// No more than eight routers are kept for a distance.
func TestManyRouters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		networks, _ := wide(16)
		sent := uint64(0)
		f := newFork(func(uint64) int { sent++; return int(mix(sent) % 16) }, networks...)
		rounds, err := watch(t, f.pinger(t), target, paths.WithRounds(100))
		if err != nil {
			t.Fatal(err)
		}
		if third := rounds[99].Hops[2].Routers; len(third) > 8 {
			t.Errorf("%d routers", len(third))
		}
	})
}

// Where two distances go to and fro, a change elsewhere is told once, as where it is and since when.
func TestChangeBesideToAndFro(t *testing.T) {
	const at = 1000 * time.Second
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			a, ahosts := chain("192.0.2.1", "192.0.2.21", "192.0.2.31", "192.0.2.4", "192.0.2.5", target)
			b, bhosts := chain("192.0.2.1", "192.0.2.22", "192.0.2.32", "192.0.2.4", "192.0.2.5", target)
			ahosts[5].At(at, pingtest.Behind(a.Host("192.0.2.55", pingtest.Behind(ahosts[3]))))
			bhosts[5].At(at, pingtest.Behind(b.Host("192.0.2.55", pingtest.Behind(bhosts[3]))))
			sent := seed << 32
			f := newFork(func(uint64) int { sent++; return int(mix(sent) % 2) }, a, b)
			begin := time.Now()
			rounds, err := watch(t, f.pinger(t), target, paths.WithRounds(2000))
			if err != nil {
				t.Fatal(err)
			}
			var changes, late []string
			for _, r := range rounds {
				switch c := r.Change; {
				case c == nil:
				case r.Number < 500: // three in a row by chance, before it was seen that they go to and fro
					changes = append(changes, c.String())
				default:
					late = append(late, c.String())
					if after := c.Since.Sub(begin) - at; after < 0 || after > 2*time.Second {
						t.Errorf("seed %d: %v: since %v after it came", seed, c, after)
					}
				}
			}
			if len(late) != 1 || late[0] != "other router at 5: 192.0.2.55 instead of 192.0.2.5" || len(changes) > 6 {
				t.Errorf("seed %d: got %q, and before that %q", seed, late, changes)
			}
		})
	}
}
