package ping_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// The networks of TestChaos.
const (
	scripted4, scripted6 = "198.51.100.", "2001:db8:1::" // .1 is this host, the rest the responder's
	beyond               = "203.0.113."                  // the responder's, with routers before it
	plain4, plain6       = "198.18.0.", "2001:db8:18::"  // .1 is this host, .2 another Linux
	vacant               = "192.0.2."                    // .1 is this host, and nobody else is there
	rejected4, rejected6 = "10.1.0.0/16", "2001:db8:a1::/48"
	dropped4, dropped6   = "10.2.0.0/16", "2001:db8:a2::/48"
)

// A fault of this host's network, which undo ends.
type chaosFault struct {
	name   string
	begin  func() (undo func())
	global bool // for all hosts; it is ended soon
}

// Callers do anything, over the kernel's sockets and a network with all kinds of faults, which come and go: each call
// ends, each probe is counted once, and all is well again when the faults have passed.
func TestChaos(t *testing.T) {
	s := newStorm(t, *chaos, 600*ms, 2*time.Second)
	s.expected = []error{syscall.EPERM, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EMSGSIZE, syscall.ENETDOWN,
		syscall.EADDRNOTAVAIL}
	if since, _ := kernelSince(t, 6, 0); !since { // for a flow over IPv6, or a question
		s.expected = append(s.expected, errors.ErrUnsupported)
	}
	faults := s.network(netlab.Self(t))
	start := time.Now()
	for time.Since(start) < s.length {
		s.kernelRound(faults, min(s.length/2, 3*time.Second))
	}
	wanted := []string{"answered", "timed out", "dropped here", "ICMP error", "no room", "closed", "cut short",
		"not sent: " + syscall.EPERM.Error(), "not sent: " + syscall.ENETUNREACH.Error(),
		"not sent: " + syscall.EMSGSIZE.Error(), errIterator.Error(), errBody.Error(), "Reopen",
		"Counters by a log handler", "Close by a log handler"}
	for _, f := range faults {
		wanted = append(wanted, f.name)
	}
	s.finish(append(wanted, sweepNames[:]...)...)
}

// network makes the networks, and returns the faults that they may have.
func (s *storm) network(ns *netlab.Namespace) []chaosFault {
	s.Helper()
	prefix := netip.MustParsePrefix
	r := s.chance() // the responder's own
	netlab.NewResponder(s, ns, netlab.ResponderConfig{
		Addrs: []netip.Prefix{prefix(scripted4 + "1/24"), prefix(scripted6 + "1/64")},
		Routes: []netip.Prefix{prefix(beyond + "0/24"), prefix(rejected4), prefix(rejected6), prefix(dropped4),
			prefix(dropped6)},
		Quiet: true,
		Busy:  true,
		Script: func(q *netlab.Request) []netlab.Answer {
			last := q.Dst.As16()[15]
			switch router := netip.MustParseAddr(scripted4 + "254"); {
			case last == 2:
				return []netlab.Answer{q.Echo()}
			case last == 3:
				return nil
			case q.Dst.Is4() && q.TTL < int(last%4):
				return []netlab.Answer{q.Error(router, 11, 0, 0, 64)}
			case q.Dst.Is4() && q.DontFragment && len(q.Packet) > 1300 && last%2 == 1:
				return []netlab.Answer{q.Error(router, 3, 4, 1300, 64)}
			}
			after := time.Duration(r.IntN(20)) * ms
			switch r.IntN(8) {
			case 0:
				return nil
			case 1:
				return []netlab.Answer{q.Echo(), q.Echo().Later(after)}
			case 2:
				return []netlab.Answer{q.Forge(func(p *netlab.Packet) { p.Src = p.Src.Next() }), q.Echo()}
			case 3:
				return []netlab.Answer{q.Forge(func(p *netlab.Packet) { p.Code = 5 }), q.Echo().Later(after)}
			case 4, 5:
				return []netlab.Answer{q.Echo().Later(after)}
			}
			return []netlab.Answer{q.Echo()}
		},
	})
	netlab.Link(s, ns, "void0", netlab.New(s), "void1")
	ns.Addr(s, "void0", prefix(vacant+"1/24"))
	far := netlab.New(s)
	netlab.Link(s, ns, "plain0", far, "plain1")
	ns.Addr(s, "plain0", prefix(plain4+"1/24"))
	ns.Addr(s, "plain0", prefix(plain6+"1/64"))
	far.Addr(s, "plain1", prefix(plain4+"2/24"))
	far.Addr(s, "plain1", prefix(plain6+"2/64"))

	for _, dev := range []string{"veth0", "void0", "plain0"} { // a firewall drops what asks for neighbours too
		hasten(s.T, ns, dev)
	}
	refuse := func(how netlab.Refusal, four, six string) func() func() {
		return func() func() {
			a, b := ns.RefuseEchoes(s, prefix(four), how), ns.RefuseEchoes(s, prefix(six), how)
			return func() {
				a.Undo()
				b.Undo()
			}
		}
	}
	return []chaosFault{
		{"a firewall rejects", refuse(netlab.Reject, rejected4, rejected6), false},
		{"a firewall drops", refuse(netlab.Drop, dropped4, dropped6), false},
		{"a link is down", func() func() {
			ns.SetUp(s, "plain0", false)
			return func() {
				ns.SetUp(s, "plain0", true)
				ns.Addr(s, "plain0", prefix(plain6+"1/64")) // IPv6 addresses go when a device does
			}
		}, false},
		{"a link's queue has no room", func() func() { return ns.NoRoom(s, "plain0") }, false},
		{"receive buffers are small", func() func() {
			s.buffers(4096)
			return func() { s.buffers(1 << 28) }
		}, false},
		{"a firewall refuses all", func() func() { return ns.RefuseOutput(s) }, true},
		{"a firewall drops all that comes", func() func() { return ns.DropInput(s) }, true},
	}
}

// buffers sets the size of the receive buffers of all sockets for ICMP of the process.
func (s *storm) buffers(size int) {
	s.Helper()
	for _, fd := range socketsLeft(s) {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size) // it may have been closed meanwhile
	}
}

// kernelRound is a round over new Pingers.
func (s *storm) kernelRound(faults []chaosFault, length time.Duration) {
	s.Helper()
	goroutines, sockets := runtime.NumGoroutine(), len(socketsLeft(s))
	r := s.chance()
	f := &field{silent: netip.MustParseAddr(scripted4 + "3"), reopen: true}
	for _, host := range []string{
		"127.0.0.1", "::1", scripted4 + "2", scripted6 + "2", plain4 + "2", plain6 + "2", // healthy
		scripted4 + "3", scripted4 + "5", scripted6 + "6", beyond + "2", beyond + "7", vacant + "2",
		"10.1.0.2", "2001:db8:a1::2", "10.2.0.2", "2001:db8:a2::2", "100.64.0.1", "2001:db8:f::1",
	} {
		f.hosts = append(f.hosts, netip.MustParseAddr(host))
	}
	f.healthy = f.hosts[:6]
	if f.swept = f.healthy; s.brief {
		f.swept = f.healthy[:2] // the others are on a link
	}
	for i := range 250 {
		f.refused = append(f.refused, netip.AddrFrom4([4]byte{10, 1, 1, byte(i)}))
	}
	f.reject = faults[0].begin
	logs := &handler{s: s}
	for _, opts := range [][]ping.Option{
		{ping.WithSocket(ping.SocketDatagram)},
		{ping.WithSocket(ping.SocketRaw)},
		{ping.WithRate(5000), ping.WithWireTimestamps(true), ping.WithLogger(slog.New(logs))},
	} {
		p, err := ping.New(opts...)
		if err != nil {
			s.Fatal(err)
		}
		f.pingers = append(f.pingers, p)
	}
	logs.pinger.Store(f.pingers[2])

	undo := make([]func(), len(faults))
	end := func(i int) {
		if undo[i] != nil {
			undo[i]()
			undo[i] = nil
		}
	}
	f.fault = func() {
		for i, fault := range faults {
			if fault.global {
				end(i)
			}
		}
		i := r.IntN(len(faults))
		if undo[i] != nil {
			end(i)
			return
		}
		s.saw(faults[i].name)
		undo[i] = faults[i].begin()
	}
	f.calm = func() {
		for i := range faults {
			end(i)
		}
	}
	f.ended = func() bool { return false }
	f.last = func() {
		logs.closes.Store(true)
		s.call("Reopen", 0, func() { f.pingers[2].Reopen() }) // which it tells the log
	}
	s.round(f, length)
	s.ended(goroutines)
	if n := len(socketsLeft(s)); n != sockets {
		s.Errorf("%d sockets are left", n-sockets)
	}
}

// socketsLeft returns the descriptors of the process's ICMP sockets. Some may be closed meanwhile, and there may be
// none.
func socketsLeft(t testing.TB) (list []int) {
	t.Helper()
	for _, fd := range descriptors(t) {
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			continue // no socket, or not any more
		}
		protocol, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if domain == unix.AF_INET && protocol == unix.IPPROTO_ICMP ||
			domain == unix.AF_INET6 && protocol == unix.IPPROTO_ICMPV6 {
			list = append(list, fd)
		}
	}
	return list
}
