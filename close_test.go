package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
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
	for _, c := range append(callsNamed("Ping", "PingN", "Stream", "Reachable", "Trace", "PathMTU"), resolves) {
		resolver.n.Store(0)
		if err := c.do(t.Context(), p, "host.example"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want %v", c.name, err, net.ErrClosed)
		}
		if n := resolver.n.Load(); n != 0 {
			t.Errorf("%s: %d lookups", c.name, n)
		}
	}
}

// A call that waits, for its turn or for room, ends at once with its ctx, and with Close.
func TestCloseEndsWaiting(t *testing.T) {
	for _, c := range calls {
		t.Run("turn "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := mustNew(t, ping.WithTransport(newPort(answering)), ping.WithRate(1))
				for range 10 {
					go p.Ping(t.Context(), "192.0.2.1")
				}
				synctest.Wait()
				endsAtOnce(t, p, c)
			})
		})
		t.Run("room "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := mustNew(t, ping.WithTransport(newPort(silent)))
				fill(t, p)
				endsAtOnce(t, p, c)
			})
		})
		t.Run("no room "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := mustNew(t, ping.WithTransport(newPort(func(*port, []ping.Message) (int, error) { return 0, ping.ErrNoRoom })))
				endsAtOnce(t, p, c)
			})
		})
	}
}

// endsAtOnce tests that c ends with its ctx, and with Close, in no time.
func endsAtOnce(t *testing.T, p *ping.Pinger, c call) {
	t.Helper()
	const after = 100 * time.Millisecond
	for name, want := range map[string]error{"cancelled": context.Canceled, "deadline": context.DeadlineExceeded} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if want == context.Canceled {
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
		}
		start := time.Now()
		if err := c.do(ctx, p, "192.0.2.1"); !errors.Is(err, want) || time.Since(start) != after {
			t.Errorf("%s: %v after %v, want it after %v", name, err, time.Since(start), after)
		}
		cancel()
	}
	time.AfterFunc(after, func() { p.Close() })
	start := time.Now()
	if err := c.do(t.Context(), p, "192.0.2.1"); !errors.Is(err, net.ErrClosed) || time.Since(start) != after {
		t.Errorf("Close: %v after %v, want it after %v", err, time.Since(start), after)
	}
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
