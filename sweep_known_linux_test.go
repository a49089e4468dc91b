package ping_test

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// quarter is for how long what is lost goes unsettled in these tests: long for all that is answered, and less than the
// 50 s for which a host that answers has its place.
const quarter = 25 * time.Second

// newCrowd is a Pinger on a link with 200 hosts that answer, of a /24, and fe80::b. What it sends to 10.99.0.1 is lost.
func newCrowd(t *testing.T) (p *ping.Pinger, lan netip.Prefix, up map[netip.Addr]bool) {
	t.Helper()
	ns, near := netlab.Self(t), netlab.New(t)
	netlab.Link(t, ns, "lan0", near, "lan1")
	lan, up = netip.MustParsePrefix("172.20.0.0/24"), make(map[netip.Addr]bool)
	ns.Addr(t, "lan0", netip.MustParsePrefix("172.20.0.1/24"))
	ns.Addr(t, "lan0", netip.MustParsePrefix("fe80::a/64"))
	near.Addr(t, "lan1", netip.MustParsePrefix("fe80::b/64"))
	for i := range 200 {
		addr := netip.AddrFrom4([4]byte{172, 20, 0, byte(10 + i)})
		near.Addr(t, "lan1", netip.PrefixFrom(addr, 24))
		up[addr] = true
	}
	ns.Route(t, netip.MustParsePrefix("10.99.0.0/24"), netip.MustParseAddr("172.20.0.10"), "lan0") // no router
	return openPinger(t, ping.WithTimeout(quarter)), lan, up
}

// A host on the link has one place of the neighbour table, so that one that has been sent to is sent to again, and
// again, without waiting for others. Those that come last are settled before one that is lost, which has left first.
func TestSweepSameNeighbour(t *testing.T) {
	p, _, _ := newCrowd(t)
	lost := netip.MustParseAddr("10.99.0.1")
	for _, host := range []string{"172.20.0.11", "fe80::b%lan0"} {
		addr, n := netip.MustParseAddr(host), 0
		addrs := append([]netip.Addr{lost}, slices.Repeat([]netip.Addr{addr}, 3000)...)
		for to, r := range p.Sweep(t.Context(), slices.Values(addrs)) {
			if to != addr || r.Err != nil {
				t.Fatalf("%v: after %d from %v: %+v", to, n, addr, r)
			}
			if n++; n == 3000 {
				break
			}
		}
	}
}

// Sweep after Sweep of a link finds all that are up, none of which wait for the places that they have.
func TestSweepLANAgain(t *testing.T) {
	p, lan, up := newCrowd(t)
	lost := make(chan ping.Reply, 1)
	go func() {
		r, _ := p.Ping(t.Context(), "10.99.0.1")
		lost <- r
	}()
	for n := range 6 {
		left := maps.Clone(up)
		for addr, r := range p.Sweep(t.Context(), allOf(lan)) {
			if up[addr] && r.Err != nil {
				t.Errorf("sweep %d: %v: %v", n, addr, r.Err)
			}
			if delete(left, addr); len(left) == 0 {
				break
			}
		}
	}
	select {
	case r := <-lost:
		t.Errorf("what left before has been given up: %+v", r)
	default:
	}
}

// However often hosts are swept that are not there, what waits for them leaves room in the send buffers for other
// calls.
func TestSweepMissingAgain(t *testing.T) {
	ns := netlab.Self(t)
	netlab.Link(t, ns, "lan0", netlab.New(t), "lan1")
	ns.Addr(t, "lan0", netip.MustParsePrefix("172.20.0.1/24"))
	p := openPinger(t)
	for range skipped.AtLength(t, 20, 90) { // more than a send buffer, and where net.core.wmem_max is 4 MiB
		ctx, cancel := context.WithTimeout(t.Context(), 15*ms)
		for range p.Sweep(ctx, allOf(netip.MustParsePrefix("172.20.0.0/24")), ping.WithSize(1400)) {
		}
		cancel()
	}
	if _, err := p.Ping(t.Context(), "127.0.0.1", ping.WithTimeout(time.Second)); err != nil {
		t.Error(err)
	}
}
