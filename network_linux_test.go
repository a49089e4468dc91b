package ping

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// What follows runs over real sockets and a link, with a responder beyond it that plays hosts and routers.

const (
	near4, near6 = "198.51.100.1", "2001:db8:1::1"
	far4, far6   = "198.51.100.2", "2001:db8:1::2"
	// Behind a router that the responder plays too.
	beyond4, beyond6 = "203.0.113.5", "2001:db8:2::5"
	router4, router6 = "198.51.100.254", "2001:db8:1::fe"
)

func newResponder(t testing.TB, script func(*netlab.Request) []netlab.Answer) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
		Script: script,
	})
}

// router is the router of an address's family.
func router(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.MustParseAddr(router4)
	}
	return netip.MustParseAddr(router6)
}

func TestNetwork(t *testing.T) {
	elsewhere := func(a netip.Addr) netip.Addr { return a.Next() }
	forge := func(change func(*netlab.Packet)) func(*netlab.Request) []netlab.Answer {
		return func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Forge(change)} }
	}
	const slow = 4 // times, where the responder's own delay must not matter
	type counts struct{ received, errors, late, duplicates, reordered, corrupted, stray int }
	for _, c := range []struct {
		name   string
		script func(*netlab.Request) []netlab.Answer
		want   counts
	}{
		{"echo", nil, counts{received: 4}},
		{"delay", func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Echo().Later(10 * ms)} }, counts{received: 4}},
		{"silence", func(r *netlab.Request) []netlab.Answer { return nil }, counts{}},
		{"every other", func(r *netlab.Request) []netlab.Answer {
			if r.Seq%2 == 0 {
				return nil
			}
			return []netlab.Answer{r.Echo()}
		}, counts{received: 2}},
		{"three times", func(r *netlab.Request) []netlab.Answer {
			a := []netlab.Answer{r.Echo(), r.Echo(), r.Echo()}
			if r.Seq == 3 { // the call ends with the first answer to its last probe
				a = a[:1]
			}
			return a
		}, counts{received: 4, duplicates: 6}},
		{"late", func(r *netlab.Request) []netlab.Answer {
			if r.Seq == 0 {
				return []netlab.Answer{r.Echo().Later(200 * slow * ms)}
			}
			return []netlab.Answer{r.Echo().Later(100 * slow * ms)}
		}, counts{received: 3, late: 1}},
		{"first comes last", func(r *netlab.Request) []netlab.Answer {
			if r.Seq == 0 {
				return []netlab.Answer{r.Echo().Later(100 * ms)}
			}
			return []netlab.Answer{r.Echo()}
		}, counts{received: 4, reordered: 1}},
		{"from elsewhere", forge(func(p *netlab.Packet) { p.Src = elsewhere(p.Src) }), counts{stray: 4}},
		{"flipped bit", forge(func(p *netlab.Packet) { p.Payload[20] ^= 4 }), counts{corrupted: 4}},
		{"cut short", forge(func(p *netlab.Packet) { p.Payload = p.Payload[:30] }), counts{corrupted: 4}},
		{"longer", forge(func(p *netlab.Packet) { p.Payload = append(p.Payload, 64, 65) }), counts{corrupted: 4}},
		{"code 5", forge(func(p *netlab.Packet) { p.Code = 5 }), counts{corrupted: 4}},
		{"foreign cookie", forge(func(p *netlab.Packet) { p.Payload[0]++ }), counts{stray: 4}},
		{"bad checksum", forge(func(p *netlab.Packet) { p.BadChecksum = true }), counts{}},
		{"foreign identifier", forge(func(p *netlab.Packet) { p.ID++ }), counts{}},
		{"unreachable", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Packet)}
		}, counts{errors: 4}},
		{"unreachable, 8 bytes quoted", func(r *netlab.Request) []netlab.Answer {
			typ := byte(icmpUnreachable)
			if r.Dst.Is6() {
				typ = icmp6Unreachable
			}
			return []netlab.Answer{r.Error(router(r.Dst), typ, 1, 0, 8)}
		}, counts{errors: 4}},
		{"unreachable, another destination quoted", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) { p.Dst = elsewhere(p.Dst) }))}
		}, counts{stray: 4}},
		{"unreachable, another cookie quoted", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) { p.Payload[3]++ }))}
		}, counts{stray: 4}},
		{"unreachable, then an echo", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Packet), r.Echo().Later(20 * ms)}
		}, counts{errors: 4, late: 3}},
		{"an echo, then unreachable", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{r.Echo(), unreachable(r, r.Packet).Later(20 * ms)}
		}, counts{received: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind Option) {
				r := newResponder(t, c.script)
				interval, timeout := 40*ms, 300*ms
				switch {
				case c.name == "late":
					interval, timeout = slow*40*ms, slow*150*ms
				case c.want.late > 0:
					interval = slow * interval
				case c.want.received == 4:
					timeout = 10 * time.Second // which passes for none
				}
				var wg sync.WaitGroup
				for _, host := range []string{far4, far6, beyond4, beyond6} {
					p := newPinger(t, kind)
					wg.Go(func() {
						s, err := p.PingN(t.Context(), host, 4, WithInterval(interval), WithTimeout(timeout))
						if err != nil {
							t.Error(err)
							return
						}
						got := counts{s.Received, s.Errors, s.Late, s.Duplicates, s.Reordered, s.Corrupted, s.Stray}
						if got != c.want || s.Sent != 4 || s.Received+s.Lost != 4 || s.SendErrors != 0 {
							t.Errorf("%s: got %+v, want %+v: %v", host, got, c.want, s)
						}
						checkTruth(t, s, r.Records())
					})
				}
				wg.Wait()
			})
		})
	}
}

// unreachable is the error of a router that cannot reach the host, about packet.
func unreachable(r *netlab.Request, packet []byte) netlab.Answer {
	if r.Dst.Is6() {
		return netlab.ErrorQuoting(packet, router(r.Dst), icmp6Unreachable, 3, 0)
	}
	return netlab.ErrorQuoting(packet, router(r.Dst), icmpUnreachable, 1, 0)
}

// checkTruth holds replies against what the responder did: no RTT is shorter than the time that the answer was
// under way in truth, and Sent and Received lie outside of that.
func checkTruth(t *testing.T, s *Statistics, records []netlab.Record) {
	t.Helper()
	records = slices.DeleteFunc(records, func(r netlab.Record) bool { return r.Dst != s.Target })
	if len(records) != s.Sent {
		t.Errorf("the responder saw %d requests of %d", len(records), s.Sent)
		return
	}
	for i, reply := range s.Replies {
		record := records[i]
		if reply.Received.IsZero() {
			continue
		}
		if reply.Clock != ClockKernel {
			t.Errorf("reply %d is stamped by the %v clock", i, reply.Clock)
		}
		if reply.Sent.After(record.Received) || reply.Received.Before(record.Sent[0]) || reply.RTT < record.Sent[0].Sub(record.Received) {
			t.Errorf("reply %d: sent %v, received %v, RTT %v; in truth it came %v and left %v", i,
				reply.Sent, reply.Received, reply.RTT, record.Received, record.Sent[0])
		}
	}
}

// An ICMP error comes as what it is, from whom it came, and with its own RTT.
func TestICMPErrors(t *testing.T) {
	for _, c := range []struct {
		host      string
		typ, code byte
		info      uint32
		want      string
	}{
		{beyond4, 3, 0, 0, "destination network unreachable"},
		{beyond4, 3, 1, 0, "destination host unreachable"},
		{beyond4, 3, 2, 0, "destination protocol unreachable"},
		{beyond4, 3, 3, 0, "destination port unreachable"},
		{beyond4, 3, 9, 0, "destination network administratively prohibited"},
		{beyond4, 3, 10, 0, "destination host administratively prohibited"},
		{beyond4, 3, 13, 0, "communication administratively prohibited"},
		{beyond4, 11, 0, 0, "time to live exceeded"},
		{beyond4, 12, 0, 20 << 24, "parameter problem (code 0)"},
		{beyond6, 1, 0, 0, "no route to destination"},
		{beyond6, 1, 1, 0, "communication administratively prohibited"},
		{beyond6, 1, 3, 0, "destination address unreachable"},
		{beyond6, 1, 4, 0, "destination port unreachable"},
		{beyond6, 1, 6, 0, "route to destination rejected"},
		{beyond6, 2, 0, 1280, "packet too big (MTU 1280)"},
		{beyond6, 3, 0, 0, "hop limit exceeded"},
		{beyond6, 4, 1, 6, "parameter problem (code 1)"},
	} {
		t.Run(fmt.Sprintf("%s-%d-%d", c.host, c.typ, c.code), func(t *testing.T) {
			newResponder(t, func(r *netlab.Request) []netlab.Answer {
				return []netlab.Answer{r.Error(router(r.Dst), c.typ, c.code, c.info, -1).Later(5 * ms)}
			})
			eachKind(t, func(t *testing.T, kind Option) {
				from := router(netip.MustParseAddr(c.host))
				r, err := newPinger(t, kind).Ping(t.Context(), c.host)
				var e *ICMPError
				if !errors.As(err, &e) || e.Type != int(c.typ) || e.Code != int(c.code) || e.From != from {
					t.Fatalf("got %+v, %v", r, err)
				}
				if want := "ping " + c.host + ": " + c.want + ", from " + from.String(); err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
				if r.From != from || r.RTT < 5*ms || r.TTL != 64 {
					t.Errorf("reply is %+v", r)
				}
			})
		})
	}
}

// Redirect and source quench are advice: the probe goes on.
func TestAdvice(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{r.Error(router(r.Dst), 5, 1, 0, -1), r.Error(router(r.Dst), 4, 0, 0, -1), r.Echo().Later(5 * ms)}
	})
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		s, err := p.PingN(t.Context(), beyond4, 3, WithInterval(10*ms))
		if err != nil || s.Received != 3 || s.Errors != 0 {
			t.Errorf("got %v, %v", s, err)
		}
		// Raw sockets are not told (net/ipv4/raw.c, raw_err).
		if c := p.Counters(); c.Advice != 6 && p.lines[0].Load().conn.transport.(*socket).id == 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// The errors of one target cost another neither a probe nor an RTT.
func TestErrorsOfAnother(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.Dst.String() == far4 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{unreachable(r, r.Packet)}
	})
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), fmt.Sprintf("203.0.113.%d", 10+i), 500, WithInterval(0))
				if err != nil || s.Errors != 500 || s.SendErrors != 0 {
					t.Errorf("the refused: %v, %v", s, err)
				}
			})
		}
		for range 4 {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), far4, 500, WithInterval(0))
				if err != nil || s.Received != 500 || s.SendErrors != 0 {
					t.Errorf("the healthy: %v, %v", s, err)
				}
			})
		}
		wg.Wait()
	})
}

// A TTL or traffic class is that of its call's messages, and of no others.
func TestHeaderPerMessage(t *testing.T) {
	r := newResponder(t, nil)
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		r.Reset()
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				host := []string{far4, far6}[i%2]
				var opts []ProbeOption
				if ttl := i / 2; ttl > 0 {
					opts = []ProbeOption{WithTTL(ttl), WithTrafficClass(4 * ttl), WithSize(100 + ttl)}
				}
				if _, err := p.Ping(t.Context(), host, opts...); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, q := range r.Records() {
			ttl := len(q.Payload) - 100
			class := 4 * ttl
			if ttl < 0 {
				ttl, class = 64, 0
			}
			if q.TTL != ttl || q.TrafficClass != class {
				t.Errorf("%d bytes to %v have TTL %d and class %d, want %d and %d", len(q.Payload), q.Dst, q.TTL, q.TrafficClass, ttl, class)
			}
		}
		if n := len(r.Records()); n != 60 {
			t.Errorf("%d requests", n)
		}
	})
}

// The routes and the firewall of this host refuse a probe at once, and the run goes on.
func TestRefusedHere(t *testing.T) {
	ns := netlab.Self(t)
	for _, c := range []struct {
		name  string
		route int // 0: none
		want  error
	}{
		{"no route", 0, syscall.ENETUNREACH},
		{"unreachable", unix.RTN_UNREACHABLE, syscall.EHOSTUNREACH},
		{"prohibit", unix.RTN_PROHIBIT, syscall.EACCES},
		{"blackhole", unix.RTN_BLACKHOLE, syscall.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.route != 0 {
				ns.RouteType(t, netip.MustParsePrefix("192.0.2.0/24"), c.route)
			}
			eachKind(t, func(t *testing.T, kind Option) {
				p := newPinger(t, kind)
				s, err := p.PingN(t.Context(), "192.0.2.1", 3, WithInterval(ms))
				if err != nil || s.SendErrors != 3 || s.Sent != 0 {
					t.Fatalf("got %v, %v", s, err)
				}
				for _, r := range s.Replies {
					if !errors.Is(r.Err, c.want) {
						t.Errorf("got %v, want %v", r.Err, c.want)
					}
				}
				if _, err := p.Ping(t.Context(), "192.0.2.1"); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
					t.Error(err)
				}
			})
		})
	}
	t.Run("firewall", func(t *testing.T) {
		eachKind(t, func(t *testing.T, kind Option) {
			p := newPinger(t, kind)
			undo := ns.RefuseOutput(t)
			s, err := p.PingN(t.Context(), "127.0.0.1", 3, WithInterval(ms))
			if err != nil || s.SendErrors != 3 || !errors.Is(s.Replies[0].Err, fs.ErrPermission) {
				t.Errorf("got %v, %v", s, err)
			}
			undo()
			if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
				t.Error(err)
			}
		})
	})
}

// chain makes a chain of namespaces with Linux routers in it: Self – router – far, and returns the last two.
func chain(t testing.TB) (middle, far *netlab.Namespace) {
	self, middle, far := netlab.Self(t), netlab.New(t), netlab.New(t)
	netlab.Link(t, self, "c0", middle, "c1")
	netlab.Link(t, middle, "c2", far, "c3")
	for _, a := range []struct {
		ns     *netlab.Namespace
		dev    string
		prefix string
	}{
		{self, "c0", "198.51.100.1/24"}, {middle, "c1", "198.51.100.254/24"},
		{middle, "c2", "203.0.113.254/24"}, {far, "c3", "203.0.113.5/24"},
		{self, "c0", "2001:db8:1::1/64"}, {middle, "c1", "2001:db8:1::fe/64"},
		{middle, "c2", "2001:db8:2::fe/64"}, {far, "c3", "2001:db8:2::5/64"},
	} {
		a.ns.Addr(t, a.dev, netip.MustParsePrefix(a.prefix))
	}
	middle.Forward(t)
	for _, r := range []struct {
		ns       *netlab.Namespace
		dst, via string
		dev      string
	}{
		{self, "203.0.113.0/24", "198.51.100.254", "c0"}, {far, "198.51.100.0/24", "203.0.113.254", "c3"},
		{self, "2001:db8:2::/64", "2001:db8:1::fe", "c0"}, {far, "2001:db8:1::/64", "2001:db8:2::fe", "c3"},
	} {
		r.ns.Route(t, netip.MustParsePrefix(r.dst), netip.MustParseAddr(r.via), r.dev)
	}
	return middle, far
}

// Across a router of Linux's own.
func TestRouter(t *testing.T) {
	middle, far := chain(t)
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			from := router(netip.MustParseAddr(host))
			s, err := p.PingN(t.Context(), host, 5, WithInterval(ms))
			if err != nil || s.Received != 5 || s.Replies[4].TTL != 63 {
				t.Errorf("%s: %v, %v", host, s, err)
			}
			r, err := p.Ping(t.Context(), host, WithTTL(1))
			var e *ICMPError
			if !errors.As(err, &e) || r.From != from || r.RTT <= 0 || r.TTL != 64 {
				t.Errorf("%s, TTL 1: %+v, %v", host, r, err)
			}
		}
	})
	t.Run("path MTU", func(t *testing.T) {
		middle.SetMTU(t, "c2", 1300)
		far.SetMTU(t, "c3", 1300)
		eachKind(t, func(t *testing.T, kind Option) {
			p := newPinger(t, kind)
			for _, host := range []string{beyond4, beyond6} {
				from := router(netip.MustParseAddr(host))
				for range 2 { // what the kernel learns from the first changes nothing for the second
					var e *ICMPError
					if _, err := p.Ping(t.Context(), host, WithSize(1372), WithDontFragment(true)); !errors.As(err, &e) || e.MTU != 1300 || e.From != from {
						t.Errorf("%s: %v", host, err)
					}
				}
				if _, err := p.Ping(t.Context(), host, WithSize(1200), WithDontFragment(true)); err != nil {
					t.Errorf("%s, 1200 bytes: %v", host, err)
				}
				// Larger than this host's own link: it does not leave.
				if _, err := p.Ping(t.Context(), host, WithSize(1600), WithDontFragment(true)); !errors.Is(err, syscall.EMSGSIZE) {
					t.Errorf("%s, 1600 bytes: %v", host, err)
				}
			}
			for range 2 {
				if _, err := p.Ping(t.Context(), beyond4, WithSize(1372)); err != nil {
					t.Errorf("fragmented on the way: %v", err)
				}
			}
			if _, err := p.Ping(t.Context(), beyond4, WithSize(maxPayload4)); err != nil {
				t.Errorf("in many fragments: %v", err)
			}
		})
	})
}

// WithInterface has packets leave and arrive at that interface, whatever the routes prefer.
func TestInterface(t *testing.T) {
	ns := netlab.Self(t)
	var responders [2]*netlab.Responder
	for i := range responders {
		responders[i] = netlab.NewResponder(t, ns, netlab.ResponderConfig{
			Device: fmt.Sprintf("if%d", i),
			Addrs:  []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("198.51.100.%d/24", 10+i))},
		})
	}
	eachKind(t, func(t *testing.T, kind Option) {
		for i, want := range responders {
			want.Reset()
			p := newPinger(t, kind, WithInterface(fmt.Sprintf("if%d", i)))
			if _, err := p.Ping(t.Context(), far4); err != nil {
				t.Errorf("if%d: %v", i, err)
			}
			if got := want.Records(); len(got) != 1 || got[0].Src.String() != fmt.Sprintf("198.51.100.%d", 10+i) {
				t.Errorf("if%d saw %d requests", i, len(got))
			}
		}
	})
}

// A neighbour that does not answer for its address is reported by this host itself, after some seconds.
func TestNoNeighbour(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the kernel's three seconds")
	}
	chain(t)
	p := newPinger(t)
	var wg sync.WaitGroup
	for _, c := range []struct{ host, from string }{{"198.51.100.77", near4}, {"2001:db8:1::77", near6}} {
		wg.Go(func() {
			r, err := p.Ping(t.Context(), c.host, WithTimeout(time.Minute))
			var e *ICMPError
			if !errors.As(err, &e) || r.From != netip.MustParseAddr(c.from) {
				t.Errorf("%s: %+v, %v", c.host, r, err)
			}
		})
	}
	// So is it by a Trace: no router is met.
	wg.Go(func() {
		if got := lines(t, p, "198.51.100.78", WithTimeout(time.Minute)); len(got) != 1 || got[0] != repeat(1, near4+"!H") {
			t.Errorf("trace: %q", got)
		}
	})
	wg.Wait()
}

func TestLinkLocal(t *testing.T) {
	middle, _ := chain(t)
	var addr netip.Addr
	middle.Do(t, func() { addr = linkLocal(t, "c1") })
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		host := addr.WithZone("c0").String()
		if r, err := p.Ping(t.Context(), host); err != nil || r.From.String() != host {
			t.Errorf("%s: %+v, %v", host, r, err)
		}
		if _, err := p.Ping(t.Context(), addr.WithZone("nosuch0").String()); err == nil || !strings.Contains(err.Error(), `zone "nosuch0" is no network interface`) {
			t.Errorf("no such zone: %v", err)
		}
		if _, err := p.Ping(t.Context(), addr.String()); err == nil {
			t.Error("no zone: no error")
		}
		bound := newPinger(t, kind, WithInterface("c0"))
		if _, err := bound.Ping(t.Context(), addr.String()); err != nil {
			t.Errorf("no zone, bound to the interface: %v", err)
		}
	})
}

// linkLocal is the link-local address of a device.
func linkLocal(t testing.TB, dev string) netip.Addr {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	t.Fatalf("%s has no link-local address", dev)
	return netip.Addr{}
}
