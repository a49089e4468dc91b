//go:build linux

package netlab

import (
	"fmt"
	"net/netip"
	"testing"
)

// A Chain is a line of Linux routers from a namespace to a host.
type Chain struct {
	// Routers are the namespaces in between, the nearest first, and Host is the last.
	Routers []*Namespace
	Host    *Namespace

	// Addrs4 and Addrs6 are the near addresses of each router, and the last of
	// them the host's: who answers at each distance.
	Addrs4, Addrs6 []netip.Addr
}

// NewChain joins ns by a line of so many routers, up to 200, to a host, with links
// called down0 to up0, down1 to up1 and so on, and addresses of both families from
// 10.77.0.0/16 and fd77::/32. Packets pass between ns and all the others.
func NewChain(tb testing.TB, ns *Namespace, routers int) *Chain {
	tb.Helper()
	c := new(Chain)
	nodes := []*Namespace{ns}
	for range routers + 1 {
		nodes = append(nodes, New(tb))
	}
	c.Routers, c.Host = nodes[1:routers+1], nodes[routers+1]
	for i, far := range nodes[1:] {
		near, nearDev, farDev := nodes[i], fmt.Sprintf("down%d", i), fmt.Sprintf("up%d", i)
		Link(tb, near, nearDev, far, farDev)
		for _, format := range chainAddrs {
			near.Addr(tb, nearDev, chainAddr(format, i, 1))
			far.Addr(tb, farDev, chainAddr(format, i, 2))
		}
		c.Addrs4 = append(c.Addrs4, chainAddr(chainAddrs[0], i, 2).Addr())
		c.Addrs6 = append(c.Addrs6, chainAddr(chainAddrs[1], i, 2).Addr())
	}
	for _, r := range c.Routers {
		r.Forward(tb)
	}
	for i, node := range nodes {
		for _, format := range chainAddrs {
			// The link of ns is reached by the node before, all else by the one after.
			if i > 1 {
				node.Route(tb, chainAddr(format, 0, 0).Masked(), chainAddr(format, i-1, 1).Addr(), "")
			}
			if i < routers {
				all := chainAddr(format, 0, 0).Addr()
				prefix, _ := all.Prefix(map[bool]int{true: 16, false: 32}[all.Is4()])
				node.Route(tb, prefix, chainAddr(format, i, 2).Addr(), "")
			}
		}
	}
	return c
}

// chainAddrs are the addresses of a chain, by link and end.
var chainAddrs = [...]string{"10.77.%d.%d/24", "fd77:0:%x::%x/64"}

func chainAddr(format string, link, end int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(format, link, end))
}
