package ping_test

import (
	"log/slog"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// A log handler may ask for the counters whenever it is told that a socket was opened.
func TestHandlerCallsWhileOpening(t *testing.T) {
	netlab.Require(t)
	for name, open := range map[string]func(p *ping.Pinger) error{
		"Reopen": (*ping.Pinger).Reopen,
		"a socket of another kind": func(p *ping.Pinger) error {
			_, err := p.Ping(t.Context(), "127.0.0.1", ping.WithDontFragment(true))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			handler := newCaller(func(p *ping.Pinger) { p.Counters() })
			p, err := ping.New(ping.WithLogger(slog.New(handler)))
			if err != nil {
				t.Fatal(err)
			}
			handler.pinger.Store(p)
			within(t, "the handler's call", func() {
				if err := open(p); err != nil {
					t.Error(err)
				}
				p.Close()
			})
			if len(handler.dealt) == 0 {
				t.Error("the handler was told nothing")
			}
		})
	}
}
