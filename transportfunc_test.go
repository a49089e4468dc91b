package ping_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

// New and Reopen open a Transport each, and close what they have opened; Resolve opens none.
func TestTransportFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened []*fake
		var refuse error
		open := func() (ping.Transport, error) {
			if refuse != nil {
				return nil, refuse
			}
			f := newFake(echoAfter(ms))
			opened = append(opened, f)
			return f, nil
		}
		if _, err := ping.Resolve(t.Context(), "fe80::1%nowhere", ping.WithTransportFunc(open)); err != nil || opened != nil {
			t.Errorf("Resolve: %v, %d opened", err, len(opened))
		}
		refuse = errors.New("not today")
		if _, err := ping.New(ping.WithTransportFunc(open)); !errors.Is(err, refuse) || err.Error() != "ping: not today" {
			t.Errorf("New: %v", err)
		}
		refuse = nil
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		p, err := ping.New(ping.WithTransportFunc(open), ping.WithAllSockets(true), ping.WithLogger(log))
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{target, "2001:db8::1"} {
			if _, err := p.Ping(t.Context(), host, ping.WithDontFragment(true)); err != nil {
				t.Error(err)
			}
		}
		refuse = errors.New("not now")
		if err := p.Reopen(); !errors.Is(err, refuse) || len(opened) != 1 {
			t.Errorf("Reopen: %v, %d opened", err, len(opened))
		}
		refuse = nil
		if err := p.Reopen(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(opened) != 2 || !isClosed(opened[0]) || isClosed(opened[1]) {
			t.Errorf("%d opened", len(opened))
		}
		for _, host := range []string{target, "2001:db8::1"} {
			if _, err := p.Ping(t.Context(), host); err != nil {
				t.Error(err)
			}
		}
		// One that has ended by itself is replaced too.
		opened[1].Close()
		synctest.Wait()
		if err := p.Reopen(); err != nil {
			t.Error(err)
		}
		if _, err := p.Ping(t.Context(), target); err != nil {
			t.Error(err)
		}
		if c := p.Counters(); c.Sent != 5 || c.Received != 5 {
			t.Errorf("counters %+v", c)
		}
		p.Close()
		if !isClosed(opened[2]) {
			t.Error("Close leaves a transport open")
		}
		if bytes.Contains(said.Bytes(), []byte("socket")) {
			t.Errorf("a socket of the kernel was opened:\n%s", said.Bytes())
		}
	})
}

func isClosed(f *fake) bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func TestTransportFuncRefused(t *testing.T) {
	for want, open := range map[string]func() (ping.Transport, error){
		"ping: WithTransportFunc(nil): want a function": nil,
		"ping: WithTransportFunc: the function returned neither a Transport nor an error": func() (ping.Transport, error) {
			return nil, nil
		},
	} {
		if _, err := ping.New(ping.WithTransportFunc(open)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// Of two, the later one holds.
	f := newFake(nil)
	refuse := func() (ping.Transport, error) { return nil, context.Canceled }
	p, err := ping.New(ping.WithTransportFunc(refuse), ping.WithTransport(f))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Reopen(); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "WithTransport") {
		t.Errorf("Reopen: %v", err)
	}
}
