package ping

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Of the probes of many calls, those that fall due in the same millisecond leave together: one waking for all.
func TestDueTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		var calls sync.WaitGroup
		const streams, echoes = spreadAfter + 1000, 20 // ten and more in each of a hundred milliseconds
		for range streams {
			calls.Go(func() {
				for r, err := range p.Stream(t.Context(), target, WithInterval(100*ms), WithCount(echoes)) {
					if r.Err != nil || err != nil || r.RTT != 20*ms {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
		}
		calls.Wait()
		left := f.departures(start)
		if len(left) != streams*echoes {
			t.Errorf("%d echo requests, not %d", len(left), streams*echoes)
		}
		if n := len(slices.Compact(left)); n > len(left)/5 {
			t.Errorf("%d echo requests left at %d instants", len(left), n)
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
