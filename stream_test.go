package ping_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			if n == 1 {
				return nil
			}
			return []delayed{{20 * ms, echoed(m)}}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 450*ms)
		defer cancel()
		var order []int
		var last error
		for r, err := range p.Stream(ctx, target, ping.WithInterval(100*ms), ping.WithTimeout(150*ms)) {
			if last != nil {
				t.Error("the error did not come last")
			}
			if last = err; err != nil {
				continue
			}
			order = append(order, r.Seq)
			if (r.Seq == 1) != errors.Is(r.Err, ping.ErrTimeout) {
				t.Errorf("probe %d: %v", r.Seq, r.Err)
			}
		}
		if !errors.Is(last, context.DeadlineExceeded) || !slices.Equal(order, []int{0, 2, 1, 3, 4}) {
			t.Errorf("replies %v, then %v", order, last)
		}

		for range p.Stream(t.Context(), target) {
			break
		}
		if c := p.Counters(); c.InFlight != 0 {
			t.Errorf("%d in flight after the loop broke", c.InFlight)
		}
		for _, err := range p.Stream(t.Context(), "") {
			if err == nil {
				t.Error("a stream to no host")
			}
		}
	})
}
