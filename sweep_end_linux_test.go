package ping

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

// A context may end while the caller's goroutine starts a lane, and all lanes that it has started have ended.
func TestSweepEndsWhileLanesStart(t *testing.T) {
	netlab.Require(t)
	p := newPinger(t)
	addrs := func(yield func(netip.Addr) bool) {
		a := netip.MustParseAddr("127.1.0.0")
		for range 1 << 16 {
			if !yield(a) {
				return
			}
			a = a.Next()
		}
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(200*time.Microsecond))))
		for range p.Sweep(ctx, addrs) {
		}
		cancel()
	}
}
