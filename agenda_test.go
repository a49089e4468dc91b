package ping

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A batching fake notes how many messages it is given at a time.
type batching struct {
	*fake
	mu    sync.Mutex
	sizes map[int]int
}

func (b *batching) Send(messages []Message) (int, error) {
	b.mu.Lock()
	b.sizes[len(messages)]++
	b.mu.Unlock()
	return b.fake.Send(messages)
}

// What falls due together, of however many calls, leaves in batches, and in no more than that.
func TestDueTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &batching{fake: newFake(echoAfter(20 * ms)), sizes: map[int]int{}}
		p, err := New(WithTransport(b))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+ms/2)
		defer cancel()
		var calls sync.WaitGroup
		const streams = spreadAfter + 1000 // ten and more in each of a hundred milliseconds
		for range streams {
			calls.Go(func() {
				for r, err := range p.Stream(ctx, target, WithInterval(100*ms)) {
					if r.Err != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
		}
		calls.Wait()
		echoes, batches := 0, 0
		for size, n := range b.sizes {
			echoes += size * n
			batches += n
		}
		if want := streams * 600; echoes < want-streams || echoes > want+streams {
			t.Errorf("%d echo requests, not %d", echoes, want)
		}
		if batches > echoes/4 {
			t.Errorf("%d echo requests in %d batches", echoes, batches)
		}
	})
}

// A probe that falls due while the table is full leaves when there is room, and the call goes on.
func TestDueWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ int, m Message) []delayed {
			if m.Addr != netip.MustParseAddr(target) {
				return nil
			}
			return []delayed{{ms, echoed(m)}}
		})
		p := newFakePinger(t, f)
		var sweep sync.WaitGroup
		start := time.Now()
		last := time.Time{}
		var longest time.Duration
		for r, err := range p.Stream(t.Context(), target, WithInterval(100*ms), WithCount(40)) {
			if err != nil || r.Err != nil || r.RTT != ms {
				t.Fatalf("%+v, %v", r, err)
			}
			if !last.IsZero() {
				longest = max(longest, r.Sent.Sub(last))
			}
			if last = r.Sent; r.Seq == 5 {
				sweep.Go(func() {
					for addr, r := range p.Sweep(t.Context(), someAddrs(maxInFlight)) {
						if !errors.Is(r.Err, ErrTimeout) {
							t.Errorf("%v: %v", addr, r.Err)
						}
					}
				})
			}
		}
		sweep.Wait()
		if longest < 900*ms || longest > 1100*ms {
			t.Errorf("%v without a probe, while the table was full for a second", longest)
		}
		if d := time.Since(start); d > 6*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
