package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// checkSockets fails the test if there are more ICMP sockets than so many and those that the other processors have.
func checkSockets(t *testing.T, before int) {
	t.Helper()
	if more := len(icmpSockets(t)) - before; more > 2*(runtime.GOMAXPROCS(0)-1) {
		t.Errorf("%d more sockets for %d processors", more, runtime.GOMAXPROCS(0))
	}
}

// nothingLeft returns a check that the process has as many open files and goroutines as now. One that has told its
// WaitGroup that it is done may still be ending.
func nothingLeft(t *testing.T) (check func()) {
	t.Helper()
	files, goroutines := len(descriptors(t)), runtime.NumGoroutine()
	return func() {
		t.Helper()
		eventually(t, fmt.Sprintf("%d goroutines at most", goroutines),
			func() bool { return runtime.NumGoroutine() <= goroutines })
		if n := len(descriptors(t)); n != files {
			t.Errorf("%d open files, %d before", n, files)
		}
	}
}

// A hundred targets, a thousand callers, one Pinger: nothing is lost or mixed up, and it needs no more sockets and
// goroutines than for one.
func TestManyCallers(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		const callers, each = 1000, 20
		p := openPinger(t, kind)
		check := nothingLeft(t)
		var calls sync.WaitGroup
		for i := range callers {
			calls.Go(func() {
				host := netip.AddrFrom4([4]byte{127, 0, 1, byte(i % 100)})
				for range each {
					r, err := p.Ping(t.Context(), host.String(), ping.WithTimeout(10*time.Second))
					if err != nil || r.From != host {
						t.Errorf("%v: %+v, %v", host, r, err)
					}
				}
			})
		}
		calls.Wait()
		c := p.Counters()
		if c.Sent != callers*each || c.Received != c.Sent ||
			c.Stray+c.Duplicates+c.Corrupted+c.Late+c.LocalDrops+c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
		check()
	})
}

// Two Pingers see nothing of each other, over the same targets at once.
func TestNoCrossTalk(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		pingers := []*ping.Pinger{openPinger(t, kind), openPinger(t, kind)}
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				s, err := pingers[i%2].PingN(t.Context(), "127.0.0.1", 20, ping.WithInterval(0))
				if err != nil || s.Received != 20 || s.Stray+s.Duplicates+s.Corrupted != 0 {
					t.Errorf("got %v, %v", s, err)
				}
			})
		}
		calls.Wait()
		for _, p := range pingers {
			if c := p.Counters(); c.Sent != 1000 || c.Received != 1000 || c.Stray+c.Duplicates != 0 {
				t.Errorf("counters are %+v", c)
			}
		}
	})
}

// Calls that are cancelled, in whatever state that meets them, leave nothing behind.
func TestCancelled(t *testing.T) {
	ns := netlab.Self(t)
	near := netlab.New(t)
	netlab.Link(t, ns, "void0", near, "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("198.51.100.1/24"))
	p := openPinger(t)
	// Nobody is there: the neighbour's address is asked for in vain.
	check := nothingLeft(t)
	const calls = 10_000
	for i := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		host := fmt.Sprintf("198.51.100.%d", 2+i%200)
		done := make(chan error)
		go func() {
			_, err := p.Ping(ctx, host, ping.WithTimeout(time.Hour))
			done <- err
		}()
		if i%2 == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := <-done; err == nil {
			t.Fatal("a reply")
		}
	}
	check()
	eventually(t, "no probe in flight", func() bool { return p.Counters().InFlight == 0 })
}

// Close unblocks every call, and leaves neither goroutine nor descriptor, in whatever state it meets them.
func TestCloseAnyTime(t *testing.T) {
	netlab.Require(t)
	check := nothingLeft(t)
	for range skipped.AtLength(t, 5, 20) {
		p := mustNew(t)
		var calls sync.WaitGroup
		started := make(chan struct{}, 8)
		for i := range 8 {
			calls.Go(func() {
				host := []string{"127.0.0.1", "::1"}[i%2]
				for first := true; ; first = false {
					_, err := p.Ping(t.Context(), host, ping.WithDontFragment(i%4 == 0))
					if first {
						started <- struct{}{}
					}
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 8 {
			<-started
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		calls.Wait()
	}
	check()
}
