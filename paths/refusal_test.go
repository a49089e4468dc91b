package paths_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

// A refusal in passing, of any one of the first probes, ends no path: that probe is sent again.
func TestRefusedInPassing(t *testing.T) {
	for _, test := range []struct {
		addrs  []string
		refuse ping.ICMPError
		want   string
	}{
		{[]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", target}, ping.ICMPError{Type: 3, Code: 13},
			"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.9."},
		{[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::9"}, ping.ICMPError{Type: 1, Code: 1},
			"2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::9."},
	} {
		for which := range 18 {
			synctest.Test(t, func(t *testing.T) {
				n, _ := chain(test.addrs...)
				told := 0
				f := newFork(func(uint64) int { return 0 }, n)
				f.change = func(m *ping.Message) {
					if m.Err == nil {
						return
					}
					if told == which {
						m.Err.Type, m.Err.Code = test.refuse.Type, test.refuse.Code
					}
					told++
				}
				g, err := paths.Enumerate(t.Context(), f.pinger(t), test.addrs[3])
				if err != nil || shape(g) != test.want {
					t.Errorf("error %d of the way was a refusal: %v, got\n%s", which, err, shape(g))
				}
			})
		}
	}
}

// Probes that are too big for a link of the way are sent again, in fragments; where that may not be, the path ends.
func TestEnumerateTooBig(t *testing.T) {
	for _, dontFragment := range []bool{false, true} {
		want := "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::9."
		if dontFragment {
			want = "2001:db8::1 2001:db8::2 2001:db8::2!"
		}
		synctest.Test(t, func(t *testing.T) {
			n, hosts := chain("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::9")
			hosts[1].Set(pingtest.MTU(1400))
			if dontFragment { // the system knows the MTU from then on
				hosts[3].At(500*ms, pingtest.SendError(errors.New("message too long")))
			}
			g, err := paths.Enumerate(t.Context(), n.Pinger(t), "2001:db8::9",
				paths.WithProbe(ping.WithSize(1452), ping.WithDontFragment(dontFragment)))
			if err != nil || shape(g) != want {
				t.Errorf("%v, %v", err, g)
			}
		})
	}
}

// A router that refuses what is to go farther, and limits its ICMP errors, is not asked so often that its own distance
// looks lossy: neither where the target has never been reached, nor where it has.
func TestWatchLimitedRefusals(t *testing.T) {
	for _, after := range []time.Duration{0, 9900 * ms} {
		for _, last := range []string{target, "2001:db8::9"} {
			synctest.Test(t, func(t *testing.T) {
				addrs, prohibited := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", last}, ping.ICMPError{Type: 3, Code: 13}
				if last != target {
					addrs, prohibited = []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", last}, ping.ICMPError{Type: 1, Code: 1}
				}
				n, hosts := chain(addrs...)
				hosts[1].Set(pingtest.ErrorLimit(6, time.Second))
				hosts[1].At(after, pingtest.Refuse(prohibited)).At(100*time.Second, pingtest.Up())
				rounds, err := watch(t, n.Pinger(t), last, paths.WithRounds(120), paths.WithInterval(999*ms))
				if err != nil {
					t.Fatal(err)
				}
				if s := rounds[119].Hops[1].Routers[0].Statistics; s.Loss() > 0.02 {
					t.Errorf("refused after %v: the router that refuses: %v", after, s)
				}
				refused := rounds[90]
				if h := refused.Hops[len(refused.Hops)-1]; after > 0 && (len(refused.Hops) != 4 || h.Refusal == nil) {
					t.Errorf("got %s, %v", sketch(refused), h.Refusal)
				}
				if h := rounds[119].Hops[3]; h.Refusal != nil || h.Routers[0].Statistics.Received < 15 {
					t.Errorf("afterwards: %s", sketch(rounds[119]))
				}
				for _, r := range rounds {
					if r.Change != nil {
						t.Errorf("round %d: %v", r.Number, r.Change)
					}
				}
			})
		}
	}
}
