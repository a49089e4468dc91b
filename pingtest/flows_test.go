package pingtest_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// fan puts a host behind so many routers that are behind one and before another:
//
//   - a1 -
//     first - a2 - last - host
//   - ...-
func fan(n *pingtest.Network, addr string, width int) (branches []*pingtest.Host) {
	format := "10.0.%d.%d"
	if addr == six {
		format = "2001:db8:1:%d::%d"
	}
	first := n.Host(fmt.Sprintf(format, 1, 1))
	for i := range width {
		branches = append(branches, n.Host(fmt.Sprintf(format, 2, i+1), pingtest.Behind(first)))
	}
	last := n.Host(fmt.Sprintf(format, 3, 1), pingtest.Behind(branches...))
	n.Host(addr, pingtest.Behind(last))
	return branches
}

// The probes of a flow take one of several ways, all the same; the flows take them all, evenly.
func TestFlows(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		const width, flows = 16, 1600
		branches := fan(n, addr, width)
		p := n.Pinger(t)
		taken := map[netip.Addr]int{}
		for flow := range flows {
			s, err := p.PingN(t.Context(), addr, 3, ping.WithTTL(2), ping.WithFlow(flow+1), ping.WithInterval(0))
			if err != nil || s.Errors != 3 {
				t.Fatalf("%v, %v", s, err)
			}
			from := s.Replies[0].From
			if s.Replies[1].From != from || s.Replies[2].From != from {
				t.Fatalf("flow %d takes several ways: %+v", flow+1, s.Replies)
			}
			taken[from]++
		}
		for _, b := range branches {
			if k := taken[b.Addr()]; k < 60 || k > 140 { // 4 standard deviations from 100
				t.Errorf("%d of %d flows by %v", k, flows, b)
			}
		}
		// A trace sees one of them at the second distance, and no other.
		var way []string
		for hop, err := range p.Trace(t.Context(), addr, ping.WithFlow(1)) {
			if err != nil || len(hop.Addrs()) != 1 {
				t.Fatalf("%v, %v", hop, err)
			}
			way = append(way, hop.Addrs()[0].String())
		}
		if len(way) != 4 || !slices.ContainsFunc(branches, func(b *pingtest.Host) bool { return b.String() == way[1] }) {
			t.Errorf("the way is %v", way)
		}
	})
}

// One branch of several that loses is the loss of the flows that take it, and of no others.
func TestLossOfOneBranch(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		branches := fan(n, addr, 4)
		branches[2].Set(pingtest.LossBehind(1))
		p := n.Pinger(t, ping.WithTimeout(50*ms))
		lossy := 0
		for flow := 1; flow <= 40; flow++ {
			s, err := p.PingN(t.Context(), addr, 4, ping.WithFlow(flow), ping.WithInterval(0))
			if err != nil || s.Received != 0 && s.Received != 4 {
				t.Errorf("flow %d: %v, %v", flow, s, err)
			}
			if s.Received == 0 {
				lossy++
			}
		}
		if lossy < 3 || lossy > 20 {
			t.Errorf("%d of 40 flows take the branch that loses", lossy)
		}
	})
}

// Without a flow, pings take all ways over IPv4, where their checksums differ, and one over IPv6.
func TestNoFlow(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		fan(n, addr, 4)
		s, err := n.Pinger(t).PingN(t.Context(), addr, 100, ping.WithTTL(2), ping.WithInterval(0))
		if err != nil {
			t.Fatal(err)
		}
		ways := map[netip.Addr]bool{}
		for _, r := range s.Replies {
			ways[r.From] = true
		}
		if want := map[string]int{four: 4, six: 1}[addr]; len(ways) != want {
			t.Errorf("%d ways, want %d", len(ways), want)
		}
	})
}
