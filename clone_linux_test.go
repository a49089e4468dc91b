package ping_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// A clone has the options of the Pinger that it was made of, sockets of its own, and a life of its own.
func TestClone(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind, ping.WithSize(100), ping.WithSource(netip.MustParseAddr("127.0.0.1")))
		q, err := p.Clone()
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		r, err := q.Ping(t.Context(), "127.0.0.1")
		if err != nil || r.Size != 108 {
			t.Errorf("%+v, %v: want the payload of the first", r, err)
		}
		if _, err := q.Ping(t.Context(), "::1"); err == nil {
			t.Error("the clone pings IPv6, for all that WithSource says")
		}
		if c := p.Counters(); c.Sent != 0 {
			t.Errorf("%d echo requests left by the first", c.Sent)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Errorf("after Close of the first: %v", err)
		}
		if _, err := p.Clone(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Clone after Close: %v", err)
		}
	})
}

// A clone is where the first is, whoever makes it.
func TestCloneInNamespace(t *testing.T) {
	there := newThere(t)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		var p *ping.Pinger
		there.Do(t, func() { p = openPinger(t, kind) })
		q, err := p.Clone()
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		for _, host := range []string{"127.0.0.1", "::1"} {
			if r, err := q.Ping(t.Context(), host); err != nil || r.TTL != thereTTL {
				t.Errorf("TTL %d, want %d: %v", r.TTL, thereTTL, err)
			}
		}
	})
}

// Both together keep to the rate of the one.
func TestCloneSharesTheRate(t *testing.T) {
	p := openPinger(t, ping.WithRate(100), ping.WithInterval(0))
	q, err := p.Clone()
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	began := time.Now()
	for range 10 {
		for _, one := range []*ping.Pinger{p, q} {
			if _, err := one.Ping(t.Context(), "127.0.0.1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if took := time.Since(began); took < 190*time.Millisecond {
		t.Errorf("20 echoes at 100/s took %v", took)
	}
}

// What carries the messages of the one cannot carry those of another.
func TestCloneOverTransport(t *testing.T) {
	p := mustNew(t, ping.WithTransport(newFake(echoAfter(ms))))
	if _, err := p.Clone(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Clone: %v", err)
	}
}
