package ping_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// Eight routers of Linux's own are found, as other programs find them.
func TestTraceRouters(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 8)
	rounds := "-c 3 -G 1" // and a second in the end
	if !skipped.AtLength(t, false, true) {
		rounds = "-c 1 -G 0.2"
	}
	var others []func() // programs, which wait for a while
	for _, addrs := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
		host := addrs[8].String()
		var want []string
		for i, a := range addrs {
			word := a.String()
			if i == 8 {
				word += "."
			}
			want = append(want, repeat(i+1, word))
		}
		overEachKind(t, func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			for h, err := range p.Trace(t.Context(), host, ping.WithTimeout(time.Minute)) {
				if err != nil || h.Distance > 9 || sketch(h) != want[h.Distance-1] {
					t.Errorf("got %v, %v", h, err)
				}
				for _, r := range h.Replies {
					// Each router on the way back takes one off the 64 that all begin with.
					if r.TTL != 65-h.Distance || r.RTT <= 0 || r.Clock != ping.ClockKernel {
						t.Errorf("hop %d: %+v", h.Distance, r)
					}
				}
			}
			if c := p.Counters(); c.Received < 3 || c.Errors != 24 || c.InFlight != 0 {
				t.Errorf("counters %+v", c)
			}
		})
		for _, command := range []string{"traceroute -I -n " + host, "mtr -n -r -i 0.1 " + rounds + " " + host} {
			words := strings.Fields(command)
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Logf("not compared with %s, which is not installed", words[0])
				continue
			}
			others = append(others, func() {
				output, err := exec.Command(words[0], words[1:]...).Output()
				if err != nil {
					t.Errorf("%s: %v", command, err)
				}
				for i, a := range addrs {
					if !slices.ContainsFunc(strings.Split(string(output), "\n"), func(line string) bool {
						f := strings.Fields(strings.Replace(line, ".|--", "", 1))
						return len(f) > 2 && f[0] == fmt.Sprint(i+1) && f[1] == a.String()
					}) {
						t.Errorf("%s has not %v at %d:\n%s", command, a, i+1, output)
					}
				}
			})
		}
	}
	together(others)
}

// With wire stamps, the RTT of each hop begins when its probe is handed to the device.
func TestTraceWire(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 2)
	requireKernel(t, 6, 13) // SCM_TS_OPT_ID
	p := openPinger(t, ping.WithWireTimestamps(true))
	for _, addrs := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
		for h, err := range p.Trace(t.Context(), addrs[2].String(), ping.WithTimeout(time.Minute)) {
			if err != nil || !slices.Equal(h.Addrs(), addrs[h.Distance-1:h.Distance]) {
				t.Errorf("got %v, %v", h, err)
			}
			for _, r := range h.Replies {
				if r.Clock != ping.ClockWire || r.RTT <= 0 {
					t.Errorf("hop %d: %+v", h.Distance, r)
				}
			}
		}
	}
}

// The limit that Linux's routers have for ICMP errors hides none of them, however often we ask.
func TestTraceLimitedRouters(t *testing.T) {
	// The third is the first to meet the limit, and waits for seconds; the plain form of that is TestTraceLimited.
	traces := skipped.AtLength(t, 2, 4)
	chain := netlab.NewChain(t, netlab.Self(t), 8)
	for _, r := range chain.Routers {
		r.Sysctl(t, "net/ipv4/icmp_ratelimit", "1000")
		r.Sysctl(t, "net/ipv6/icmp/ratelimit", "1000")
	}
	p := openPinger(t)
	var wg sync.WaitGroup
	for _, addrs := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
		wg.Go(func() {
			for i := range traces {
				n, start := 0, time.Now()
				for h, err := range p.Trace(t.Context(), addrs[8].String()) {
					n++
					if err != nil || h.Distance != n || !slices.Equal(h.Addrs(), addrs[n-1:n]) {
						t.Errorf("trace %d: got %v, %v", i, h, err)
					}
				}
				t.Logf("trace %d to %v took %v", i, addrs[8], time.Since(start))
				if n != 9 {
					t.Errorf("trace %d to %v: %d hops", i, addrs[8], n)
				}
			}
		})
	}
	wg.Wait()
}
