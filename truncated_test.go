package ping_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A host that sends back no more than the first 68 bytes answers, and each call says that it was not all.
func TestTruncated(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		n := pingtest.NewNetwork()
		n.Host(host, pingtest.RTT(5*ms), pingtest.Truncation(68))
		p := n.Pinger(t)
		check := func(call string, size int, r ping.Reply) {
			t.Helper()
			if r.Err != nil || r.Truncated != (size > 68) || r.Size != min(size, 68)+8 || r.RTT != 5*ms ||
				r.From.String() != host || r.TTL != 64 || r.Clock != ping.ClockKernel {
				t.Errorf("%s of %d bytes: %+v", call, size, r)
			}
		}
		for _, size := range []int{4, 56, 68, 69, 100, 1400} {
			bytes := ping.WithSize(size)
			r, _ := p.Ping(t.Context(), host, bytes)
			check("Ping", size, r)
			s, err := p.PingN(t.Context(), host, 3, bytes)
			if err != nil || s.Received != 3 || s.Loss() != 0 || s.Corrupted != 0 || s.Max != 5*ms {
				t.Errorf("PingN of %d bytes: %+v, %v", size, s, err)
			}
			check("PingN", size, s.Replies[2])
			if err := p.Reachable(t.Context(), host, bytes); err != nil {
				t.Errorf("Reachable with %d bytes: %v", size, err)
			}
			for _, r := range p.Sweep(t.Context(), addrsOf(host), bytes) {
				check("Sweep", size, r)
			}
		}
		if mtu, err := p.PathMTU(t.Context(), host); err != nil || mtu < 65535 { // of the network in memory
			t.Errorf("PathMTU: %d, %v", mtu, err)
		}
	})
}

// addrsOf yields addresses.
func addrsOf(hosts ...string) func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for _, host := range hosts {
			if !yield(netip.MustParseAddr(host)) {
				return
			}
		}
	}
}

// What is truncated beside a probe's outcome says so, unless it answers nothing.
func TestTruncatedAnomalies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			cut, stray := echoed(m), echoed(m)
			cut.Data = cut.Data[:20]
			stray.Data = stray.Data[:20]
			stray.Addr = stray.Addr.Next()
			return []delayed{{ms, stray}, {2 * ms, echoed(m)}, {3 * ms, cut}}
		}))
		told := map[error]bool{}
		for r, err := range p.Stream(t.Context(), target, ping.WithCount(2), ping.WithAnomalies(true)) {
			if err != nil || r.Truncated != (r.Err == ping.ErrDuplicate) {
				t.Errorf("%+v, %v", r, err)
			}
			told[r.Err] = true
		}
		if len(told) != 3 || !told[ping.ErrStray] || !told[ping.ErrDuplicate] {
			t.Errorf("told of %v", told)
		}
	})
}
