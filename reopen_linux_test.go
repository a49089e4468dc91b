package ping_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

const (
	// silent4 and silent6 are hosts beyond a link that answer nothing.
	silent4, silent6 = "198.51.100.2", "2001:db8:1::2"
)

// newSilence makes the link to the silent hosts.
func newSilence(t testing.TB) {
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Busy:   true, // it has nothing to say
		Addrs:  []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:1::1/64")},
		Quiet:  true,
		Script: func(*netlab.Request) []netlab.Answer { return nil },
	})
}

// occupy has calls with the given options wait for silent hosts of both families until the test ends, and returns when
// they do.
func occupy(t *testing.T, p *ping.Pinger, opts ...ping.ProbeOption) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var calls sync.WaitGroup
	t.Cleanup(calls.Wait)
	t.Cleanup(cancel)
	sent := p.Counters().Sent
	for _, host := range []string{silent4, silent6} {
		calls.Go(func() {
			_, err := p.Ping(ctx, host, append(opts, ping.WithTimeout(time.Hour))...)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", host, err)
			}
		})
	}
	eventually(t, "the calls to silent hosts are in flight", func() bool { return p.Counters().Sent == sent+2 })
}

// A Sweep goes on over the new sockets at once, though another call still waits over the old ones.
func TestReopenWhileAnotherWaits(t *testing.T) {
	newSilence(t)
	for name, opts := range map[string][]ping.ProbeOption{
		"as usual":      nil,
		"dont fragment": {ping.WithDontFragment(true)},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustNew(t)
			occupy(t, p, opts...)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			n := 0
			for addr, r := range p.Sweep(ctx, ofLoopback(20_000), append(opts, ping.WithTimeout(time.Minute))...) {
				if r.Err != nil {
					t.Fatalf("%v: %v", addr, r.Err)
				}
				if n++; n%5000 == 1 {
					if err := p.Reopen(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n != 20_000 || ctx.Err() != nil {
				t.Errorf("%d of 20,000 addresses were settled, then: %v; %+v", n, ctx.Err(), p.Counters())
			}
		})
	}
}

// What a call has in flight settles over the old sockets, while the same call sends over the new ones.
func TestReopenWhileSweepWaits(t *testing.T) {
	newSilence(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one socket of a family for the Sweep
	p := mustNew(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	silence := netip.MustParseAddr(silent4)
	addrs := func(yield func(netip.Addr) bool) {
		if !yield(silence) {
			return
		}
		for addr := range ofLoopback(20_000) {
			if !yield(addr) {
				return
			}
		}
	}
	answered := 0
	for addr, r := range p.Sweep(ctx, addrs, ping.WithTimeout(time.Hour)) {
		if r.Err != nil {
			t.Fatalf("%v: %v", addr, r.Err)
		}
		if answered++; answered == 1 {
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
		}
		if answered == 20_000 {
			break
		}
	}
	if answered != 20_000 {
		t.Errorf("%d of 20,000 answered in ten seconds, while one address is silent", answered)
	}
}
