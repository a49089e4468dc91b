package ping_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// wireFlow is what routers tell flows by: identifier, checksum, and the flow label of IPv6.
func wireFlow(r netlab.Record) string {
	if r.Dst.Is6() {
		return fmt.Sprintf("%04x %x %05x", r.ID, r.Packet[42:44], binary.BigEndian.Uint32(r.Packet)&0xfffff)
	}
	return fmt.Sprintf("%04x %x", r.ID, r.Packet[22:24])
}

// sendsLabels reports whether the Pinger can send IPv6 flow labels. A datagram socket can since Linux 6.0; before, the
// error says so.
func sendsLabels(t *testing.T, p *ping.Pinger) bool {
	t.Helper()
	_, err := p.Ping(t.Context(), "::1", ping.WithFlow(1))
	if err == nil {
		return true
	}
	since, release := kernelSince(t, 6, 0)
	if since || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Linux 6.0") ||
		!strings.Contains(err.Error(), release) {
		t.Errorf("on Linux %s: %v", release, err)
	}
	skipped.Part(t, "a datagram socket has no flow labels before Linux 6.0, and this is "+release)
	return false
}

// flowHosts are the hosts behind the responder's router to which the Pinger can send flows.
func flowHosts(t *testing.T, p *ping.Pinger) []string {
	t.Helper()
	if sendsLabels(t, p) {
		return []string{beyond4, beyond6}
	}
	return []string{beyond4}
}

// On the wire, all probes of one flow are alike in what routers look at, and those of others are not.
func TestFlowOnTheWire(t *testing.T) {
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 5 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range flowHosts(t, p) {
			flows := map[string]int{}
			for _, flow := range []int{0, 1, 2, 1000, 65535} {
				var opts []ping.ProbeOption
				if flow > 0 {
					opts = append(opts, ping.WithFlow(flow))
				}
				responder.Reset()
				for range 2 {
					if got := lines(t, p, host, append(opts, ping.WithTimeout(time.Minute))...); len(got) != 6 {
						t.Errorf("flow %d: %q", flow, got)
					}
				}
				if flow > 0 {
					s, err := p.PingN(t.Context(), host, 10, append(opts, ping.WithInterval(0))...)
					if err != nil || s.Received != 10 {
						t.Errorf("flow %d: %v, %v", flow, s, err)
					}
				}
				seen := map[string]bool{}
				records := responder.Records()
				for _, r := range records {
					seen[wireFlow(r)] = true
				}
				if len(seen) != 1 || len(records) < 36 {
					t.Errorf("flow %d of %d packets: %v", flow, len(records), seen)
				}
				for s := range seen {
					flows[s]++
				}
			}
			// For IPv4, no flow is flow 65535.
			if want := map[string]int{beyond4: 4, beyond6: 5}[host]; len(flows) != want {
				t.Errorf("%s: %d flows, want %d: %v", host, len(flows), want, flows)
			}
		}
	})
}

// None of it needs a privilege, the flow label least of all.
func TestFlowUnprivileged(t *testing.T) {
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 3 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{r.ErrorMPLS(hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, netlab.MPLSLabel{Label: 7, TTL: 1})}
	})
	labels := map[uint32]bool{}
	if err := unprivileged(func() error {
		p, err := ping.New(ping.WithSocket(ping.SocketDatagram), ping.WithTimeout(time.Minute))
		if err != nil {
			return err
		}
		defer p.Close()
		for _, host := range flowHosts(t, p) {
			for _, flow := range []int{1, 2} {
				responder.Reset()
				n := 0
				for h, err := range p.Trace(t.Context(), host, ping.WithFlow(flow)) {
					if err != nil {
						return err
					}
					if n++; n < 4 && !strings.Contains(h.String(), "<MPLS:L=7,E=0,S=1,T=1>") {
						t.Errorf("got %v", h)
					}
				}
				if n != 4 {
					t.Errorf("%d hops", n)
				}
				for _, r := range responder.Records() {
					if r.Dst.Is6() {
						labels[binary.BigEndian.Uint32(r.Packet)&0xfffff] = true
					}
				}
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if since, _ := kernelSince(t, 6, 0); since && (len(labels) != 2 || labels[0]) {
		t.Errorf("flow labels are %v", labels)
	}
}

// A trace goes on over the socket that Reopen brings: all that leaves by one socket goes one way, and no hop is lost.
func TestFlowReopened(t *testing.T) {
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 9 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	p := openPinger(t)
	for _, host := range []string{beyond4, beyond6} {
		responder.Reset()
		n := 0
		for h, err := range p.Trace(t.Context(), host, ping.WithTimeout(time.Minute)) {
			if n++; err != nil || h.Distance != n {
				t.Errorf("got %v, %v", h, err)
			}
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
		if n != 10 {
			t.Errorf("%d hops", n)
		}
		seen, sockets := map[string]bool{}, map[uint16]bool{}
		for _, r := range responder.Records() {
			seen[wireFlow(r)] = true
			sockets[r.ID] = true
		}
		if len(sockets) < 2 || len(seen) != len(sockets) {
			t.Errorf("the trace to %s went as %v, over %d sockets", host, seen, len(sockets))
		}
	}
	if c := p.Counters(); c.InFlight != 0 {
		t.Errorf("counters %+v", c)
	}
}

// A balancer that shares flows out as RFC 2992 has it sends each trace one way, and other flows other ways.
func TestFlowBalanced(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 4 {
			return []netlab.Answer{r.Echo()}
		}
		header := 20
		if r.Dst.Is6() {
			header = 40
		}
		// Type, code and checksum, and the identifier, are where a transport's ports and more would be.
		sum := uint32(0)
		for _, b := range r.Packet[header : header+6] {
			sum = sum*31 + uint32(b)
		}
		return []netlab.Answer{r.Error(hopAddr(r.Dst, 10*r.TTL+int(sum>>4%2)), typeExceeded(r), 0, 0, -1)}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range flowHosts(t, p) {
			paths := map[string]bool{}
			for flow := 1; flow <= 40; flow++ {
				var path []byte
				for h, err := range p.Trace(t.Context(), host, ping.WithFlow(flow), ping.WithTimeout(time.Minute)) {
					if err != nil {
						t.Fatal(err)
					}
					addrs := h.Addrs()
					if len(addrs) != 1 {
						t.Errorf("flow %d goes several ways: %v", flow, h)
					}
					path = append(path, addrs[0].AsSlice()...)
				}
				paths[string(path)] = true
			}
			if len(paths) != 2 {
				t.Errorf("%s: %d paths", host, len(paths))
			}
		}
	})
}

// Two paths of one length through Linux's own routers: the IPv6 flow label chooses between them.
//
// For IPv4 the kernel's policies look at addresses, and at the ports of TCP and UDP, but not at ICMP
// (net/ipv4/route.c, fib_multipath_hash): there one trace sees one of the paths, whatever its flow.
func TestFlowThroughRouters(t *testing.T) {
	self, fork, upper, lower, far := netlab.Self(t), netlab.New(t), netlab.New(t), netlab.New(t), netlab.New(t)
	netlab.Link(t, self, "m0", fork, "m1")
	netlab.Link(t, fork, "m2", upper, "m3")
	netlab.Link(t, fork, "m4", lower, "m5")
	netlab.Link(t, upper, "m6", far, "m7")
	netlab.Link(t, lower, "m8", far, "m9")
	prefix := netip.MustParsePrefix
	for _, format := range []string{"10.78.%d.%d/24", "fd78:0:%x::%x/64"} {
		at := func(link, end int) netip.Prefix { return prefix(fmt.Sprintf(format, link, end)) }
		for _, a := range []struct {
			ns        *netlab.Namespace
			dev       string
			link, end int
		}{
			{self, "m0", 0, 1}, {fork, "m1", 0, 2}, {fork, "m2", 1, 1}, {upper, "m3", 1, 2}, {fork, "m4", 2, 1},
			{lower, "m5", 2, 2}, {upper, "m6", 3, 1}, {far, "m7", 3, 2}, {lower, "m8", 4, 1}, {far, "m9", 4, 2},
			{far, "lo", 9, 9},
		} {
			a.ns.Addr(t, a.dev, at(a.link, a.end))
		}
	}
	for _, r := range []*netlab.Namespace{fork, upper, lower} {
		r.Forward(t)
	}
	for _, v := range []struct {
		target, home string
		address      string // of a link's end
	}{{"10.78.9.9/32", "10.78.0.0/24", "10.78.%d.%d"}, {"fd78:0:9::9/128", "fd78::/64", "fd78:0:%x::%x"}} {
		to, home := prefix(v.target), prefix(v.home)
		via := func(link, end int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(v.address, link, end)) }
		self.Route(t, to, via(0, 2), "")
		fork.Multipath(t, to, via(1, 2), via(2, 2))
		upper.Route(t, to, via(3, 2), "")
		lower.Route(t, to, via(4, 2), "")
		upper.Route(t, home, via(1, 1), "")
		lower.Route(t, home, via(2, 1), "")
		far.Route(t, home, via(3, 1), "")
	}
	for _, c := range []struct {
		host, policy string
		most         int
	}{
		{"10.78.9.9", "0", 1}, {"10.78.9.9", "1", 1}, {"fd78:0:9::9", "0", 2},
	} {
		fork.Sysctl(t, "net/ipv4/fib_multipath_hash_policy", c.policy)
		overEachKind(t, func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			if strings.Contains(c.host, ":") && !sendsLabels(t, p) {
				return
			}
			second := map[netip.Addr]int{}
			for flow := 1; flow <= 40; flow++ {
				n := 0
				for h, err := range p.Trace(t.Context(), c.host, ping.WithFlow(flow), ping.WithTimeout(time.Minute)) {
					if n++; err != nil || len(h.Addrs()) != 1 {
						t.Errorf("flow %d: %v, %v", flow, h, err)
						break
					}
					if n == 2 {
						second[h.Addrs()[0]]++
					}
				}
				if n != 3 {
					t.Errorf("flow %d: %d hops", flow, n)
				}
			}
			t.Logf("policy %s, second hops by flow: %v", c.policy, second)
			if c.most == 2 && len(second) != 2 {
				t.Errorf("the second hop of 40 flows to %s: %v", c.host, second)
			}
		})
	}
}
