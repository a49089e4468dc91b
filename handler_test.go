package ping_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// A caller is a log handler that calls the Pinger which logs.
type caller struct {
	slog.Handler
	pinger atomic.Pointer[ping.Pinger] // nil: not yet
	call   func(p *ping.Pinger)
	dealt  chan string // the messages of the records that it has dealt with
}

func newCaller(call func(p *ping.Pinger)) *caller {
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	return &caller{Handler: slog.NewTextHandler(io.Discard, debug), call: call, dealt: make(chan string, 100)}
}

func (c *caller) Handle(_ context.Context, r slog.Record) error {
	if p := c.pinger.Load(); p != nil {
		c.call(p)
		c.dealt <- r.Message
	}
	return nil
}

// What a log handler asks of the Pinger, when the transport has ended, is answered.
func TestHandlerCallsAtTheEnd(t *testing.T) {
	for name, ask := range map[string]func(p *ping.Pinger){
		"Counters": func(p *ping.Pinger) { p.Counters() },
		"Close":    func(p *ping.Pinger) { p.Close() },
		"Ping":     func(p *ping.Pinger) { p.Ping(t.Context(), "192.0.2.1", ping.WithTimeout(time.Millisecond)) },
		"Reopen":   func(p *ping.Pinger) { p.Reopen() },
		"all": func(p *ping.Pinger) {
			p.Ping(t.Context(), "192.0.2.1", ping.WithTimeout(time.Millisecond))
			p.Counters()
			p.Close()
			p.Counters()
		},
	} {
		t.Run(name, func(t *testing.T) {
			handler := newCaller(ask)
			transport := newPort(silent)
			p, err := ping.New(ping.WithTransport(transport), ping.WithLogger(slog.New(handler)))
			if err != nil {
				t.Fatal(err)
			}
			handler.pinger.Store(p)
			within(t, "the handler's call, and Close", func() {
				transport.fail(errors.New("the cable is out"))
				<-handler.dealt
				p.Close()
			})
			if len(handler.dealt) > 0 {
				t.Errorf("the handler was told %q, too", <-handler.dealt)
			}
		})
	}
}

// Close of the handler closes the Pinger as any other: what is in flight ends.
func TestHandlerClosesBesideCalls(t *testing.T) {
	handler := newCaller(func(p *ping.Pinger) { p.Close() })
	transport := newPort(silent)
	p, err := ping.New(ping.WithTransport(transport), ping.WithLogger(slog.New(handler)))
	if err != nil {
		t.Fatal(err)
	}
	handler.pinger.Store(p)
	ended := make(chan error, len(calls))
	for _, c := range calls {
		go func() { ended <- c.do(t.Context(), p, "192.0.2.1") }()
	}
	eventually(t, "all are in flight", func() bool { return p.Counters().Sent >= uint64(len(calls)) })
	within(t, "the end of all calls", func() {
		transport.fail(errors.New("the cable is out"))
		for range calls {
			if err := <-ended; err == nil {
				t.Error("a call ended without an error")
			}
		}
		p.Close()
	})
}
