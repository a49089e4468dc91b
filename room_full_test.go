package ping_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// Where all sequence numbers are taken for an hour, a call does not wait for longer than its own timeout.
func TestNoRoomWithinTimeout(t *testing.T) {
	second := []call{
		{"Ping", func(ctx context.Context, p *ping.Pinger, host string) error {
			_, err := p.Ping(ctx, host, ping.WithTimeout(time.Second))
			return err
		}},
		{"PingN", func(ctx context.Context, p *ping.Pinger, host string) error {
			s, err := p.PingN(ctx, host, 1, ping.WithTimeout(time.Second))
			if err == nil {
				err = s.Replies[0].Err
			}
			return err
		}},
		{"Reachable", func(ctx context.Context, p *ping.Pinger, host string) error {
			return p.Reachable(ctx, host, ping.WithTimeout(time.Second), ping.WithCount(1))
		}},
		{"Trace", func(ctx context.Context, p *ping.Pinger, host string) (last error) {
			for _, err := range p.Trace(ctx, host, ping.WithTimeout(time.Second)) {
				last = err
			}
			return last
		}},
		{"PathMTU", func(ctx context.Context, p *ping.Pinger, host string) error {
			_, err := p.PathMTU(ctx, host, ping.WithTimeout(time.Second))
			return err
		}},
		{"TraceMTU", func(ctx context.Context, p *ping.Pinger, host string) (last error) {
			for _, err := range p.TraceMTU(ctx, host, ping.WithTimeout(time.Second)) {
				last = err
			}
			return last
		}},
	}
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, ping.WithTransport(newPort(silent)))
		fill(t, p)
		start := time.Now()
		var running sync.WaitGroup
		for _, c := range second {
			running.Go(func() {
				err := c.do(t.Context(), p, "192.0.2.1")
				if d := time.Since(start); !errors.Is(err, ping.ErrNoRoom) || d > time.Second+time.Millisecond {
					t.Errorf("%s: %v after %v, want %q after a second", c.name, err, d, ping.ErrNoRoom)
				}
			})
		}
		running.Wait()
	})
}

// A Stream that was running when the room ran out says so, at its interval, and goes on when there is room again.
func TestStreamWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, ping.WithTransport(newPort(func(p *port, messages []ping.Message) (int, error) {
			for _, m := range messages {
				if m.Addr.String() == "192.0.2.1" {
					p.deliver(m)
				}
			}
			return len(messages), nil
		})))
		type told struct {
			at  time.Duration
			err error
		}
		var mu sync.Mutex
		var list []told
		replies := func() []told {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(list)
		}
		start := time.Now()
		go func() {
			opts := []ping.ProbeOption{ping.WithInterval(time.Second), ping.WithTimeout(500 * time.Millisecond)}
			for r, err := range p.Stream(t.Context(), "192.0.2.1", opts...) {
				if err != nil {
					return
				}
				mu.Lock()
				list = append(list, told{time.Since(start), r.Err})
				mu.Unlock()
			}
		}()
		time.Sleep(9900 * time.Millisecond)
		synctest.Wait()
		if before := replies(); len(before) != 10 || before[9].err != nil {
			t.Fatalf("before: %v", before)
		}
		fill(t, p)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		without := replies()[10:]
		if len(without) < 19 || len(without) > 22 {
			t.Errorf("%d replies in 20 s, an interval of one second apart", len(without))
		}
		for i, r := range without {
			if i > 0 && !errors.Is(r.err, ping.ErrNoRoom) {
				t.Errorf("after %v: %v, want %q", r.at, r.err, ping.ErrNoRoom)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		n := len(replies())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if last := replies()[n:]; len(last) < 9 || last[0].err != nil || last[len(last)-1].err != nil {
			t.Errorf("when there is room again: %v", last)
		}
	})
}

// tableRoom is how many probes may be in flight over one transport: a sixteenth of the sequence numbers is left at
// rest, so that what comes late is known for what it is.
const tableRoom = 1<<16 - 1<<12

// More probes than the table has slots wait for one; none is mixed up with another.
func TestTableFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(100 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		const extra = 1000
		s, err := p.PingN(t.Context(), target, tableRoom+extra, ping.WithInterval(time.Nanosecond))
		if err != nil || s.Received != tableRoom+extra || s.Min != 100*ms || s.Max != 100*ms {
			t.Fatalf("got %v, %v", s, err)
		}
		for i, at := range f.departures(start) {
			if late := i >= tableRoom; late != (at >= 100*ms) {
				t.Fatalf("probe %d left at %v", i, at)
			}
		}

		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		s, err = p.PingN(ctx, target, tableRoom+1, ping.WithInterval(time.Nanosecond))
		if !errors.Is(err, context.DeadlineExceeded) || s.Sent != tableRoom || s.Pending != tableRoom {
			t.Errorf("one too many: %v, %v", s, err)
		}
		if c := p.Counters(); c.Abandoned != tableRoom || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
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
		for r, err := range p.Stream(t.Context(), target, ping.WithInterval(100*ms), ping.WithCount(40)) {
			if err != nil || r.Err != nil || r.RTT != ms {
				t.Fatalf("%+v, %v", r, err)
			}
			if !last.IsZero() {
				longest = max(longest, r.Sent.Sub(last))
			}
			if last = r.Sent; r.Seq == 5 {
				sweep.Go(func() {
					for addr, r := range p.Sweep(t.Context(), someAddrs(tableRoom)) {
						if !errors.Is(r.Err, ping.ErrTimeout) {
							t.Errorf("%v: %v", addr, r.Err)
						}
					}
				})
				time.Sleep(ms)
				for range tableRoom / 16 { // what a Sweep leaves to others
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
