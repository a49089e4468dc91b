package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A lookup is a Resolver that counts.
type lookup struct{ n atomic.Int64 }

func (l *lookup) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	l.n.Add(1)
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}

// After Close no name is looked up.
func TestCloseEndsLookups(t *testing.T) {
	resolver := new(lookup)
	p := mustNew(t, ping.WithTransport(newPort(answering)), ping.WithResolver(resolver))
	if _, err := p.Ping(t.Context(), "host.example"); err != nil || resolver.n.Load() != 1 {
		t.Fatalf("before: %v, after %d lookups", err, resolver.n.Load())
	}
	p.Close()
	resolves := call{"Resolve", func(ctx context.Context, p *ping.Pinger, host string) error {
		_, err := p.Resolve(ctx, host)
		return err
	}}
	named := callsNamed("Ping", "PingN", "Stream", "Reachable", "Trace", "PathMTU", "TraceMTU", "AskInterface")
	for _, c := range append(named, resolves) {
		resolver.n.Store(0)
		if err := c.do(t.Context(), p, "host.example"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want %v", c.name, err, net.ErrClosed)
		}
		if n := resolver.n.Load(); n != 0 {
			t.Errorf("%s: %d lookups", c.name, n)
		}
	}
}

// Calls that wait, for their turn or for room, end at once with their ctx, and with Close.
func TestCloseEndsWaiting(t *testing.T) {
	noRoom := func(*port, []ping.Message) (int, error) { return 0, ping.ErrNoRoom }
	t.Run("for their turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := mustNew(t, ping.WithTransport(newPort(answering)), ping.WithRate(1))
			for range 10 {
				go p.Ping(t.Context(), "192.0.2.1")
			}
			synctest.Wait()
			endAtOnce(t, p)
		})
	})
	t.Run("for a sequence number", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := mustNew(t, ping.WithTransport(newPort(silent)))
			fill(t, p)
			endAtOnce(t, p)
		})
	})
	t.Run("for room in the transport", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { endAtOnce(t, mustNew(t, ping.WithTransport(newPort(noRoom)))) })
	})
}

// endAtOnce tests that all calls end with their ctx, and with Close, in no time.
func endAtOnce(t *testing.T, p *ping.Pinger) {
	t.Helper()
	const after = 100 * time.Millisecond
	all := func(ctx context.Context, want error) {
		t.Helper()
		start := time.Now()
		var running sync.WaitGroup
		for _, c := range calls {
			running.Go(func() {
				if err := c.do(ctx, p, "192.0.2.1"); !errors.Is(err, want) || time.Since(start) != after {
					t.Errorf("%s: %v after %v, want %q after %v", c.name, err, time.Since(start), want, after)
				}
			})
		}
		running.Wait()
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(after, cancel)
	all(ctx, context.Canceled)
	ctx, cancel = context.WithTimeout(t.Context(), after)
	defer cancel()
	all(ctx, context.DeadlineExceeded)
	time.AfterFunc(after, func() { p.Close() })
	all(t.Context(), net.ErrClosed)
}

// fill has as many probes of p in flight as there are sequence numbers, or as it has room for, until the test ends, an
// hour at most. It is called within a bubble.
func fill(t *testing.T, p *ping.Pinger) {
	t.Helper()
	go p.PingN(t.Context(), "192.0.2.99", 1<<16, ping.WithInterval(time.Microsecond), ping.WithTimeout(time.Hour))
	time.Sleep(time.Second)
	if n := p.Counters().InFlight; n < 1<<15 {
		t.Fatalf("%d probes in flight", n)
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		var wg sync.WaitGroup
		wg.Go(func() {
			if r, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) || !errors.Is(r.Err, net.ErrClosed) {
				t.Errorf("Ping: %v", err)
			}
		})
		wg.Go(func() {
			s, err := p.PingN(t.Context(), target, 5, ping.WithInterval(ms))
			if !errors.Is(err, net.ErrClosed) || s.Sent != 5 || s.Pending != 5 || s.Loss() != 0 {
				t.Errorf("PingN: %v, %v", s, err)
			}
		})
		wg.Go(func() {
			if err := p.Reachable(t.Context(), target); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Reachable: %v", err)
			}
		})
		wg.Go(func() {
			for _, err := range p.Stream(t.Context(), target) {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Stream: %v", err)
				}
			}
		})
		time.Sleep(10 * ms)
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if _, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
