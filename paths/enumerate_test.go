package paths_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

// evenly shares flows out among n ways.
func evenly(n int, seed uint64) func(uint64) int {
	return func(flow uint64) int { return int(mix(flow^mix(seed)) % uint64(n)) }
}

// shape is a graph in few words.
func shape(g *paths.Graph) string {
	var lines []string
	for _, p := range g.Paths {
		var words []string
		for _, i := range p.Nodes {
			n := g.Nodes[i]
			word := "*"
			if n.Addr.IsValid() {
				word = n.Addr.String()
			}
			if n.Target {
				word += "."
			}
			if n.Refusal != nil {
				word += "!"
			}
			words = append(words, word)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

func TestEnumerate(t *testing.T) {
	const v6 = "2001:db8::9"
	for _, test := range []struct {
		name   string
		ways   [][]string
		change func(way int, hosts []*pingtest.Host)
		want   string
		most   int // probes
	}{
		{"on the link", [][]string{{target}}, nil, "192.0.2.9.", 30},
		{"one path", [][]string{{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", target}}, nil,
			"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.9.", 60},
		{"two paths", [][]string{
			{"192.0.2.1", "192.0.2.2", "192.0.2.4", target}, {"192.0.2.1", "192.0.2.3", "192.0.2.4", target},
		}, nil, "192.0.2.1 192.0.2.2 192.0.2.4 192.0.2.9.\n192.0.2.1 192.0.2.3 192.0.2.4 192.0.2.9.", 100},
		{"two paths, IPv6", [][]string{{"2001:db8::1", "2001:db8::2", v6}, {"2001:db8::1", "2001:db8::3", v6}},
			nil, "2001:db8::1 2001:db8::2 2001:db8::9.\n2001:db8::1 2001:db8::3 2001:db8::9.", 100},
		{"from here on", [][]string{{"192.0.2.1", "192.0.2.3", target}, {"192.0.2.2", "192.0.2.4", target}}, nil,
			"192.0.2.1 192.0.2.3 192.0.2.9.\n192.0.2.2 192.0.2.4 192.0.2.9.", 100},
		{"of unequal length", [][]string{{"192.0.2.1", "192.0.2.2", target}, {"192.0.2.1", "192.0.2.3", "192.0.2.4", target}},
			nil, "192.0.2.1 192.0.2.2 192.0.2.9.\n192.0.2.1 192.0.2.3 192.0.2.4 192.0.2.9.", 120},
		{"of unequal length, and forked", [][]string{
			{"192.0.2.1", target},
			{"192.0.2.1", "192.0.2.2", "192.0.2.3", target},
			{"192.0.2.1", "192.0.2.2", "192.0.2.4", target},
		}, nil, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.9.\n" +
			"192.0.2.1 192.0.2.2 192.0.2.4 192.0.2.9.\n192.0.2.1 192.0.2.9.", 150},
		{"a silent router for all", [][]string{{"192.0.2.1", "192.0.2.2", target}}, func(_ int, hosts []*pingtest.Host) {
			hosts[1].Set(pingtest.Silent())
		}, "192.0.2.1 * 192.0.2.9.", 60},
		{"a silent router for some", [][]string{{"192.0.2.1", "192.0.2.2", target}, {"192.0.2.1", "192.0.2.3", target}},
			func(way int, hosts []*pingtest.Host) {
				if way == 1 {
					hosts[1].Set(pingtest.Silent())
				}
			}, "192.0.2.1 * 192.0.2.9.\n192.0.2.1 192.0.2.2 192.0.2.9.", 150},
		{"a branch that ends in silence", [][]string{
			{"192.0.2.1", "192.0.2.2", "192.0.2.4", target}, {"192.0.2.1", "192.0.2.3", "192.0.2.5", target},
		},
			func(way int, hosts []*pingtest.Host) {
				if way == 1 {
					hosts[2].Set(pingtest.Down())
				}
			}, "192.0.2.1 192.0.2.2 192.0.2.4 192.0.2.9.\n192.0.2.1 192.0.2.3", 200},
		{"a branch that is refused", [][]string{{"192.0.2.1", "192.0.2.2", target}, {"192.0.2.1", "192.0.2.3", target}},
			func(way int, hosts []*pingtest.Host) {
				if way == 1 {
					hosts[2].Set(pingtest.Unreachable("192.0.2.3"))
				}
			}, "192.0.2.1 192.0.2.2 192.0.2.9.\n192.0.2.1 192.0.2.3 192.0.2.3!", 100},
		{"a host that is down", [][]string{{"192.0.2.1", "192.0.2.2", target}}, func(_ int, hosts []*pingtest.Host) {
			hosts[2].Set(pingtest.Down())
		}, "192.0.2.1 192.0.2.2", 80},
		{"nobody", [][]string{{target}}, func(_ int, hosts []*pingtest.Host) { hosts[0].Set(pingtest.Down()) }, "", 60},
		{"a router that loses its answers", [][]string{
			{"192.0.2.1", "192.0.2.2", target}, {"192.0.2.1", "192.0.2.3", target},
		},
			func(way int, hosts []*pingtest.Host) { hosts[1].Set(pingtest.Loss(0.25)) },
			"192.0.2.1 192.0.2.2 192.0.2.9.\n192.0.2.1 192.0.2.3 192.0.2.9.", 150},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var networks []*pingtest.Network
				for i, addrs := range test.ways {
					n, hosts := chain(addrs...)
					if test.change != nil {
						test.change(i, hosts)
					}
					networks = append(networks, n)
				}
				host := test.ways[0][len(test.ways[0])-1]
				begin := time.Now()
				g, err := paths.Enumerate(t.Context(), newFork(evenly(len(networks), 1), networks...).pinger(t), host)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d probes, %v", g.Probes, time.Since(begin))
				if got := shape(g); got != test.want || g.Uneven {
					t.Errorf("got\n%s\nwant\n%s\nuneven: %v", got, test.want, g.Uneven)
				}
				if g.Probes > test.most {
					t.Errorf("%d probes", g.Probes)
				}
			})
		})
	}
}

// wide is a tree of so many ways: two routers that all share, one for each way, and the target.
func wide(n int) (networks []*pingtest.Network, hosts [][]*pingtest.Host) {
	for i := range n {
		network, list := chain("192.0.2.1", "192.0.2.2", fmt.Sprintf("198.51.100.%d", i), target)
		networks, hosts = append(networks, network), append(hosts, list)
	}
	return networks, hosts
}

// The paths are found with the probability that is said, over many seeds. Of two, it is what is said; of sixteen it is
// better, since the flows that are sent to each of them find others.
func TestMissed(t *testing.T) {
	seeds := skipped.AtLength(t, 30, 1000)
	for _, test := range []struct {
		ways  int
		exact bool
	}{{2, true}, {16, false}} {
		t.Run(fmt.Sprint(test.ways), func(t *testing.T) {
			missed, probes, said := 0, 0, 0.0
			for seed := range seeds {
				synctest.Test(t, func(t *testing.T) {
					networks, _ := wide(test.ways)
					f := newFork(evenly(test.ways, uint64(seed)), networks...)
					g, err := paths.Enumerate(t.Context(), f.pinger(t), target)
					if err != nil {
						t.Fatal(err)
					}
					if probes += g.Probes; len(g.Paths) == test.ways {
						said = g.Miss
					} else {
						missed++
					}
					if g.Uneven || len(g.Paths) > test.ways {
						t.Errorf("seed %d: %v", seed, g)
					}
				})
			}
			share, sigma := float64(missed)/float64(seeds), math.Sqrt(said*(1-said)/float64(seeds))
			t.Logf("%d paths not found whole in %d of %d, said to be %.4f; %d probes on average",
				test.ways, missed, seeds, said, probes/seeds)
			if said <= 0 || said > 0.05 || share > said+3*sigma || test.exact && share < said-3*sigma {
				t.Errorf("not whole in %.3f of the seeds, said to be in %.3f", share, said)
			}
		})
	}
}

// A router is asked for six ICMP errors at once, and then for one a second.
func TestEnumeratePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := chain("192.0.2.1", "192.0.2.2", "192.0.2.4", "192.0.2.5", target)
		b, _ := chain("192.0.2.1", "192.0.2.3", "192.0.2.4", "192.0.2.5", target)
		a.KeepRecords(1000)
		b.KeepRecords(1000)
		g, err := paths.Enumerate(t.Context(), newFork(evenly(2, 1), a, b).pinger(t), target, paths.WithMiss(0.01))
		if err != nil || len(g.Paths) != 2 {
			t.Fatalf("%v, %v", g, err)
		}
		sent := map[netip.Addr][]time.Time{}
		for _, r := range append(a.Records(), b.Records()...) {
			for _, answer := range r.Answers {
				if answer.Err != nil {
					sent[answer.From] = append(sent[answer.From], r.Sent)
				}
			}
		}
		if len(sent) != 5 {
			t.Errorf("%d routers were asked", len(sent))
		}
		for router, times := range sent {
			slices.SortFunc(times, time.Time.Compare)
			for i, at := range times {
				if may := 6 + int(at.Sub(times[0])/time.Second); i >= may+1 {
					t.Errorf("%v: asked for the %dth time after %v", router, i+1, at.Sub(times[0]))
				}
			}
		}
	})
}

// One of four paths loses a quarter of the packets, and that is seen.
func TestLossOfOnePath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		networks, hosts := wide(4)
		hosts[2][3].Set(pingtest.Loss(0.25), pingtest.RTT(50*ms))
		p := newFork(evenly(4, 3), networks...).pinger(t)
		g, err := paths.Enumerate(t.Context(), p, target)
		if err != nil || len(g.Paths) != 4 {
			t.Fatalf("%v, %v", g, err)
		}
		if err := g.Measure(t.Context(), p, 400, ping.WithInterval(100*ms)); err != nil {
			t.Fatal(err)
		}
		for i, path := range g.Paths {
			low, high, rtt := 0.0, 0.0, 40*ms
			if i == 2 {
				low, high, rtt = 0.18, 0.32, 50*ms
			}
			if s := path.Statistics; s.Loss() < low || s.Loss() > high || s.Min != rtt || s.Sent != 400 {
				t.Errorf("path %d: %v, want a loss of %v to %v", i, s, low, high)
			}
		}
		if dot := g.DOT(); strings.Count(dot, "color=red") != 2 || strings.Count(dot, "->") != 10 {
			t.Errorf("got\n%s", dot)
		}
		t.Logf("\n%v\n%s", g, g.DOT())
	})
}

func TestEnumerateErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", target)
		p := n.Pinger(t)
		for _, test := range []struct {
			opt  paths.Option
			want string
		}{
			{nil, "paths: option 0 is nil"},
			{paths.WithMiss(0), "paths: WithMiss(0): want 0.0001 to 0.5"},
			{paths.WithMiss(math.NaN()), "paths: WithMiss(NaN): want 0.0001 to 0.5"},
			{paths.WithRounds(3), "paths: WithRounds(3) has no effect on Enumerate: it is for Watch"},
			{paths.WithInterval(time.Second), "paths: WithInterval(1s) has no effect on Enumerate: it is for Watch"},
			{paths.WithProbe(ping.WithSize(4)), "WithSize(4)"},
		} {
			g, err := paths.Enumerate(t.Context(), p, target, test.opt)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v, want %s", g, err, test.want)
			}
		}
		refused := errors.New("network is unreachable")
		hosts[1].Set(pingtest.SendError(refused))
		if g, err := paths.Enumerate(t.Context(), p, target); !errors.Is(err, refused) {
			t.Errorf("%v, %v", g, err)
		}
	})
}

// What a router's errors show of a NAT is told with it.
func TestEnumerateNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := chain("192.0.2.1", "192.0.2.2", target)
		f := newFork(func(uint64) int { return 0 }, n)
		inside := netip.MustParseAddr("10.0.0.5")
		f.change = func(m *ping.Message) {
			if m.Err != nil && m.Err.From.String() == "192.0.2.2" {
				m.Addr = inside
			}
		}
		g, err := paths.Enumerate(t.Context(), f.pinger(t), target)
		if err != nil || len(g.Nodes) != 3 || g.Nodes[0].NAT || g.Nodes[2].NAT ||
			!g.Nodes[1].NAT || g.Nodes[1].Quoted != inside {
			t.Errorf("got %+v, %v", g, err)
		}
	})
}
