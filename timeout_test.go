package ping_test

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		start := time.Now()
		r, err := p.Ping(t.Context(), target, ping.WithTimeout(200*ms))
		if d := time.Since(start); d != 200*ms {
			t.Errorf("given up after %v", d)
		}
		var netError net.Error
		if !errors.Is(err, ping.ErrTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) ||
			!errors.As(err, &netError) || !netError.Timeout() {
			t.Errorf("error is %#v", err)
		}
		if !errors.Is(r.Err, ping.ErrTimeout) || r.RTT != 0 || r.From.IsValid() ||
			!r.Received.IsZero() || !r.Sent.Equal(start) {
			t.Errorf("reply is %+v", r)
		}
		if !strings.Contains(err.Error(), target) {
			t.Errorf("%q does not name the target", err)
		}
	})
}

// Each probe has its own timeout, and one that is long holds up none that is short.
func TestTimeoutsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { p.Ping(ctx, target, ping.WithTimeout(math.MaxInt64)) })
		time.Sleep(time.Nanosecond)
		start := time.Now()
		for _, timeout := range []time.Duration{
			time.Hour, 3 * time.Second, 10 * ms, 2 * time.Second, time.Nanosecond, time.Minute,
		} {
			wg.Go(func() {
				_, err := p.Ping(t.Context(), target, ping.WithTimeout(timeout))
				if d := time.Since(start); !errors.Is(err, ping.ErrTimeout) || d != timeout {
					t.Errorf("timeout %v: %v after %v", timeout, err, d)
				}
			})
			synctest.Wait()
		}
		time.Sleep(2 * time.Hour)
	})
}
