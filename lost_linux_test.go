package ping_test

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// Lost probes leave no memory behind.
func TestLostLeaveNothing(t *testing.T) {
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix(near4 + "/24")},
		Script: func(*netlab.Request) []netlab.Answer { return nil },
		Quiet:  true,
	})
	p := openPinger(t)
	send := func(n int) {
		for i := range n {
			p.Ping(t.Context(), far4, ping.WithTimeout(time.Nanosecond))
			if i%100 == 99 { // as many as it has room for
				eventually(t, "the responder has seen all", func() bool {
					requests, _ := responder.Count()
					return uint64(requests) == p.Counters().Sent
				})
			}
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold goes with the second
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	send(5000) // more than a table of probes begins with
	before := heap()
	n := skipped.AtLength(t, 15_000, 60_000)
	send(n)
	if grown := int64(heap()) - int64(before); grown > int64(n*10) { // bytes a probe
		t.Errorf("%d lost probes left %d bytes", n, grown)
	}
}
