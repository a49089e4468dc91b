package ping_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

func TestCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		ctx, cancel := context.WithTimeout(t.Context(), 250*ms)
		defer cancel()
		s, err := p.PingN(ctx, target, 100, ping.WithInterval(100*ms))
		if !errors.Is(err, context.DeadlineExceeded) || s == nil || s.Sent != 3 || s.Received != 3 || len(s.Replies) != 3 {
			t.Errorf("got %v, %v", s, err)
		}

		// The probe that was in flight when ctx ended was sent, and is not lost.
		ctx, cancel = context.WithTimeout(t.Context(), 210*ms)
		defer cancel()
		s, err = p.PingN(ctx, target, 100, ping.WithInterval(100*ms))
		if !errors.Is(err, context.DeadlineExceeded) || s.Sent != 3 || s.Received != 2 || s.Pending != 1 || s.Loss() != 0 {
			t.Errorf("got %v, %v", s, err)
		}

		start := time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		r, err := p.Ping(ctx, target)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(r.Err, err) || time.Since(start) != 10*ms {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if _, err := p.Ping(ctx, target); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a ctx that has ended: %v", err)
		}
	})
}

// A call's ctx ends that call alone.
func TestContextIsTheCallsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(100*ms)))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Ping(ctx, target); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := p.Ping(t.Context(), target); err != nil {
				t.Errorf("not cancelled: %v", err)
			}
		})
		time.Sleep(50 * ms)
		cancel()
		wg.Wait()
		if c := p.Counters(); c.Sent != 2 || c.Received != 1 || c.Abandoned != 1 || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}
