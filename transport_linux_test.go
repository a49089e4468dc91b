package ping

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

// unpolled hides that a socket can be polled, so that a Pinger uses it as it does any Transport.
type unpolled struct{ Transport }

// The kernel's socket keeps the contract of Transport: a Pinger over it alone measures, Receive waits, and Close ends it.
func TestSocketIsTransport(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		netlab.Require(t)
		var c config
		if err := kind.configure(&c); err != nil {
			t.Fatal(err)
		}
		for _, v6 := range []bool{false, true} {
			s, err := openSocket(v6, socketConfig{kind: c.kind})
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(WithTransport(unpolled{s}))
			if err != nil {
				t.Fatal(err)
			}
			host := []string{"127.0.0.1", "::1"}[family(v6)]
			st, err := p.PingN(t.Context(), host, 20, WithInterval(ms), WithTimeout(time.Minute), WithSize(3000))
			if err != nil || st.Received != 20 || st.Replies[19].Clock != ClockKernel {
				t.Errorf("%s: %v, %v", host, st, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			messages := []Message{{Addr: netip.MustParseAddr(host), Data: make([]byte, 64)}}
			if n, err := s.Receive(messages); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Receive after Close: %d, %v", n, err)
			}
			if n, err := s.Send(messages); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Send after Close: %d, %v", n, err)
			}
		}
	})
}

// Where the shared Pinger cannot be opened, the functions say why, and try again the next time.
func TestSharedNotPermitted(t *testing.T) {
	closed := netlab.NewClosed(t)
	shared.Lock()
	was := shared.pinger
	shared.pinger = nil
	shared.Unlock()
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.pinger != nil {
			shared.pinger.Close()
		}
		shared.pinger = was
	}()
	closed.Do(t, func() {
		err := withoutCapabilities(func() error {
			if r, err := Ping(t.Context(), "127.0.0.1"); !errors.Is(err, ErrNotPermitted) || r.Err != err {
				t.Errorf("Ping: %+v, %v", r, err)
			}
			if s, err := PingN(t.Context(), "127.0.0.1", 1); !errors.Is(err, ErrNotPermitted) || s != nil {
				t.Errorf("PingN: %v, %v", s, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if _, err := Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Errorf("where it is permitted: %v", err)
	}
}
