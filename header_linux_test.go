package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// A TTL or traffic class is that of its call's messages, and of no others.
func TestHeaderPerMessage(t *testing.T) {
	r := newResponder(t, nil)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		r.Reset()
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				host := []string{far4, far6}[i%2]
				var opts []ping.ProbeOption
				if ttl := i / 2; ttl > 0 {
					opts = []ping.ProbeOption{ping.WithTTL(ttl), ping.WithTrafficClass(4 * ttl), ping.WithSize(100 + ttl)}
				}
				if _, err := p.Ping(t.Context(), host, opts...); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, q := range r.Records() {
			ttl := len(q.Payload) - 100
			class := 4 * ttl
			if ttl < 0 {
				ttl, class = 64, 0
			}
			if q.TTL != ttl || q.TrafficClass != class {
				t.Errorf("%d bytes to %v have TTL %d and class %d, want %d and %d",
					len(q.Payload), q.Dst, q.TTL, q.TrafficClass, ttl, class)
			}
		}
		if n := len(r.Records()); n != 60 {
			t.Errorf("%d requests", n)
		}
	})
}

// WithInterface has packets leave and arrive at that interface, whatever the routes prefer.
func TestInterface(t *testing.T) {
	ns := netlab.Self(t)
	var responders [2]*netlab.Responder
	for i := range responders {
		responders[i] = netlab.NewResponder(t, ns, netlab.ResponderConfig{
			Device: fmt.Sprintf("if%d", i),
			Addrs:  []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("198.51.100.%d/24", 10+i))},
		})
	}
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for i, want := range responders {
			want.Reset()
			p := openPinger(t, kind, ping.WithInterface(fmt.Sprintf("if%d", i)))
			if _, err := p.Ping(t.Context(), far4); err != nil {
				t.Errorf("if%d: %v", i, err)
			}
			if got := want.Records(); len(got) != 1 || got[0].Src.String() != fmt.Sprintf("198.51.100.%d", 10+i) {
				t.Errorf("if%d saw %d requests", i, len(got))
			}
		}
	})
}

// An option that needs a privilege is not mistaken for a socket that does.
func TestOptionNotPermitted(t *testing.T) {
	netlab.Require(t)
	err := unprivileged(func() error {
		p, err := ping.New(ping.WithMark(7))
		if p != nil {
			p.Close()
		}
		return err
	})
	if err == nil || errors.Is(err, ping.ErrNotPermitted) || !errors.Is(err, unix.EPERM) ||
		strings.Contains(err.Error(), "ping_group_range") {
		t.Errorf("got %v", err)
	}
}
