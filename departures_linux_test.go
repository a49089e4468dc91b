package ping_test

import (
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// With wire stamps the kernel measures both ends, over both kinds of socket, alone and in batches.
func TestWireTimestamps(t *testing.T) {
	requireKernel(t, 6, 13) // SCM_TS_OPT_ID
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind, ping.WithWireTimestamps(true))
		for _, host := range []string{"127.0.0.1", "::1"} {
			for range 100 {
				r, err := p.Ping(t.Context(), host)
				if err != nil || r.Clock != ping.ClockWire || r.RTT <= 0 || r.Received.Sub(r.Sent) != r.RTT {
					t.Fatalf("%s: %+v, %v", host, r, err)
				}
			}
		}
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				s, err := p.PingN(t.Context(), "127.0.0.1", 50, ping.WithInterval(0), ping.WithTimeout(time.Minute))
				if err != nil || s.Received != 50 {
					t.Errorf("%v, %v", s, err)
					return
				}
				for _, r := range s.Replies {
					if r.Clock != ping.ClockWire {
						t.Errorf("reply %+v", r)
						return
					}
				}
			})
		}
		calls.Wait()
		n := 0
		for addr, r := range p.Sweep(t.Context(), ofLoopback(20_000), ping.WithTimeout(time.Minute)) {
			if n++; r.Err != nil || r.Clock != ping.ClockWire {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		if c := p.Counters(); n != 20_000 || c.LocalDrops+c.Stray+c.Duplicates != 0 {
			t.Errorf("%d replies, %+v", n, c)
		}
	})
}
