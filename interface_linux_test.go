package ping_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// asked is a host of Linux's own at the far end of a link, with some interfaces: it answers questions about them if
// answers is "1" (ip-sysctl.rst, icmp_echo_enable_probe).
func asked(t *testing.T, answers string) (host *netlab.Namespace, addrs []string) {
	t.Helper()
	requireKernel(t, 5, 13) // net.ipv4.icmp_echo_enable_probe
	near, host := netlab.Self(t), netlab.New(t)
	netlab.Link(t, near, "q0", host, "far-0")
	for _, prefix := range nearPrefixes() {
		near.Addr(t, "q0", prefix)
		addr := prefix.Addr().Next()
		host.Addr(t, "far-0", netip.PrefixFrom(addr, prefix.Bits()))
		addrs = append(addrs, addr.String())
	}
	host.Sysctl(t, "net/ipv4/icmp_echo_enable_probe", answers)
	return host, addrs
}

// asksNothing reports whether err says that a datagram socket sends no questions, as before Linux 5.13.
func asksNothing(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	since, release := kernelSince(t, 5, 13)
	if since || !strings.Contains(err.Error(), "Linux 5.13") {
		t.Errorf("on Linux %s: %v", release, err)
	}
	skipped.Part(t, "a datagram socket sends no questions before Linux 5.13, and this is "+release)
	return true
}

// A host of Linux's own tells of its interfaces by name, number and address, over both IP versions and both kinds of
// socket, and refuses what it does not have.
func TestAskInterfaceLinux(t *testing.T) {
	host, addrs := asked(t, "1")
	netlab.Link(t, host, "abcdefghijkl", host, "abcdefghijklm") // names of 12 and 13 bytes
	host.Addr(t, "abcdefghijkl", netip.MustParsePrefix("10.99.0.1/24"))
	host.Sysctl(t, "net/ipv6/conf/abcdefghijkl/disable_ipv6", "1")
	index := 0
	host.Do(t, func() {
		if far, err := net.InterfaceByName("far-0"); err == nil {
			index = far.Index
		}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, addr := range addrs {
			for _, c := range []struct {
				id   ping.InterfaceID
				want string
			}{
				{ping.InterfaceID{Name: "far-0"}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Name: "lo"}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Index: index}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Addr: netip.MustParseAddr(addrs[0])}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Addr: netip.MustParseAddr(addrs[1])}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Name: "abcdefghijkl"}, "active, IPv4"},
				{ping.InterfaceID{Addr: netip.MustParseAddr("10.99.0.1")}, "active, IPv4"},
				{ping.InterfaceID{Name: "far-1"}, "no such interface"},
				{ping.InterfaceID{Index: 1<<31 - 1}, "no such interface"},
				{ping.InterfaceID{Addr: netip.MustParseAddr("192.0.2.77")}, "no such interface"},
				{ping.InterfaceID{Name: "abcdefghijklm"}, "malformed query"}, // net/ipv4/icmp.c, IFNAMSIZ
			} {
				for _, size := range []int{56, 0, 8, 1000} {
					s, err := p.AskInterface(t.Context(), addr, c.id, ping.WithSize(size), ping.WithTimeout(time.Minute))
					got := strings.TrimPrefix(s.String(), "ping "+addr+": ")
					r := s.Reply
					if got != c.want || r.Err != err || r.From.String() != addr || r.Truncated || r.TTL != 64 ||
						r.RTT <= 0 || r.Clock != ping.ClockKernel || r.Size < size+24 || r.Sent.After(r.Received) {
						t.Errorf("%s: %v, size %d: got %s, want %s; %+v", addr, c.id, size, got, c.want, r)
					}
				}
			}
		}
		if c := p.Counters(); c.Received != 88 || c.Stray+c.Corrupted+c.Lost != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// An interface that is taken down is told of as such, and one that is back again too.
func TestAskInterfaceDown(t *testing.T) {
	host, addrs := asked(t, "1")
	netlab.Link(t, host, "up-down", host, "other")
	p := openPinger(t)
	for i, up := range []bool{true, false, true} {
		host.SetUp(t, "up-down", up)
		for _, addr := range addrs {
			s, err := p.AskInterface(t.Context(), addr, ping.InterfaceID{Name: "up-down"}, ping.WithTimeout(time.Minute))
			if err != nil || s.Active != up {
				t.Errorf("%d: %s: %v, %v", i, addr, s, err)
			}
		}
	}
}

// By default Linux is silent; of a neighbour it is so at any time.
func TestAskInterfaceSilent(t *testing.T) {
	p := openPinger(t)
	id := ping.InterfaceID{Name: "far-0"}
	t.Run("default", func(t *testing.T) {
		_, addrs := asked(t, "0")
		for _, addr := range addrs {
			if _, err := p.Ping(t.Context(), addr, ping.WithTimeout(time.Minute)); err != nil {
				t.Error(err)
			}
			s, err := p.AskInterface(t.Context(), addr, id, ping.WithTimeout(50*time.Millisecond))
			if !errors.Is(err, ping.ErrTimeout) || s.Reply.Sent.IsZero() {
				t.Errorf("%s: %v, %v", addr, s, err)
			}
		}
	})
	t.Run("neighbour", func(t *testing.T) {
		_, addrs := asked(t, "1")
		for _, addr := range addrs {
			neighbour := ping.InterfaceID{Addr: nearPrefixes()[0].Addr(), Neighbour: true}
			_, err := p.AskInterface(t.Context(), addr, neighbour, ping.WithTimeout(50*time.Millisecond))
			if !errors.Is(err, ping.ErrTimeout) {
				t.Errorf("%s: %v", addr, err)
			}
		}
	})
}

// An ICMP error ends a question as it ends a ping, where it is told of: Linux's routers send none about such a request
// over IPv4 (net/ipv4/icmp.c, __icmp_send: a type that it does not know), and over IPv6 Linux tells datagram sockets of
// none (net/ipv6/icmp.c, icmpv6_err).
func TestAskInterfaceRefusedOnTheWay(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.Dst.Is4() {
			return []netlab.Answer{r.Error(r.Dst.Next(), 3, 1, 0, 8)}
		}
		return []netlab.Answer{r.Error(r.Dst.Next(), 1, 0, 0, -1)}
	})
	chain := netlab.NewChain(t, netlab.Self(t), 1)
	for _, c := range []struct {
		host, router string
		kind         ping.SocketKind
		told         bool
	}{
		{"203.0.113.30", "203.0.113.31", ping.SocketDatagram, true},
		{"203.0.113.30", "203.0.113.31", ping.SocketRaw, true},
		{"2001:db8:2::30", "2001:db8:2::31", ping.SocketDatagram, false},
		{"2001:db8:2::30", "2001:db8:2::31", ping.SocketRaw, true},
		{chain.Addrs4[1].String(), chain.Addrs4[0].String(), ping.SocketDatagram, false},
		{chain.Addrs4[1].String(), chain.Addrs4[0].String(), ping.SocketRaw, false},
		{chain.Addrs6[1].String(), chain.Addrs6[0].String(), ping.SocketDatagram, false},
		{chain.Addrs6[1].String(), chain.Addrs6[0].String(), ping.SocketRaw, true},
	} {
		p := openPinger(t, ping.WithSocket(c.kind))
		timeout := time.Minute
		if !c.told {
			timeout = 50 * time.Millisecond
		}
		s, err := p.AskInterface(t.Context(), c.host, ping.InterfaceID{Index: 1}, ping.WithTTL(1), ping.WithTimeout(timeout))
		if c.kind == ping.SocketDatagram && asksNothing(t, err) {
			continue
		}
		var refused *ping.ICMPError
		told := errors.As(err, &refused)
		if told != c.told || told && (refused.From.String() != c.router || s.Reply.RTT <= 0) ||
			!told && !errors.Is(err, ping.ErrTimeout) {
			t.Errorf("%s, %v: %+v, %v", c.host, c.kind, s, err)
		}
	}
}

// A host that keeps to RFC 8335 section 3 sends back the header alone.
func TestAskInterfaceHeaderAlone(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{r.Forge(func(p *netlab.Packet) {
			p.Payload = nil
			p.Seq |= 2<<5 | 4
		})}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range []string{"203.0.113.30", "2001:db8:2::30"} {
			s, err := p.AskInterface(t.Context(), host, ping.InterfaceID{Index: 1}, ping.WithTimeout(time.Minute))
			if asksNothing(t, err) {
				continue
			}
			if err != nil || !s.Active || s.Neighbour != ping.NeighbourReachable || !s.Reply.Truncated || s.Reply.Size != 8 {
				t.Errorf("%s: %+v, %v", host, s, err)
			}
		}
	})
}

// With wire stamps the RTT of a question begins when it is handed to the device.
func TestAskInterfaceWire(t *testing.T) {
	_, addrs := asked(t, "1")
	requireKernel(t, 6, 13) // SCM_TS_OPT_ID
	p := openPinger(t, ping.WithWireTimestamps(true))
	for _, addr := range addrs {
		s, err := p.AskInterface(t.Context(), addr, ping.InterfaceID{Name: "lo"}, ping.WithTimeout(time.Minute))
		if err != nil || s.Reply.Clock != ping.ClockWire || s.Reply.RTT <= 0 {
			t.Errorf("%s: %+v, %v", addr, s, err)
		}
	}
}
