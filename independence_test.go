package ping_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

// Close ends its own Pinger, and no other.
func TestTwoPingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFakePinger(t, newFake(echoAfter(ms))), newFakePinger(t, newFake(echoAfter(ms)))
		one.Close()
		if _, err := two.Ping(t.Context(), target); err != nil {
			t.Error(err)
		}
	})
}

// The same host under two names, and two calls to one host, have nothing to do with each other.
func TestCallsAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)), ping.WithResolver(resolverFunc(
			func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr(target)}, nil
			})))
		var wg sync.WaitGroup
		for _, host := range []string{"one", "two", target, target} {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), host, 10, ping.WithInterval(ms))
				if err != nil || s.Received != 10 || s.Min != 20*ms || s.Max != 20*ms {
					t.Errorf("%s: %v, %v", host, s, err)
				}
			})
		}
		wg.Wait()
	})
}

// What is returned is the caller's own.
func TestResultsAreOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		one, err1 := p.PingN(t.Context(), target, 3, ping.WithInterval(ms))
		kept := slices.Clone(one.Replies)
		two, err2 := p.PingN(t.Context(), target, 3, ping.WithInterval(ms))
		slices.Reverse(two.Replies)
		if err1 != nil || err2 != nil || !slices.Equal(kept, one.Replies) {
			t.Errorf("%v, %v: %v became %v", err1, err2, kept, one.Replies)
		}
	})
}
