package paths_test

import (
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/paths"
)

// Linux's own routers are watched, with the least interval, for they limit nothing here.
func TestWatchLinuxRouters(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 3)
	p, err := ping.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, addrs := range [][]string{texts(chain.Addrs4), texts(chain.Addrs6)} {
		rounds, err := watch(t, p, addrs[3], paths.WithInterval(20*ms), paths.WithRounds(5))
		if err != nil || len(rounds) != 5 {
			t.Fatalf("%d rounds, %v", len(rounds), err)
		}
		last := rounds[4]
		if !last.Reached || len(last.Hops) != 4 {
			t.Fatalf("got %s", sketch(last))
		}
		for i, h := range last.Hops {
			if r := h.Routers[0]; r.Addr.String() != addrs[i] || r.Statistics.Received != 5 || r.RTT <= 0 || r.TTL == 0 {
				t.Errorf("hop %d: %+v", h.Distance, r)
			}
		}
	}
}

func texts[T interface{ String() string }](list []T) (texts []string) {
	for _, v := range list {
		texts = append(texts, v.String())
	}
	return texts
}
