package ping_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// Calls whose turns were set out before Reopen keep to the rate after it.
func TestRateAcrossReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := newFake(echoAfter(ms)), newFake(echoAfter(ms))
		p := newFakePinger(t, f, ping.WithRate(10))
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				for range p.Stream(ctx, target, ping.WithInterval(time.Second)) {
				}
			})
		}
		time.Sleep(15050 * ms)
		start := time.Now()
		if err := ping.ReopenOver(p, g); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if left := g.departures(start); len(left) < 8 || len(left) > 11 {
			t.Errorf("%d echo requests in a second, at 10/s: %v", len(left), left)
		}
		cancel()
		calls.Wait()
	})
}
