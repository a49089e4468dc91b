package ping

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Calls whose turns were set out before Reopen keep to the rate after it.
func TestRateAcrossReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := newFake(echoAfter(ms)), newFake(echoAfter(ms))
		p := newFakePinger(t, f, WithRate(10))
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				for range p.Stream(ctx, target, WithInterval(time.Second)) {
				}
			})
		}
		time.Sleep(15050 * ms)
		c, old := p.newConn(g), p.lines[0].Load().conn // as Reopen, which a fake has not
		p.lines[0].Store(&line{conn: c})
		p.lines[1].Store(&line{conn: c})
		start := time.Now()
		old.retire()
		time.Sleep(time.Second)
		if left := g.departures(start); len(left) < 8 || len(left) > 11 {
			t.Errorf("%d echo requests in a second, at 10/s: %v", len(left), left)
		}
		cancel()
		calls.Wait()
	})
}

// A call that was busy when its turn came has to wait for another.
func TestRateOfBusyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(2500 * ms))
		p := newFakePinger(t, f, WithRate(10))
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		start := time.Now()
		gate := make(chan struct{})
		for range 30 {
			calls.Go(func() {
				for range p.Stream(ctx, target, WithInterval(time.Second), WithTimeout(10*time.Second)) {
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

// The interval runs from the first probe, however long that had to wait for its turn.
func TestIntervalAfterTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)), WithRate(2))
		var others sync.WaitGroup
		for range 5 {
			others.Go(func() { p.Ping(t.Context(), target) })
		}
		synctest.Wait()
		s, err := p.PingN(t.Context(), target, 3, WithInterval(2*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if gap := s.Replies[i+1].Sent.Sub(s.Replies[i].Sent); gap != 2*time.Second {
				t.Errorf("%v from probe %d to the next", gap, i)
			}
		}
		others.Wait()
	})
}

// Close ends those that wait for their turn.
func TestCloseWhileWaitingForTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)), WithRate(1))
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
		p := newFakePinger(t, f, WithRate(8000))
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
		p, err := New(WithTransport(buffered{f, 20}), WithRate(100_000), WithTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		start := time.Now()
		for addr, r := range p.Sweep(t.Context(), someAddrs(100)) {
			if !errors.Is(r.Err, ErrTimeout) {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		// 20 at a time, and room for as many 20 ms later.
		if left := f.departures(start); len(left) != 200 || left[199] < 9*20*ms || left[199] > time.Second {
			t.Errorf("%d left, the last after %v", len(left), left[len(left)-1])
		}
	})
}

// A buffered transport has a receive buffer for so many small answers.
type buffered struct {
	*fake
	answers int
}

func (b buffered) capacity() int { return 2 * b.answers * messageCost(56) }
func (b buffered) drops() uint64 { return 0 }

// Calls that are cancelled before their turn leave it to others.
func TestRateOfCancelled(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(ctx context.Context, p *Pinger)
	}{
		{"Ping", func(ctx context.Context, p *Pinger) { p.Ping(ctx, target) }},
		{"PingN", func(ctx context.Context, p *Pinger) { p.PingN(ctx, target, 3, WithInterval(ms)) }},
		{"Trace", func(ctx context.Context, p *Pinger) {
			for range p.Trace(ctx, target) {
			}
		}},
		{"Sweep", func(ctx context.Context, p *Pinger) {
			for range p.Sweep(ctx, someAddrs(5)) {
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(echoAfter(ms))
				p := newFakePinger(t, f, WithRate(10))
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
