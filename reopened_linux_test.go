package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// Reopen gives the Pinger another identifier, and no call notices.
func TestReopen(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{Addrs: nearPrefixes()})
		p := openPinger(t, kind)
		id := func() uint16 {
			if _, err := p.Ping(t.Context(), "198.51.100.2", ping.WithTimeout(time.Minute)); err != nil {
				t.Fatal(err)
			}
			records := responder.Records()
			return records[len(records)-1].ID
		}
		before := id()
		check := nothingLeft(t)
		ctx, cancel := context.WithCancel(t.Context())
		var streams sync.WaitGroup
		var seen atomic.Int64
		for i := range 8 {
			streams.Go(func() {
				host := []string{"127.0.0.1", "::1"}[i%2]
				opts := []ping.ProbeOption{ping.WithInterval(time.Millisecond), ping.WithDontFragment(i%4 == 3)}
				for r, err := range p.Stream(ctx, host, opts...) {
					if err != nil && !errors.Is(err, context.Canceled) || r.Err != nil {
						t.Errorf("%+v, %v", r, err)
					}
					seen.Add(1)
				}
			})
		}
		for range 5 {
			n := seen.Load()
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
			now := id()
			if now == before {
				t.Errorf("still identifier %d", before)
			}
			before = now
			eventually(t, "the streams go on", func() bool { return seen.Load() > n+50 })
		}
		cancel()
		streams.Wait()
		if c := p.Counters(); c.Lost+c.SendErrors+c.InFlight != 0 || c.Received < 250 {
			t.Errorf("counters are %+v", c)
		}
		if err := p.Reopen(); err != nil { // which leaves one socket a family again
			t.Fatal(err)
		}
		check()
		p.Close()
		if err := p.Reopen(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A Sweep goes on over the sockets that Reopen brings.
func TestSweepReopened(t *testing.T) {
	const addrs, between = 4000, 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one socket
	var mu sync.Mutex
	requests := map[uint16]int{} // by identifier
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: nearPrefixes(),
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			mu.Lock()
			defer mu.Unlock()
			requests[r.ID]++
			return []netlab.Answer{r.Echo()}
		},
	})
	p := openPinger(t)
	next := make(chan struct{}, addrs/between)
	hosts := func(yield func(netip.Addr) bool) { // each of them often
		for i := range addrs {
			if i > 0 && i%between == 0 {
				<-next
			}
			if !yield(netip.AddrFrom4([4]byte{198, 51, 100, byte(2 + i%250)})) {
				return
			}
		}
	}
	n, reopened := 0, 0
	for addr, r := range p.Sweep(t.Context(), hosts, ping.WithTimeout(time.Minute)) {
		if r.Err != nil {
			t.Fatalf("%v: %v", addr, r.Err)
		}
		if n++; n%between == 1 {
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
			reopened++
			next <- struct{}{}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if n != addrs || len(requests) < 4 || len(requests) > 1+reopened {
		t.Errorf("%d replies; requests by identifier, want 4 or %d: %v", n, 1+reopened, requests)
	}
}

// Reopen may come at any moment of a Sweep, its beginning too.
func TestSweepsBesideReopen(t *testing.T) {
	p := openPinger(t)
	var done atomic.Bool
	var reopening sync.WaitGroup
	reopening.Go(func() {
		defer done.Store(true)
		for range 200 {
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
	})
	for !done.Load() {
		for addr, r := range p.Sweep(t.Context(), ofLoopback(1), ping.WithTimeout(time.Minute)) {
			if r.Err != nil {
				t.Errorf("%v: %v", addr, r.Err)
			}
		}
		runtime.Gosched() // else, with one processor, the Sweep's goroutines leave little time to the others
	}
	reopening.Wait()
}
