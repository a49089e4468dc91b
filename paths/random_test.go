package paths_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

// atEachFork shares flows out evenly where ways part, and not among the ways.
func atEachFork(ways [][]string, seed uint64) func(uint64) int {
	return func(flow uint64) int {
		left := make([]int, len(ways))
		for i := range left {
			left[i] = i
		}
		for distance := 0; len(left) > 1; distance++ {
			var next []string
			for _, i := range left {
				if !slices.Contains(next, ways[i][distance]) {
					next = append(next, ways[i][distance])
				}
			}
			at := mix(seed) ^ mix(uint64(distance)<<32|uint64(left[0]))
			taken := next[mix(flow^at)%uint64(len(next))]
			left = slices.DeleteFunc(left, func(i int) bool { return ways[i][distance] != taken })
		}
		return left[0]
	}
}

// Of random ways, which part and are of unequal length, each link is found, and nothing that is none, though one
// answer in twenty of each router is lost.
func TestRandomWays(t *testing.T) {
	probes := 0
	seeds := uint64(skipped.AtLength(t, 30, 300))
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			ways, routers := [][]string{{}}, 0
			for distance := 1; distance < 6; distance++ {
				var longer [][]string
				for _, way := range ways {
					if n := len(way); n > 0 && way[n-1] == target {
						longer = append(longer, way)
						continue
					}
					for range 1 + random.IntN(2)*random.IntN(3) {
						routers++
						addr := fmt.Sprintf("198.51.%d.%d", distance, routers)
						if distance == 5 || distance > 1 && random.IntN(4) == 0 {
							addr = target
						}
						way := append(way[:len(way):len(way)], addr)
						if !slices.ContainsFunc(longer, func(o []string) bool { return slices.Equal(o, way) }) {
							longer = append(longer, way)
						}
					}
				}
				ways = longer
			}
			var networks []*pingtest.Network
			links := map[string]bool{}
			for _, way := range ways {
				n, hosts := chain(way...)
				for _, h := range hosts {
					h.Set(pingtest.Loss(0.05))
				}
				networks = append(networks, n.Seed(seed))
				for i := range way {
					links[fmt.Sprint(i, way[:i], way[i])] = true
				}
			}
			p := newFork(atEachFork(ways, seed), networks...).pinger(t)
			g, err := paths.Enumerate(t.Context(), p, target, paths.WithMiss(0.0002))
			if err != nil {
				t.Fatal(err)
			}
			probes += g.Probes
			for line := range strings.SplitSeq(shape(g), "\n") {
				way := strings.Fields(strings.ReplaceAll(line, target+".", target))
				for i := range way {
					l := fmt.Sprint(i, way[:i], way[i])
					if _, ok := links[l]; !ok {
						t.Errorf("seed %d: no link %s: %q, want %q", seed, l, line, ways)
					}
					links[l] = false
				}
			}
			for l, missed := range links {
				if missed {
					t.Errorf("seed %d: missed %s: got\n%s\nwant %q", seed, l, shape(g), ways)
				}
			}
		})
	}
	t.Logf("%d probes on average", probes/int(seeds))
}
