package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// Where the transport has no room a probe waits for it, within ctx.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		busy := 3
		f.refuse = func(int, ping.Message) error {
			if busy--; busy >= 0 {
				return fmt.Errorf("queue: %w", ping.ErrNoRoom)
			}
			return nil
		}
		p := newFakePinger(t, f)
		start := time.Now()
		r, err := p.Ping(t.Context(), target)
		if err != nil || r.RTT != 20*ms || time.Since(start) != 3*ms+20*ms {
			t.Errorf("got %v, %v after %v", r, err, time.Since(start))
		}

		busy = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		var wg sync.WaitGroup
		for range 20 { // more than a batch
			wg.Go(func() {
				if _, err := p.Ping(ctx, target); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		start = time.Now()
		_, err = p.Ping(t.Context(), target)
		if !errors.Is(err, ping.ErrNoRoom) || time.Since(start).Round(10*ms) != time.Second {
			t.Errorf("no room for as long as the timeout: %v after %v", err, time.Since(start))
		}
		wg.Go(func() {
			if _, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed while waiting for room: %v", err)
			}
		})
		synctest.Wait()
		p.Close()
		wg.Wait()
	})
}

// One destination that there is no room for holds up no other.
func TestNoRoomForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		f.refuse = func(_ int, m ping.Message) error {
			if m.Addr == netip.MustParseAddr("192.0.2.66") {
				return ping.ErrNoRoom
			}
			return nil
		}
		p := newFakePinger(t, f)
		const crowded = 24 // probes for it: those of several batches
		var wg sync.WaitGroup
		for range crowded {
			wg.Go(func() {
				if _, err := p.Ping(t.Context(), "192.0.2.66", ping.WithTimeout(time.Second)); !errors.Is(err, ping.ErrNoRoom) {
					t.Errorf("the one: %v", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for range 10 {
			if _, err := p.Ping(t.Context(), target); err != nil {
				t.Errorf("another: %v", err)
			}
		}
		if d := time.Since(start); d > 10*3*ms {
			t.Errorf("ten pings of another took %v", d)
		}
		wg.Wait()
		if c := p.Counters(); c.SendErrors != crowded || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// What finds no room is tried again a millisecond later, no sooner.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		start := time.Now()
		f := newFake(echoAfter(ms))
		f.refuse = func(int, ping.Message) error {
			at := time.Since(start)
			if at < 100*ms || at >= 110*ms {
				return nil
			}
			tries = append(tries, at)
			return ping.ErrNoRoom
		}
		p := newFakePinger(t, f)
		s, err := p.PingN(t.Context(), target, 2, ping.WithInterval(100*ms))
		if err != nil || s.Received != 2 || len(tries) != 10 {
			t.Errorf("%v, %v, after %d tries", s, err, len(tries))
		}
		for i := 1; i < len(tries); i++ {
			if d := tries[i] - tries[i-1]; d != ms {
				t.Errorf("tried again after %v", d)
			}
		}
	})
}

// Those who wait for a slot are told when cancelled probes give theirs back unsent.
func TestRoomOfCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		var room, asked atomic.Bool
		var tried atomic.Int32
		seen := map[uint16]bool{} // in Send alone
		f.refuse = func(_ int, m ping.Message) error {
			if m.Addr.String() == target {
				asked.Store(true)
			} else if seq := sequenceNumber(m); !seen[seq] {
				seen[seq] = true
				tried.Add(1)
			}
			if !room.Load() {
				return ping.ErrNoRoom
			}
			return nil
		}
		p := newFakePinger(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			opts := []ping.ProbeOption{ping.WithInterval(time.Nanosecond), ping.WithTimeout(time.Minute)}
			if s, err := p.PingN(ctx, "192.0.2.2", 2*tableRoom, opts...); !errors.Is(err, context.Canceled) || s.Sent != 0 {
				t.Errorf("cancelled: %v, %v", s, err)
			}
		})
		for tried.Load() < tableRoom {
			time.Sleep(ms)
		}
		done := make(chan error)
		go func() {
			_, err := p.Ping(t.Context(), target)
			done <- err
		}()
		time.Sleep(100 * ms)
		if asked.Load() {
			t.Error("there was a slot for one more")
		}
		start := time.Now()
		cancel()
		synctest.Wait() // else some of the cancelled may leave first
		room.Store(true)
		if err := <-done; err != nil || time.Since(start) > 10*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		waiting.Wait()
	})
}
