package ping_test

import (
	"context"
	"iter"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// ofLoopback are the first n addresses of 127.0.0.0/8.
func ofLoopback(n int) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := 1; i <= n; i++ {
			if !yield(netip.AddrFrom4([4]byte{127, byte(i >> 16), byte(i >> 8), byte(i)})) {
				return
			}
		}
	}
}

// A Sweep's ctx may end at any moment: while the Sweep puts another processor to use, too.
func TestSweepEndsWhileItGrows(t *testing.T) {
	netlab.Require(t)
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	p := mustNew(t)
	whole, i := 0, 0
	for end := time.Now().Add(skipped.AtLength(t, 300*ms, time.Second)); time.Now().Before(end); i++ {
		if err := p.Reopen(); err != nil { // so that the next Sweep has to open its further sockets anew
			t.Fatal(err)
		}
		after := time.Duration(i%50) * 10 * time.Microsecond
		if i%20 == 0 {
			after *= 10
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		n := 0
		for addr, r := range p.Sweep(ctx, ofLoopback(65_536), ping.WithTimeout(time.Minute)) {
			if n++; r.Err != nil {
				t.Fatalf("%v: %v", addr, r.Err)
			}
		}
		if n == 65_536 {
			whole++
		} else if ctx.Err() == nil {
			t.Fatalf("ended after %d of 65,536, without cause", n)
		}
		cancel()
	}
	if c := p.Counters(); c.Received == 0 || c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned {
		t.Errorf("counters are %+v", c)
	}
	t.Logf("%d Sweeps, of which %d were done in time", i, whole)
	if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
