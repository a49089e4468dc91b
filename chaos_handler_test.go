package ping_test

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/icmpsock/ping"
)

// A handler of a Pinger's log that calls the Pinger.
type handler struct {
	s      *storm
	pinger atomic.Pointer[ping.Pinger] // nil until New has returned
	closes atomic.Bool                 // not Counters but Close
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }
func (h *handler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *handler) WithGroup(string) slog.Handler            { return h }

func (h *handler) Handle(context.Context, slog.Record) error {
	switch p := h.pinger.Load(); {
	case p == nil:
	case h.closes.Load():
		h.s.call("Close by a log handler", 0, func() { p.Close() })
	default:
		h.s.call("Counters by a log handler", 0, func() { p.Counters() })
	}
	return nil
}
