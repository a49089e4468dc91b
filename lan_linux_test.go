package ping_test

import (
	"errors"
	"iter"
	"math"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/icmpsock"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// allOf are the addresses of a prefix.
func allOf(prefix netip.Prefix) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for addr := prefix.Addr(); prefix.Contains(addr) && yield(addr); addr = addr.Next() {
		}
	}
}

// unresolved is how many neighbours this host is asking for, in this namespace.
func unresolved(t *testing.T) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/arp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(table), " 0x0 ")
}

// A Sweep of a LAN leaves half of the neighbour table to others while hosts do not answer, and what goes through a
// router does not wait for that. With -long it goes on to the end: it finds each host that is up, and all others have
// been sent to.
func TestSweepLAN(t *testing.T) {
	ns, near := netlab.Self(t), netlab.New(t)
	netlab.Link(t, ns, "lan0", near, "lan1")
	lan, us := netip.MustParsePrefix("172.20.0.0/20"), netip.MustParseAddr("172.20.0.1")
	ns.Addr(t, "lan0", netip.PrefixFrom(us, 20))
	up := map[netip.Addr]bool{us: true}
	for i := range 14 {
		addr := netip.AddrFrom4([4]byte{172, 20, byte(i + 1), byte(10 + 3*i)})
		near.Addr(t, "lan1", netip.PrefixFrom(addr, 20))
		up[addr] = true
	}
	beyond := netip.MustParsePrefix("10.99.0.0/21")
	ns.Route(t, beyond, netip.MustParseAddr("172.20.1.10"), "lan0")
	p := openPinger(t)

	s, err := icmpsock.Open(icmpsock.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table := s.Neighbours().Tables[0]
	s.Close()
	stop := skipped.AtLength(t, 1<<11, math.MaxInt) // when so many beyond have been settled
	timeout := skipped.AtLength(t, 300*ms, time.Second)
	found, others, far := 0, 0, 0
	for addr, r := range p.Sweep(t.Context(), both(allOf(lan), allOf(beyond)), ping.WithTimeout(timeout)) {
		broadcast := addr == netip.MustParseAddr("172.20.15.255") || addr == lan.Addr()
		switch {
		case r.Err == nil && up[addr]:
			found++
		case beyond.Contains(addr):
			if far++; far == 1<<11 {
				// The Sweep asks for half a table at a time. Those that it has asked for in vain may be in there still.
				if n := unresolved(t); n < 100 || n > 3*table/4 {
					t.Errorf("asks for %d neighbours of a table of %d, and %d have not answered", n, table, others)
				}
				if far == stop {
					return
				}
			}
		case errors.Is(r.Err, ping.ErrTimeout) && !up[addr]:
			others++
		case !broadcast:
			t.Errorf("%v: %+v", addr, r)
		}
	}
	if found != len(up) || far != 1<<11 {
		t.Errorf("found %d of %d, and %d beyond", found, len(up), far)
	}
}

// both is one sequence after the other.
func both(a, b iter.Seq[netip.Addr]) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, seq := range []iter.Seq[netip.Addr]{a, b} {
			for addr := range seq {
				if !yield(addr) {
					return
				}
			}
		}
	}
}

// Where there is no room for what is to leave, the error says which room that may be.
func TestNoBuffers(t *testing.T) {
	ns, near := netlab.Self(t), netlab.New(t)
	netlab.Link(t, ns, "lan0", near, "lan1")
	ns.Addr(t, "lan0", netip.MustParsePrefix("172.20.0.1/20"))
	near.Addr(t, "lan1", netip.MustParsePrefix("172.20.0.2/20"))
	p := openPinger(t)
	if _, err := p.Ping(t.Context(), "172.20.0.2", ping.WithTimeout(time.Minute)); err != nil {
		t.Fatal(err)
	}
	ns.NoRoom(t, "lan0")
	_, err := p.Ping(t.Context(), "172.20.0.2", ping.WithTimeout(100*ms))
	if !errors.Is(err, syscall.ENOBUFS) || !errors.Is(err, ping.ErrNoRoom) ||
		!strings.Contains(err.Error(), "neighbour table") {
		t.Errorf("got %v", err)
	}
}
