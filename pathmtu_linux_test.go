package ping_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// mtuPath makes a chain of namespaces with Linux routers in it, one fewer than links of the given MTUs. It returns
// what is beyond this host, and the target's addresses.
func mtuPath(t *testing.T, mtus ...int) (beyond []*netlab.Namespace, hosts [2]string) {
	t.Helper()
	all := []*netlab.Namespace{netlab.Self(t)}
	families := []bool{false, true}
	if slices.Min(mtus) < 1280 { // the least of IPv6 (RFC 8200 section 5)
		families = families[:1]
	}
	addr := func(v6 bool, link, end int) netip.Addr {
		if v6 {
			return netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::%d", 100+link, 1+end))
		}
		return netip.MustParseAddr(fmt.Sprintf("10.77.%d.%d", link, 1+end))
	}
	bits := map[bool]int{false: 24, true: 64}
	for i, mtu := range mtus {
		next := netlab.New(t)
		near, far := fmt.Sprintf("m%da", i), fmt.Sprintf("m%db", i)
		netlab.Link(t, all[i], near, next, far)
		all[i].SetMTU(t, near, mtu)
		next.SetMTU(t, far, mtu)
		for _, v6 := range families {
			all[i].Addr(t, near, netip.PrefixFrom(addr(v6, i, 0), bits[v6]))
			next.Addr(t, far, netip.PrefixFrom(addr(v6, i, 1), bits[v6]))
		}
		all = append(all, next)
	}
	for _, ns := range all[1 : len(all)-1] {
		ns.Forward(t)
	}
	for i, ns := range all {
		for link := range mtus {
			for _, v6 := range families {
				dst := netip.PrefixFrom(addr(v6, link, 0), bits[v6]).Masked()
				switch {
				case link > i:
					ns.Route(t, dst, addr(v6, i, 1), fmt.Sprintf("m%da", i))
				case link < i-1:
					ns.Route(t, dst, addr(v6, i-1, 0), fmt.Sprintf("m%db", i-1))
				}
			}
		}
	}
	last := len(mtus) - 1
	return all[1:], [2]string{addr(false, last, 1).String(), addr(true, last, 1).String()}
}

// checkMTU asserts what is found, for hosts together.
func checkMTU(t *testing.T, p *ping.Pinger, want map[string]int, opts ...ping.ProbeOption) {
	t.Helper()
	var wg sync.WaitGroup
	for host, mtu := range want {
		wg.Go(func() {
			if got, err := p.PathMTU(t.Context(), host, opts...); got != mtu || err != nil {
				t.Errorf("%s: got %d, %v, want %d", host, got, err, mtu)
			}
		})
	}
	wg.Wait()
}

// checkLargeMTU is checkMTU where this host's own link takes more than 15,013 bytes. No old kernel's datagram socket
// sends an IPv6 packet of more in one piece, and then the error says so.
func checkLargeMTU(t *testing.T, p *ping.Pinger, want map[string]int, opts ...ping.ProbeOption) {
	t.Helper()
	if since, _ := kernelSince(t, 6, 1); !since {
		want = maps.Clone(want)
		maps.DeleteFunc(want, func(host string, mtu int) bool {
			got, err := p.PathMTU(t.Context(), host, opts...)
			return got <= mtu && refusesLarge(t, host, err)
		})
	}
	checkMTU(t, p, want, opts...)
}

// refusesLarge reports whether an error says that the kernel is too old for a large packet to host.
func refusesLarge(t *testing.T, host string, err error) bool {
	t.Helper()
	since, release := kernelSince(t, 6, 1)
	if since || !strings.Contains(host, ":") || !errors.Is(err, errors.ErrUnsupported) ||
		!strings.Contains(err.Error(), release) {
		return false
	}
	skipped.Part(t, "a datagram socket sends no large IPv6 packet whole before Linux 6.1, and this is "+release)
	return true
}

// Loopback carries what its MTU of 65,536 lets through, and an IPv4 packet cannot be larger than 65,535.
func TestPathMTULoopback(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		checkLargeMTU(t, openPinger(t, kind), map[string]int{"127.0.0.1": 65535, "::1": 65536},
			ping.WithTimeout(skipped.AtLength(t, 200*ms, time.Second))) // with an old kernel they wait for that
	})
}

// Linux's own routers say what fits, or the link of this host does.
func TestPathMTURouters(t *testing.T) {
	for _, c := range []struct {
		mtus []int
		want int
	}{
		{[]int{1500, 1500}, 1500},
		{[]int{1500, 1400}, 1400},
		{[]int{1500, 1280}, 1280},
		{[]int{1400, 1500}, 1400},
		{[]int{9000, 9000}, 9000},
		{[]int{9000, 1500}, 1500},
		{[]int{1500, 1433}, 1433},
		{[]int{16100, 16100}, 16100},
		{[]int{65535, 9001}, 9001},
		{[]int{9000, 4000, 1500, 1433, 1301}, 1301}, // each says what the next link takes
	} {
		t.Run(fmt.Sprint(c.mtus), func(t *testing.T) {
			_, hosts := mtuPath(t, c.mtus...)
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				p := openPinger(t, kind)
				check := checkMTU
				if c.mtus[0] > 15_013 {
					check = checkLargeMTU
				}
				for range 2 { // what the kernel has learned meanwhile changes nothing
					check(t, p, map[string]int{hosts[0]: c.want, hosts[1]: c.want})
				}
				if n := p.Counters(); n.InFlight != 0 {
					t.Errorf("counters are %+v", n)
				}
			})
		})
	}
	t.Run("with wire stamps", func(t *testing.T) {
		_, hosts := mtuPath(t, 1500, 1400)
		p := openPinger(t, ping.WithWireTimestamps(true))
		checkMTU(t, p, map[string]int{hosts[0]: 1400, hosts[1]: 1400})
		checkLargeMTU(t, p, map[string]int{"::1": 65536})
	})
	t.Run("IPv4 below what IPv6 needs", func(t *testing.T) {
		_, hosts := mtuPath(t, 1500, 600)
		checkMTU(t, openPinger(t), map[string]int{hosts[0]: 600})
	})
}

// A router of Linux that is kept from saying anything, and a link that takes less than its router believes, are black
// holes.
func TestPathMTUSilentRouters(t *testing.T) {
	timeout := skipped.AtLength(t, 100*ms, 200*ms)
	t.Run("no ICMP errors", func(t *testing.T) {
		beyond, hosts := mtuPath(t, 1500, 1400)
		p := openPinger(t)
		beyond[0].RefuseOutput(t)
		checkMTU(t, p, map[string]int{hosts[0]: 1400}, ping.WithTimeout(timeout))
	})
	t.Run("a link of two MTUs", func(t *testing.T) {
		beyond, hosts := mtuPath(t, 1500, 1500)
		beyond[1].SetMTU(t, "m1b", 1400)
		// The veth pair lets pass 4 bytes more, for a VLAN's tag (include/linux/netdevice.h, __is_skb_forwardable).
		checkMTU(t, openPinger(t), map[string]int{hosts[0]: 1404, hosts[1]: 1404}, ping.WithTimeout(timeout))
	})
}

// What is measured is the way there. The way back may be narrower: the answer comes in fragments, for IPv6 once
// the target has learned from its router that it must make them.
func TestPathMTUNarrowWayBack(t *testing.T) {
	self, there, back, far := netlab.Self(t), netlab.New(t), netlab.New(t), netlab.New(t)
	for i, middle := range []*netlab.Namespace{there, back} {
		near, beyond := fmt.Sprintf("w%d", i), fmt.Sprintf("x%d", i)
		netlab.Link(t, self, near, middle, "near")
		netlab.Link(t, middle, "far", far, beyond)
		for _, a := range []struct {
			ns        *netlab.Namespace
			dev, addr string
		}{
			{self, near, "10.78.%d.1/24"}, {middle, "near", "10.78.%d.2/24"},
			{middle, "far", "10.79.%d.1/24"}, {far, beyond, "10.79.%d.2/24"},
			{self, near, "2001:db8:78%d::1/64"}, {middle, "near", "2001:db8:78%d::2/64"},
			{middle, "far", "2001:db8:79%d::1/64"}, {far, beyond, "2001:db8:79%d::2/64"},
		} {
			a.ns.Addr(t, a.dev, netip.MustParsePrefix(fmt.Sprintf(a.addr, i)))
		}
		middle.Forward(t)
	}
	self.Route(t, netip.MustParsePrefix("10.79.0.0/24"), netip.MustParseAddr("10.78.0.2"), "w0")
	self.Route(t, netip.MustParsePrefix("2001:db8:790::/64"), netip.MustParseAddr("2001:db8:780::2"), "w0")
	far.Route(t, netip.MustParsePrefix("10.78.0.0/24"), netip.MustParseAddr("10.79.1.1"), "x1")
	far.Route(t, netip.MustParsePrefix("2001:db8:780::/64"), netip.MustParseAddr("2001:db8:791::1"), "x1")
	back.Route(t, netip.MustParsePrefix("10.78.0.0/24"), netip.MustParseAddr("10.78.1.1"), "near")
	back.Route(t, netip.MustParsePrefix("2001:db8:780::/64"), netip.MustParseAddr("2001:db8:781::1"), "near")
	// Of its errors.
	back.Route(t, netip.MustParsePrefix("2001:db8:790::/64"), netip.MustParseAddr("2001:db8:791::2"), "far")
	back.SetMTU(t, "near", 1300)
	self.SetMTU(t, "w1", 1300)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		want := map[string]int{"10.79.0.2": 1500, "2001:db8:790::2": 1500}
		checkMTU(t, openPinger(t, kind), want, ping.WithTimeout(time.Second))
	})
}

// mtuHost is a host behind the responder's router for each i from 0 to 99, whose number mtuIndex finds again.
func mtuHost(v6 bool, i int) string {
	if v6 {
		return fmt.Sprintf("2001:db8:2::%x", i)
	}
	return fmt.Sprintf("203.0.113.%d", 100+i)
}

func mtuIndex(a netip.Addr) int {
	b := a.AsSlice()
	if a.Is6() {
		return int(b[15])
	}
	return int(b[3]) - 100
}

// mtuResponder plays paths to the hosts of mtuHost over a link of MTU 9000.
func mtuResponder(t *testing.T, script func(i int, r *netlab.Request) []netlab.Answer) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		MTU:    9000,
		Addrs:  nearPrefixes(),
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
		Script: func(r *netlab.Request) []netlab.Answer {
			if !r.DontFragment {
				t.Errorf("a packet of %d bytes may be fragmented", len(r.Packet))
			}
			return script(mtuIndex(r.Dst), r)
		},
	})
}

// refuseMTU is the error of a router that names an MTU.
func refuseMTU(r *netlab.Request, mtu uint32) netlab.Answer {
	if r.Dst.Is6() {
		return r.Error(router(r.Dst), 2, 0, mtu, -1) // packet too big
	}
	return r.Error(router(r.Dst), 3, 4, mtu, -1) // fragmentation needed
}

// Where packets vanish without a word, and a fifth of those that do not is lost as well, the MTU is found by search.
func TestPathMTUBlackHole(t *testing.T) {
	mtus := []int{1280, 1400, 1500, 9000, 1433}
	type key struct {
		dst  netip.Addr
		id   uint16
		size int
	}
	tries := map[key]uint64{}
	mtuResponder(t, func(i int, r *netlab.Request) []netlab.Answer {
		k := key{r.Dst, r.ID, len(r.Packet)}
		tries[k]++
		if k.size > mtus[i%10] || i >= 10 && rand.New(rand.NewPCG(uint64(k.size), tries[k])).IntN(5) == 0 {
			return nil
		}
		return []netlab.Answer{r.Echo()}
	})
	want := map[string]int{}
	for i, mtu := range mtus {
		for _, v6 := range []bool{false, true} {
			want[mtuHost(v6, i)] = mtu
			want[mtuHost(v6, 10+i)] = mtu // the same with losses
		}
	}
	timeout := skipped.AtLength(t, 100*ms, 500*ms)
	var wg sync.WaitGroup
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		p := openPinger(t, ping.WithSocket(kind))
		wg.Go(func() { checkMTU(t, p, want, ping.WithTimeout(timeout)) })
	}
	wg.Wait()
}

// What routers say is tried, not believed.
func TestPathMTULies(t *testing.T) {
	lies := []func(size int) int{
		func(int) int { return 0 },
		func(int) int { return 10 },
		func(int) int { return 67 },
		func(int) int { return 1279 },
		func(size int) int { return size },
		func(size int) int { return size + 100 },
		func(int) int { return 65535 },
		func(int) int { return 1300 },
		func(size int) int { return size - 1 },
		func(size int) int { return size * 9 / 10 },
	}
	const mtu = 1433
	r := mtuResponder(t, func(i int, r *netlab.Request) []netlab.Answer {
		if size := len(r.Packet); size > mtu {
			return []netlab.Answer{refuseMTU(r, uint32(lies[i](size)))}
		}
		return []netlab.Answer{r.Echo()}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		want := map[string]int{}
		for i := range lies {
			want[mtuHost(false, i)], want[mtuHost(true, i)] = mtu, mtu
		}
		checkMTU(t, p, want, ping.WithTimeout(time.Minute))
	})
	// Each answer that made a result was one to a packet of that size.
	passed := map[netip.Addr]bool{}
	type flow struct {
		dst netip.Addr
		id  uint16
	}
	checksums := map[flow]uint16{} // what routers tell flows apart by
	for _, q := range r.Records() {
		f, sum := flow{q.Dst, q.ID}, binary.BigEndian.Uint16(q.Packet[len(q.Packet)-len(q.Payload)-6:])
		if first, ok := checksums[f]; ok && first != sum {
			t.Fatalf("%v: the checksums of one search differ: %#x, %#x", q.Dst, first, sum)
		}
		checksums[f] = sum
		passed[q.Dst] = passed[q.Dst] || len(q.Packet) == mtu
	}
	if len(passed) != 2*len(lies) {
		t.Errorf("%d hosts were sent to", len(passed))
	}
	for host, so := range passed {
		if !so {
			t.Errorf("%v: %d was never sent", host, mtu)
		}
	}
}

// Reopen and other calls over the same sockets do a search no harm, nor does it them.
func TestPathMTUBesideOthers(t *testing.T) {
	p := openPinger(t)
	var reopen sync.Once
	r := mtuResponder(t, func(i int, r *netlab.Request) []netlab.Answer {
		if len(r.Packet) > 1400 {
			return []netlab.Answer{refuseMTU(r, 1400)}
		}
		if len(r.Packet) > 1000 {
			reopen.Do(func() {
				if err := p.Reopen(); err != nil {
					t.Error(err)
				}
			})
		}
		return []netlab.Answer{r.Echo()}
	})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, err := p.PingN(t.Context(), mtuHost(i%2 == 1, 50+i), 300,
				ping.WithInterval(0), ping.WithTimeout(time.Minute), ping.WithDontFragment(true))
			if err != nil || s.Received != 300 {
				t.Errorf("beside it: %v, %v", s, err)
			}
		})
	}
	want := map[string]int{}
	for i := range 8 {
		want[mtuHost(i%2 == 1, i)] = 1400
	}
	checkMTU(t, p, want, ping.WithTimeout(time.Minute))
	wg.Wait()
	moved := false
	first := map[netip.Addr]uint16{}
	for _, q := range r.Records() {
		if id, ok := first[q.Dst]; mtuIndex(q.Dst) < len(want) && ok && id != q.ID {
			moved = true
		} else if !ok {
			first[q.Dst] = q.ID
		}
	}
	if !moved {
		t.Error("no search went on over the new sockets")
	}
}

// A target that is not there, or refused, is an error. Datagram sockets need no privilege.
func TestPathMTUUnprivileged(t *testing.T) {
	_, hosts := mtuPath(t, 1500, 1400)
	if err := unprivileged(func() error {
		if p, err := ping.New(ping.WithSocket(ping.SocketRaw)); !errors.Is(err, fs.ErrPermission) {
			p.Close()
			return fmt.Errorf("a raw socket: %w", err)
		}
		p, err := ping.New(ping.WithSocket(ping.SocketDatagram))
		if err != nil {
			return err
		}
		defer p.Close()
		for _, host := range hosts {
			if got, err := p.PathMTU(t.Context(), host); got != 1400 || err != nil {
				return fmt.Errorf("%s: got %d, %w", host, got, err)
			}
		}
		var e *ping.ICMPError
		got, err := p.PathMTU(t.Context(), hosts[0], ping.WithTTL(1))
		if got != 0 || !errors.As(err, &e) || e.Type != 11 /* time exceeded */ {
			return fmt.Errorf("a TTL of 1: got %d, %w", got, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
