package paths_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/paths"
)

// Four paths through Linux's own routers, which share IPv6 flow labels out among them, by the default policy. One drops
// what it should forward, and is seen to; over IPv4, where Linux hashes nothing of ICMP, one path is seen.
//
// The routers keep their burst and their rate here, as far as Enumerate knows: it takes seconds.
func TestLinuxRouters(t *testing.T) {
	if !skipped.Long() {
		skipped.Test(t, "-long runs it")
	}
	const ways, broken = 4, 1
	self, fork, far := netlab.Self(t), netlab.New(t), netlab.New(t)
	addrs := [...]string{"10.79.%d.%d/24", "fd79:0:%x::%x/64"}
	prefix := func(format string, link, end int) netip.Prefix {
		return netip.MustParsePrefix(fmt.Sprintf(format, link, end))
	}
	join := func(a *netlab.Namespace, aDev string, b *netlab.Namespace, bDev string, link int) {
		netlab.Link(t, a, aDev, b, bDev)
		for _, format := range addrs {
			a.Addr(t, aDev, prefix(format, link, 1))
			b.Addr(t, bDev, prefix(format, link, 2))
		}
	}
	join(self, "f0", fork, "f1", 0)
	var branches []*netlab.Namespace
	for i := range ways {
		b := netlab.New(t)
		join(fork, fmt.Sprintf("b%d", i), b, "up", 1+i)
		beyond := far
		if i == broken {
			beyond = netlab.New(t) // which forwards nothing
		}
		join(b, "down", beyond, fmt.Sprintf("c%d", i), 11+i)
		b.Forward(t)
		branches = append(branches, b)
	}
	fork.Forward(t)
	fork.Sysctl(t, "net/ipv6/fib_multipath_hash_policy", "0")
	for _, format := range addrs {
		target := prefix(format, 99, 9)
		far.Addr(t, "lo", target)
		host := netip.PrefixFrom(target.Addr(), target.Addr().BitLen())
		home := prefix(format, 0, 0).Masked()
		self.Route(t, host, prefix(format, 0, 2).Addr(), "")
		var via []netip.Addr
		for i, b := range branches {
			via = append(via, prefix(format, 1+i, 2).Addr())
			b.Route(t, host, prefix(format, 11+i, 2).Addr(), "")
			b.Route(t, home, prefix(format, 1+i, 1).Addr(), "")
		}
		fork.Multipath(t, host, via...)
		far.Route(t, home, prefix(format, 11, 1).Addr(), "")
	}
	p, err := ping.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	opts := []paths.Option{paths.WithMiss(0.001), paths.WithProbe(ping.WithTimeout(500 * ms))}

	g, err := paths.Enumerate(t.Context(), p, "fd79:0:63::9", opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Measure(t.Context(), p, 20, ping.WithInterval(10*ms)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d probes\n%v", g.Probes, g)
	var want []string
	for i := range ways {
		way := fmt.Sprintf("fd79::2 fd79:0:%x::2", 1+i)
		if i != broken {
			way += " fd79:0:63::9."
		}
		want = append(want, way)
	}
	if got := shape(g); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	for _, path := range g.Paths {
		if s := path.Statistics; path.Reached != (s.Loss() == 0) || path.Reached == (s.Loss() == 1) {
			t.Errorf("flow %d, reached %v: %v", path.Flow, path.Reached, s)
		}
	}

	g, err = paths.Enumerate(t.Context(), p, "10.79.99.9", opts[1])
	if err != nil || len(g.Paths) != 1 {
		t.Errorf("IPv4: %v, %v", g, err)
	}
}
