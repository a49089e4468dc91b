package ping_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// The echo requests to one address of a Sweep are an interval apart, and each address's first leaves at once.
func TestSweepInterval(t *testing.T) {
	for _, c := range []struct {
		name  string
		opts  []ping.ProbeOption
		after []time.Duration
	}{
		{"a second is usual", nil, []time.Duration{0, time.Second, 2 * time.Second}},
		{"as asked for", []ping.ProbeOption{ping.WithInterval(70 * ms)}, []time.Duration{0, 70 * ms, 140 * ms}},
		{"none", []ping.ProbeOption{ping.WithInterval(0)}, []time.Duration{0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(echoAfter(10*ms)))
				start := time.Now()
				got := map[netip.Addr]int{}
				for addr, r := range p.Sweep(t.Context(), someAddrs(300), append(c.opts, ping.WithCount(3))...) {
					if after := r.Sent.Sub(start); r.Err != nil || r.Seq != got[addr] || after != c.after[r.Seq] {
						t.Fatalf("%v: %+v, after %v", addr, r, after)
					}
					got[addr]++
				}
				if len(got) != 600 {
					t.Errorf("%d addresses", len(got))
				}
			})
		})
	}
}

// An iterator is asked for no more addresses than are kept between their first echo request and their last:
// so many of each family.
func TestSweepIntervalRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		given := 0
		addrs := func(yield func(netip.Addr) bool) {
			for addr := range someAddrs(1 << 18) {
				if given++; !yield(addr) {
					return
				}
			}
		}
		seen := 0
		for _, r := range p.Sweep(t.Context(), addrs, ping.WithCount(2), ping.WithInterval(time.Hour/2)) {
			if r.Seq == 1 {
				break
			}
			if seen++; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if seen != 1<<17 || given > seen+1000 {
			t.Errorf("%d answered once, of %d", seen, given)
		}
	})
}
