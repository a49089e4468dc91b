package ping_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What keeps a trace from running, or ends it, comes last, with an empty Hop.
func TestTraceErrors(t *testing.T) {
	refused := errors.New("no such luck")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		host string
		opts []ping.ProbeOption
		want string
	}{
		{nil, "", nil, "empty host name"},
		{nil, target, []ping.ProbeOption{ping.WithMaxHops(0)}, "ping 192.0.2.1: WithMaxHops(0): want 1 to 255"},
		{nil, target, []ping.ProbeOption{ping.WithMaxHops(256)}, "WithMaxHops(256): want 1 to 255"},
		{nil, target, []ping.ProbeOption{ping.WithFlow(0)}, "WithFlow(0): want 1 to 65535"},
		{nil, target, []ping.ProbeOption{ping.WithFlow(65536)}, "WithFlow(65536): want 1 to 65535"},
		{
			nil, target, []ping.ProbeOption{ping.WithFlow(9), ping.WithSize(7)},
			"WithFlow(9) with WithSize(7): want a size of 8 or more",
		},
		{nil, target, []ping.ProbeOption{ping.WithSize(7)}, "WithSize(7): Trace takes 8 or more"},
		{nil, target, []ping.ProbeOption{ping.WithCount(1001)}, "WithCount(1001): Trace takes 1 to 1000"},
		{nil, target, []ping.ProbeOption{nil}, "option 0 is nil"},
		{cancelled, target, nil, "context canceled"},
		{nil, target, []ping.ProbeOption{ping.WithMaxHops(1)}, "ping 192.0.2.1: no such luck"},
	} {
		t.Run(c.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(nil)
				f.refuse = func(int, ping.Message) error { return refused }
				p := newFakePinger(t, f)
				ctx := c.ctx
				if ctx == nil {
					ctx = t.Context()
				}
				n := 0
				for h, err := range p.Trace(ctx, c.host, c.opts...) {
					if n++; err == nil || !strings.Contains(err.Error(), c.want) || h.Distance != 0 || h.Replies != nil {
						t.Errorf("got %v, %v", h, err)
					}
				}
				if n != 1 {
					t.Errorf("%d turns", n)
				}
			})
		})
	}
	if p, err := ping.New(ping.WithTransport(newFake(nil)), ping.WithFlow(9), ping.WithSize(7)); err == nil || p != nil {
		t.Errorf("New with WithFlow(9) and WithSize(7): %v", err)
	}
}

// Whenever a trace is broken, cancelled or its Pinger closed, nothing is left of it.
func TestTraceCutShort(t *testing.T) {
	routers := []string{"10.0.0.1", "", "10.0.0.3", "", "10.0.0.5"}
	for at := time.Duration(0); at < 2400*ms; at += 7 * ms {
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			f := newFake(w.answer)
			p := newFakePinger(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), at)
			defer cancel()
			start := time.Now()
			var last error
			for _, err := range p.Trace(ctx, target) {
				last = err
			}
			if last != nil && (!errors.Is(last, context.DeadlineExceeded) || time.Since(start) != at) {
				t.Errorf("after %v: %v", time.Since(start), last)
			}
			checkNothingLeft(t, p, w, f)
		})
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			p := newFakePinger(t, newFake(w.answer))
			time.AfterFunc(at, func() { p.Close() })
			start := time.Now()
			var last error
			for _, err := range p.Trace(t.Context(), target) {
				last = err
			}
			if last != nil && (!errors.Is(last, net.ErrClosed) || time.Since(start) != at) {
				t.Errorf("after %v: %v", time.Since(start), last)
			}
			if c := p.Counters(); c.InFlight != 0 {
				t.Errorf("counters %+v", c)
			}
		})
	}
	for turns := 1; turns <= 6; turns++ {
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			f := newFake(w.answer)
			p := newFakePinger(t, f)
			n := 0
			for h, err := range p.Trace(t.Context(), target) {
				if n++; err != nil || h.Distance != n {
					t.Errorf("turn %d: %v, %v", n, h, err)
				}
				if n == turns {
					break
				}
			}
			checkNothingLeft(t, p, w, f)
		})
	}
}

// However many traces have been cut short, there is room for as many probes in flight as before.
func TestTraceLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{routers: []string{"10.0.0.1", "", "10.0.0.3", "", "10.0.0.5"}}
		f := newFake(w.answer)
		p := newFakePinger(t, f)
		for at := time.Duration(0); at < 2400*ms; at += 7 * ms {
			ctx, cancel := context.WithTimeout(t.Context(), at)
			for range p.Trace(ctx, target) {
			}
			cancel()
		}
		f.answer = nil // nothing is in flight
		time.Sleep(10 * time.Second)
		before := p.Counters().Sent
		var series sync.WaitGroup
		series.Go(func() {
			p.PingN(t.Context(), target, tableRoom, ping.WithInterval(time.Nanosecond), ping.WithTimeout(10*time.Second))
		})
		time.Sleep(time.Second)
		if c := p.Counters(); c.Sent-before != tableRoom || c.InFlight != tableRoom {
			t.Errorf("%d probes are in flight, want %d", c.InFlight, tableRoom)
		}
		series.Wait()
	})
}

// checkNothingLeft looks whether a trace that has ended has probes in flight, or sends more, or still takes part in the
// transport, which then outlives its replacement.
func checkNothingLeft(t *testing.T, p *ping.Pinger, w *way, f *fake) {
	t.Helper()
	c := p.Counters()
	sent := len(w.probes())
	time.Sleep(5 * time.Second)
	after := p.Counters()
	if c.InFlight != 0 || after.Sent != c.Sent || len(w.probes()) != sent {
		t.Errorf("counters %+v, and later %+v", c, after)
	}
	if err := ping.ReopenOver(p, newFake(nil)); err != nil {
		t.Fatal(err)
	}
	if !f.closed() {
		t.Error("something is left of the trace: the transport that has been replaced is not closed")
	}
	if last := p.Counters(); last != after {
		t.Errorf("counters %+v, and over another transport %+v", after, last)
	}
}
