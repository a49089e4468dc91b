package monitor_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/monitor"
)

// overSockets has a Monitor run over the kernel's sockets until the test ends, and returns its changes.
func overSockets(t *testing.T, targets ...monitor.Target) (*monitor.Monitor, func(monitor.Kind) monitor.Change) {
	t.Helper()
	netlab.Require(t)
	p, err := ping.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	m := monitor.New(p)
	for _, target := range targets {
		if err := m.Add(target); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	changes := m.Changes(ctx)
	run(t, m)
	return m, func(kind monitor.Kind) monitor.Change {
		t.Helper()
		for c := range changes {
			if c.To == monitor.Down {
				t.Errorf("%v", c)
			}
			if c.Kind == kind {
				return c
			}
		}
		t.Fatalf("no change of the kind %v comes", kind)
		return monitor.Change{}
	}
}

// Targets of both families, over the kernel's sockets.
func TestOverSockets(t *testing.T) {
	const targets = 100
	var list []monitor.Target
	for i := range targets {
		host := netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}).String()
		if i%2 == 1 {
			host = "::1"
		}
		list = append(list, monitor.Target{Name: fmt.Sprint(i), Host: host, Interval: 50 * ms, Timeout: 20 * time.Second})
	}
	m, next := overSockets(t, list...)
	for range targets {
		if c := next(monitor.StateChanged); c.To != monitor.Up {
			t.Errorf("%v", c)
		}
	}
	for s := range m.All() {
		if s.State != monitor.Up || s.LastRTT <= 0 || s.Percentile(0, 0.5) <= 0 || s.Loss(0) != 0 {
			t.Errorf("%+v", s.Status)
		}
	}
}

// A firewall on the way that has spoilt its entry for the first identifier: the target stays up, the sockets are
// opened anew, and the new identifier is answered.
func TestStaleIdentifier(t *testing.T) {
	var first, stale atomic.Uint32
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")},
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			first.CompareAndSwap(0, uint32(r.ID)+1)
			if stale.Load() == uint32(r.ID)+1 {
				return nil
			}
			return []netlab.Answer{r.Echo()}
		},
	})
	target := monitor.Target{Name: "a", Host: "198.51.100.7", Interval: 25 * ms, Timeout: 250 * ms, Fall: 20}
	m, next := overSockets(t, target)
	next(monitor.StateChanged)
	stale.Store(first.Load())
	next(monitor.IdentifierIgnored)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for healed := false; !healed; {
		if ctx.Err() != nil {
			t.Fatalf("the new identifier is not answered: %+v", m.Counters())
		}
		s, _ := m.Get("a")
		healed = !s.Ignored && m.Counters().Reopened == 1
		time.Sleep(10 * ms) // no change tells of it
	}
	if s, _ := m.Get("a"); s.State != monitor.Up || s.Counts.Downs != 0 || s.Counts.Ignored != 1 {
		t.Errorf("%+v", s.Status)
	}
}

// The Pinger's logger, which is told of the second Pinger's sockets, may ask the Monitor.
func TestLoggerOfThePinger(t *testing.T) {
	netlab.Require(t)
	var m atomic.Pointer[monitor.Monitor]
	var asked atomic.Bool
	p, err := ping.New(ping.WithLogger(slog.New(asking(func() {
		m := m.Load()
		if m == nil {
			return
		}
		answer := make(chan monitor.Counters, 1)
		go func() { answer <- m.Counters() }()
		select {
		case <-answer:
			asked.Store(true)
		case <-time.After(10 * time.Second):
			t.Error("the Monitor does not answer")
		}
	}))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	m.Store(monitor.New(p))
	run(t, m.Load())()
	if !asked.Load() {
		t.Error("the logger is told nothing")
	}
}

// asking is a slog.Handler that calls a function.
type asking func()

func (asking) Enabled(context.Context, slog.Level) bool    { return true }
func (f asking) Handle(context.Context, slog.Record) error { f(); return nil }
func (f asking) WithAttrs([]slog.Attr) slog.Handler        { return f }
func (f asking) WithGroup(string) slog.Handler             { return f }
