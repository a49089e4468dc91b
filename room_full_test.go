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
