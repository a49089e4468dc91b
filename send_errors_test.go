package ping_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A send error ends its probe at once, and the run goes on.
func TestSendErrors(t *testing.T) {
	for _, errno := range []error{errors.New("no route"), os.ErrPermission} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(echoAfter(20 * ms))
			calls := 0
			f.refuse = func(int, ping.Message) error {
				if calls++; calls == 2 {
					return errno
				}
				return nil
			}
			p := newFakePinger(t, f)
			s, err := p.PingN(t.Context(), target, 3, ping.WithInterval(100*ms))
			if err != nil || s.Sent != 2 || s.Received != 2 || s.SendErrors != 1 || !errors.Is(s.Replies[1].Err, errno) {
				t.Errorf("got %v, %v", s, err)
			}
			if calls != 3 {
				t.Errorf("%d attempts to send 3 probes", calls)
			}
		})
	}
}

// What has to wait until others are sent, for longer than its timeout even, has not been refused: it is sent.
func TestSlowSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		f.refuse = func(int, ping.Message) error {
			time.Sleep(ms)
			return nil
		}
		p := newFakePinger(t, f)
		var wg sync.WaitGroup
		const calls = 2048 // four times as many as one caller sends for others, 64 batches of 8
		for range calls {
			wg.Go(func() {
				if _, err := p.Ping(t.Context(), target, ping.WithTimeout(100*ms)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if c := p.Counters(); c.Received != calls || c.SendErrors != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}
