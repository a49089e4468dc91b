package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// The rate is that of the whole Pinger, over any length of time, evenly spaced and fairly shared.
func TestRate(t *testing.T) {
	for _, c := range []struct {
		rate  int
		sweep bool
		time  time.Duration
	}{
		{1, true, time.Hour},
		{7, true, skipped.AtLength(t, 10*time.Minute, time.Hour)},
		{100, false, skipped.AtLength(t, 2*time.Minute, 10*time.Minute)},
		{1000, true, skipped.AtLength(t, 5*time.Second, 20*time.Second)},
		{20_000, true, skipped.AtLength(t, 500*ms, 2*time.Second)},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(echoAfter(20 * ms))
			p := newFakePinger(t, f, ping.WithRate(c.rate))
			ctx, cancel := context.WithTimeout(t.Context(), c.time)
			defer cancel()
			start := time.Now()
			endless := func(yield func(netip.Addr) bool) {
				for yield(netip.MustParseAddr(target)) {
				}
			}
			counts := make([]int, 5)
			var wg sync.WaitGroup
			if c.sweep {
				for range p.Sweep(ctx, endless) {
				}
			} else {
				for i := range counts {
					wg.Go(func() {
						for _, err := range p.Stream(ctx, target, ping.WithInterval(0)) {
							if err == nil {
								counts[i]++
							}
						}
					})
				}
			}
			wg.Wait()
			left := f.departures(start)
			want := float64(c.rate) * c.time.Seconds()
			if n := float64(len(left)); n < 0.98*want || n > 1.02*want+1 {
				t.Errorf("%d/s for %v: %v echo requests", c.rate, c.time, n)
			}
			gap := time.Second / time.Duration(c.rate)
			if gap >= ms {
				for i := 1; i < len(left); i++ {
					if d := left[i] - left[i-1]; d < gap*98/100 || d > gap*102/100 {
						t.Fatalf("%d/s: %v between %d and the next", c.rate, d, i-1)
					}
				}
			}
			if !c.sweep {
				if least, most := slices.Min(counts), slices.Max(counts); most-least > 2 {
					t.Errorf("unfair: %v", counts)
				}
			}
		})
	}
}

// A call that was busy when its turn came has to wait for another.
func TestRateOfBusyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(2500 * ms))
		p := newFakePinger(t, f, ping.WithRate(10))
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		start := time.Now()
		gate := make(chan struct{})
		for range 30 {
			calls.Go(func() {
				for range p.Stream(ctx, target, ping.WithInterval(time.Second), ping.WithTimeout(10*time.Second)) {
					if time.Since(start) > 10*time.Second {
						<-gate
					}
				}
			})
		}
		time.Sleep(time.Minute)
		before := len(f.departures(start))
		close(gate)
		time.Sleep(time.Second)
		if left := f.departures(start)[before:]; len(left) < 8 || len(left) > 11 {
			t.Errorf("%d echo requests in a second, at 10/s: %v", len(left), left)
		}
		cancel()
		calls.Wait()
	})
}

// Close ends those that wait for their turn.
func TestCloseWhileWaitingForTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)), ping.WithRate(1))
		var calls sync.WaitGroup
		start := time.Now()
		closed := 0
		for range 10 {
			calls.Go(func() { p.Ping(t.Context(), target) })
		}
		calls.Go(func() {
			for _, r := range p.Sweep(t.Context(), someAddrs(5)) {
				if errors.Is(r.Err, net.ErrClosed) {
					closed++
				}
			}
		})
		time.Sleep(100 * ms)
		p.Close()
		calls.Wait()
		if d := time.Since(start); d != 100*ms {
			t.Errorf("the last call returned after %v, Close came after 100ms", d)
		}
		if closed < 4 {
			t.Errorf("%d addresses of 5 were told of it", closed)
		}
	})
}

// A Sweep whose addresses come in dribs and drabs keeps to the rate.
func TestRateOfTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms / 10))
		p := newFakePinger(t, f, ping.WithRate(8000))
		start := time.Now()
		trickle := func(yield func(netip.Addr) bool) {
			i := 0
			for addr := range someAddrs(4000) {
				if i++; i%9 == 0 {
					time.Sleep(ms)
				}
				if !yield(addr) {
					return
				}
			}
		}
		for range p.Sweep(t.Context(), trickle) {
		}
		// someAddrs yields each twice.
		if left := f.departures(start); left[len(left)-1] < time.Duration(len(left)-16)*time.Second/8000 {
			t.Errorf("%d echo requests in %v, at 8000/s", len(left), left[len(left)-1])
		}
	})
}

// A Sweep with a rate, and with no room for more in flight, waits for room and does not turn in circles: here time
// passes only while all wait.
func TestRateWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nil)
		p, err := ping.New(ping.WithTransport(buffered{f, 20}), ping.WithRate(100_000), ping.WithTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		start := time.Now()
		for addr, r := range p.Sweep(t.Context(), someAddrs(100)) {
			if !errors.Is(r.Err, ping.ErrTimeout) {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		// 20 at a time, and room for as many 20 ms later.
		if left := f.departures(start); len(left) != 200 || left[199] < 9*20*ms || left[199] > time.Second {
			t.Errorf("%d left, the last after %v", len(left), left[len(left)-1])
		}
	})
}

// Calls that are cancelled before their turn leave it to others.
func TestRateOfCancelled(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(ctx context.Context, p *ping.Pinger)
	}{
		{"Ping", func(ctx context.Context, p *ping.Pinger) { p.Ping(ctx, target) }},
		{"PingN", func(ctx context.Context, p *ping.Pinger) { p.PingN(ctx, target, 3, ping.WithInterval(ms)) }},
		{"Trace", func(ctx context.Context, p *ping.Pinger) {
			for range p.Trace(ctx, target) {
			}
		}},
		{"Sweep", func(ctx context.Context, p *ping.Pinger) {
			for range p.Sweep(ctx, someAddrs(5)) {
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(echoAfter(ms))
				p := newFakePinger(t, f, ping.WithRate(10))
				ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
				defer cancel()
				start := time.Now()
				var calls sync.WaitGroup
				for range 1000 {
					calls.Go(func() { c.call(ctx, p) })
				}
				calls.Wait()
				for range 3 {
					if _, err := p.Ping(t.Context(), target); err != nil {
						t.Fatal(err)
					}
				}
				left := f.departures(start)
				if len(left) != 4 || left[1] != 100*ms || left[2] != 200*ms || left[3] != 300*ms {
					t.Errorf("departures at %v", left)
				}
			})
		})
	}
}
