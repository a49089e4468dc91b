package ping

import (
	"context"
	"errors"
	"math"
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
		f := newFake(echoOfTarget)
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
				time.Sleep(ms)
				for range maxInFlight - bulkInFlight { // what a Sweep leaves to others
					sweep.Go(func() { p.Ping(t.Context(), "10.0.0.0") })
				}
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

// An interval that never ends stops nothing else.
func TestLongestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoOfTarget)
		p := newFakePinger(t, f)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		const streams = 2 * spreadAfter
		for range streams {
			calls.Go(func() {
				for range p.Stream(ctx, target, WithInterval(math.MaxInt64)) {
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		if _, err := p.Ping(t.Context(), "192.0.2.2"); !errors.Is(err, ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if n := len(f.departures(start)); n != streams+1 {
			t.Errorf("%d echo requests", n)
		}
		cancel()
		calls.Wait()
	})
}

// What finds no room is tried again a millisecond later, no sooner.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		start := time.Now()
		f := newFake(echoAfter(ms))
		f.refuse = func(int, Message) error {
			at := time.Since(start)
			if at < 100*ms || at >= 110*ms {
				return nil
			}
			tries = append(tries, at)
			return ErrNoRoom
		}
		p := newFakePinger(t, f)
		s, err := p.PingN(t.Context(), target, 2, WithInterval(100*ms))
		if err != nil || s.Received != 2 || len(tries) != 10 {
			t.Errorf("%v, %v, after %d tries", s, err, len(tries))
		}
		for i := 1; i < len(tries); i++ {
			if d := tries[i] - tries[i-1]; d != retryAfter {
				t.Errorf("tried again after %v", d)
			}
		}
	})
}

// However short the interval, spreading leaves half of it between the first probe and the second.
func TestSpreadGap(t *testing.T) {
	for _, interval := range []time.Duration{1, 999, ms, 1500 * time.Microsecond, 2 * ms, 10 * ms, time.Second, maxInterval} {
		least, most := time.Duration(math.MaxInt64), time.Duration(0)
		for call := range uint32(5000) {
			s := schedule{interval: int64(interval), next: 123456789 + 7919*int64(call)}
			begin := s.next
			s.spread(call)
			s.sent(begin)
			least, most = min(least, time.Duration(s.next-begin)), max(most, time.Duration(s.next-begin))
		}
		if slack := interval / 10; least < interval/2-slack || most > interval+interval/2+slack {
			t.Errorf("interval %v: %v to %v", interval, least, most)
		}
	}
}

// echoOfTarget answers for target alone.
func echoOfTarget(_ int, m Message) []delayed {
	if m.Addr != netip.MustParseAddr(target) {
		return nil
	}
	return []delayed{{ms, echoed(m)}}
}
