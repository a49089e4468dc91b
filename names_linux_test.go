package ping_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// listed is a Resolver of one list.
func listed(addrs ...string) ping.Option {
	return ping.WithResolver(resolverFunc(func(context.Context, string, string) (list []netip.Addr, err error) {
		for _, addr := range addrs {
			list = append(list, netip.MustParseAddr(addr))
		}
		return list, nil
	}))
}

// Of the addresses of a name, the first that this host has a route to is pinged, as the Pinger's sockets go. Where
// there is a route to none, it is the first, whose probe tells why it was not sent.
func TestUnroutedAddresses(t *testing.T) {
	newResponder(t, nil)
	const (
		none4, none6 = "192.0.2.9", "2001:db8:9::9" // no route
		shut4, hole6 = "192.0.2.10", "2001:db8:9::a"
	)
	for addr, kind := range map[string]int{shut4: unix.RTN_PROHIBIT, hole6: unix.RTN_BLACKHOLE} {
		a := netip.MustParseAddr(addr)
		netlab.Self(t).RouteType(t, netip.PrefixFrom(a, a.BitLen()), kind)
	}
	source := func(addr string) ping.Option { return ping.WithSource(netip.MustParseAddr(addr)) }
	for _, c := range []struct {
		addrs []string
		opts  []ping.Option
		want  string
	}{
		{[]string{far4, far6}, nil, far4},
		{[]string{far6, far4}, nil, far6},
		{[]string{none6, far4}, nil, far4},
		{[]string{none4, far6}, nil, far6},
		{[]string{none4, none6, shut4, hole6, far4}, nil, far4},
		{[]string{"224.0.0.1", none6, far6}, nil, far6},
		{[]string{none6, none4}, nil, none6},
		{[]string{none6}, nil, none6},
		{[]string{none6, far6, far4}, []ping.Option{ping.WithNetwork("ip4")}, far4},
		{[]string{far6, far4}, []ping.Option{source(near4)}, far4},
		{[]string{far6, "::1"}, []ping.Option{ping.WithInterface("lo")}, "::1"},
		{[]string{none4, far4}, []ping.Option{source(near4)}, far4},
		{[]string{none4, far4}, []ping.Option{ping.WithMark(7)}, far4},
	} {
		t.Run(fmt.Sprint(c.addrs, len(c.opts)), func(t *testing.T) {
			opts := append(c.opts, listed(c.addrs...), ping.WithTimeout(time.Minute))
			r, err := openPinger(t, opts...).Ping(t.Context(), "host")
			routed := c.want != none6
			if r.Target != netip.MustParseAddr(c.want) || routed != (err == nil) ||
				!routed && ping.ErrorKind(err) != "not_sent" {
				t.Errorf("got %v, %v, want %s", r, err, c.want)
			}
			if addr, err := ping.Resolve(t.Context(), "host", opts...); err != nil || addr.String() != c.want {
				t.Errorf("Resolve: %v, %v, want %s", addr, err, c.want)
			}
		})
	}
}

// Who may open no sockets for ICMP may ask which address would be pinged.
func TestResolveWithoutPermission(t *testing.T) {
	netlab.Require(t)
	netlab.NewClosed(t).Do(t, func() {
		err := unprivileged(func() error {
			if p, err := ping.New(); err == nil {
				p.Close()
				t.Error("a Pinger is permitted")
			}
			addr, err := ping.Resolve(t.Context(), "host", listed("2001:db8:9::9", "127.0.0.1"))
			if addr != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("got %v", addr)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// The zone of a target is as the caller wrote it, by name or by number.
func TestTargetZone(t *testing.T) {
	p := openPinger(t, ping.WithTimeout(ms))
	for _, host := range []string{"fe80::1%lo", "fe80::1%1"} {
		if r, _ := p.Ping(t.Context(), host); r.Target.String() != host {
			t.Errorf("%s: target %v of %v", host, r.Target, r)
		}
	}
}
