package ping_test

import (
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// Payloads of all sizes come back from this host, measured by the kernel.
func TestLoopback(t *testing.T) {
	const (
		header   = 8                   // of an ICMP message
		longest4 = 65535 - 20 - header // an IPv4 packet's length counts its header
		longest6 = 65535 - header
	)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, c := range []struct {
			host  string
			sizes []int
		}{
			{"127.0.0.1", []int{56, 0, 1, 7, 8, 9, 1472, 8000, longest4}},
			{"::1", []int{56, 0, 1, 7, 8, 9, 1452, 8000, longest6}},
			{"localhost", []int{56}},
		} {
			for _, size := range c.sizes {
				r, err := p.Ping(t.Context(), c.host, ping.WithSize(size))
				if err != nil || r.RTT <= 0 || r.TTL != 64 || r.Size != size+header || r.Clock != ping.ClockKernel ||
					!r.From.IsLoopback() {
					t.Errorf("%s, %d bytes: %+v, %v", c.host, size, r, err)
				}
			}
		}
	})
}

// At full speed nothing is lost, over as many sockets as there are processors.
func TestSweepLoopback(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		const addrs = 50_000
		p := openPinger(t, kind)
		sockets := len(icmpSockets(t))
		n := 0
		for addr, r := range p.Sweep(t.Context(), ofLoopback(addrs), ping.WithTimeout(time.Minute)) {
			if n++; r.Err != nil || r.From != addr {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		if c := p.Counters(); n != addrs || c.Received != addrs || c.LocalDrops+c.Stray != 0 {
			t.Errorf("%d replies, %+v", n, c)
		}
		checkSockets(t, sockets)
	})
}

// Every reply is read whole, whatever its size and whatever lies in the queue beside it.
func TestSizesAtOnce(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		var calls sync.WaitGroup
		sizes := []int{56, 4000, 0, 60_000, 9, 1500}
		for i := range 96 {
			calls.Go(func() {
				size := sizes[i%len(sizes)]
				r, err := p.Ping(t.Context(), "127.0.0.1", ping.WithSize(size), ping.WithTimeout(10*time.Second))
				if err != nil || r.Size != size+8 {
					t.Errorf("%d bytes: %+v, %v", size, r, err)
				}
			})
		}
		calls.Wait()
	})
}
