package ping

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

// Eight routers of Linux's own are found, as other programs find them.
func TestTraceRouters(t *testing.T) {
	chain := netlab.NewChain(t, netlab.Self(t), 8)
	for _, addrs := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
		host := addrs[8].String()
		var want []string
		for i, a := range addrs {
			word := a.String()
			if i == 8 {
				word += "."
			}
			want = append(want, repeat(i+1, word))
		}
		eachKind(t, func(t *testing.T, kind Option) {
			p := newPinger(t, kind)
			for h, err := range p.Trace(t.Context(), host, WithTimeout(time.Minute)) {
				if err != nil || h.Distance > 9 || sketch(h) != want[h.Distance-1] {
					t.Errorf("got %v, %v", h, err)
				}
				for _, r := range h.Replies {
					// Each router on the way back takes one off the 64 that all begin with.
					if r.TTL != 65-h.Distance || r.RTT <= 0 || r.Clock != ClockKernel {
						t.Errorf("hop %d: %+v", h.Distance, r)
					}
				}
			}
			if c := p.Counters(); c.Received < 3 || c.Errors != 24 || c.InFlight != 0 {
				t.Errorf("counters %+v", c)
			}
		})
		for _, command := range []string{"traceroute -I -n " + host, "mtr -n -r -c 3 -i 0.1 -G 1 " + host} {
			words := strings.Fields(command)
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Logf("not compared with %s, which is not installed", words[0])
				continue
			}
			output, err := exec.Command(words[0], words[1:]...).Output()
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			for i, a := range addrs {
				if !slices.ContainsFunc(strings.Split(string(output), "\n"), func(line string) bool {
					f := strings.Fields(strings.Replace(line, ".|--", "", 1))
					return len(f) > 2 && f[0] == fmt.Sprint(i+1) && f[1] == a.String()
				}) {
					t.Errorf("%s has not %v at %d:\n%s", command, a, i+1, output)
				}
			}
		}
	}
}

// The limit that Linux's routers have for ICMP errors hides none of them, however often we ask.
func TestTraceLimitedRouters(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the seconds that the kernel's limit does")
	}
	chain := netlab.NewChain(t, netlab.Self(t), 8)
	for _, r := range chain.Routers {
		r.Sysctl(t, "net/ipv4/icmp_ratelimit", "1000")
		r.Sysctl(t, "net/ipv6/icmp/ratelimit", "1000")
	}
	p := newPinger(t)
	var wg sync.WaitGroup
	for _, addrs := range [][]netip.Addr{chain.Addrs4, chain.Addrs6} {
		wg.Go(func() {
			for i := range 4 {
				n, start := 0, time.Now()
				for h, err := range p.Trace(t.Context(), addrs[8].String()) {
					n++
					if err != nil || h.Distance != n || !slices.Equal(h.Addrs(), addrs[n-1:n]) {
						t.Errorf("trace %d: got %v, %v", i, h, err)
					}
				}
				t.Logf("trace %d to %v took %v", i, addrs[8], time.Since(start))
				if n != 9 {
					t.Errorf("trace %d to %v: %d hops", i, addrs[8], n)
				}
			}
		})
	}
	wg.Wait()
}

// hopAddr is the router at a distance, of the family told, as scripts have it.
func hopAddr(a netip.Addr, distance int) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + distance)})
	}
	b := netip.MustParseAddr(near6).As16()
	b[15] = byte(100 + distance)
	return netip.AddrFrom16(b)
}

// exceededAt is the time exceeded of the router that the request's TTL takes it to.
func exceededAt(r *netlab.Request) netlab.Answer {
	return r.Error(hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0, -1)
}

func typeExceeded(r *netlab.Request) byte {
	if r.Dst.Is6() {
		return icmp6TimeExceeded
	}
	return icmpTimeExceeded
}

// What a Trace makes of each thing that may be on the way, by the kernel's own hands.
func TestTraceNetwork(t *testing.T) {
	three := func(change func(r *netlab.Request) []netlab.Answer) func(r *netlab.Request) []netlab.Answer {
		return func(r *netlab.Request) []netlab.Answer {
			if a := change(r); a != nil {
				return a
			}
			if r.TTL > 3 {
				return []netlab.Answer{r.Echo()}
			}
			return []netlab.Answer{exceededAt(r)}
		}
	}
	for _, c := range []struct {
		name   string
		script func(r *netlab.Request) []netlab.Answer
		want   string // R1 is the router at 1, and T the target
	}{
		{"three routers", three(func(r *netlab.Request) []netlab.Answer { return nil }), "R1 R2 R3 T"},
		{"twice", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return []netlab.Answer{exceededAt(r), exceededAt(r)}
			}
			return nil
		}), "R1 R2 R3 T"},
		{"8 bytes quoted", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return []netlab.Answer{r.Error(hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0, 8)}
			}
			return nil
		}), "R1 R2 R3 T"},
		{"loop", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{r.Error(hopAddr(r.Dst, r.TTL%2), typeExceeded(r), 0, 0, -1)}
		}, "R1 R0 R1 R0 R1 R0"},
		{"unreachable at the third hop", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 3 {
				return nil
			}
			if r.Dst.Is6() {
				return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), icmp6Unreachable, 3, 0, -1)}
			}
			return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), icmpUnreachable, 1, 0, -1)}
		}), "R1 R2 R3!H"},
		{"prohibited target", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return nil
			}
			if r.Dst.Is6() {
				return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), icmp6Unreachable, 1, 0, -1)}
			}
			return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), icmpUnreachable, 13, 0, -1)}
		}), "R1 R2 R3 R3!X"},
		{"the target at every distance", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{r.Echo()}
		}, "T"},
	} {
		t.Run(c.name, func(t *testing.T) {
			newResponder(t, c.script)
			var wg sync.WaitGroup
			for _, kind := range []SocketKind{SocketDatagram, SocketRaw} {
				p := newPinger(t, WithSocket(kind))
				for _, host := range []string{beyond4, beyond6} {
					wg.Go(func() {
						addr := netip.MustParseAddr(host)
						var want []string
						for i, word := range strings.Fields(c.want) {
							for d := range 4 {
								word = strings.Replace(word, fmt.Sprint("R", d), hopAddr(addr, d).String(), 1)
							}
							want = append(want, repeat(i+1, strings.Replace(word, "T", host+".", 1)))
						}
						if got := lines(t, p, host, WithTimeout(time.Minute), WithMaxHops(6)); !slices.Equal(got, want) {
							t.Errorf("%v socket: got\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// Routers that are silent, late, or quote what was not sent are silent hops.
func TestTraceSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two timeouts of some seconds")
	}
	const timeout = 3 * time.Second
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		quoting := func(change func(*netlab.Packet)) []netlab.Answer {
			return []netlab.Answer{netlab.ErrorQuoting(r.Altered(change), hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0)}
		}
		switch r.TTL {
		case 2:
			return nil
		case 3:
			return []netlab.Answer{exceededAt(r).Later(timeout + 100*ms)}
		case 4:
			return quoting(func(p *netlab.Packet) { p.Dst = p.Dst.Next() })
		case 5:
			return quoting(func(p *netlab.Packet) { p.Payload[3]++ })
		case 7:
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	var wg sync.WaitGroup
	for _, kind := range []SocketKind{SocketDatagram, SocketRaw} {
		p := newPinger(t, WithSocket(kind))
		for _, host := range []string{beyond4, beyond6} {
			wg.Go(func() {
				addr := netip.MustParseAddr(host)
				got := lines(t, p, host, WithTimeout(timeout))
				want := []string{
					repeat(1, hopAddr(addr, 1).String()), repeat(2, "*"), repeat(3, "*"), repeat(4, "*"), repeat(5, "*"),
					repeat(6, hopAddr(addr, 6).String()), repeat(7, host+"."),
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v socket: got\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
	wg.Wait()
}

// A router's MPLS labels come with its error, whatever the length of the probe, and a broken extension spoils nothing.
func TestTraceMPLS(t *testing.T) {
	one := netlab.MPLSLabel{Label: 3, TTL: 1}
	spoilt := netlab.MPLSExtension(one)
	spoilt[len(spoilt)-1]++ // it no longer fits its checksum
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		from, typ := hopAddr(r.Dst, r.TTL), typeExceeded(r)
		switch r.TTL {
		case 1:
			return []netlab.Answer{r.ErrorMPLS(from, typ, 0, netlab.MPLSLabel{Label: 16001, TrafficClass: 5, TTL: 1})}
		case 2:
			return []netlab.Answer{r.ErrorMPLS(from, typ, 0,
				netlab.MPLSLabel{Label: 1<<20 - 1, TrafficClass: 7, TTL: 255}, netlab.MPLSLabel{TTL: 1})}
		case 3:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 256, true, netlab.MPLSExtension(one))}
		case 4: // from before RFC 4884
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, false, netlab.MPLSExtension(one))}
		case 5:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, true, spoilt)}
		case 6:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, true, nil)}
		case 7:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, true, spoilt[:6])}
		case 8:
			return []netlab.Answer{exceededAt(r)}
		}
		return []netlab.Answer{r.Echo()}
	})
	want := [][]MPLSLabel{{{16001, 5, 1}}, {{1<<20 - 1, 7, 255}, {0, 0, 1}}, {{3, 0, 1}}, {{3, 0, 1}}, nil, nil, nil, nil}
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			for _, size := range []int{8, 56, 79, 80, 100, 101, 600, 1400} {
				n := 0
				for h, err := range p.Trace(t.Context(), host, WithSize(size), WithTimeout(5*time.Second)) {
					if n++; err != nil {
						t.Fatal(err)
					}
					if n > len(want) {
						if !h.Reached() {
							t.Errorf("%d bytes: %v", size, h)
						}
						continue
					}
					for _, r := range h.Replies {
						var e *ICMPError
						if !errors.As(r.Err, &e) || !slices.Equal(e.MPLS, want[n-1]) || r.From != hopAddr(r.From, n) {
							t.Errorf("%d bytes, hop %d: %+v", size, n, r)
						}
					}
				}
				if n != len(want)+1 {
					t.Errorf("%d bytes to %s: %d hops", size, host, n)
				}
			}
		}
	})
}

// wireFlow is what routers tell flows by: identifier, checksum, and the flow label of IPv6.
func wireFlow(r netlab.Record) string {
	if r.Dst.Is6() {
		return fmt.Sprintf("%04x %x %05x", r.ID, r.Packet[42:44], binary.BigEndian.Uint32(r.Packet)&0xfffff)
	}
	return fmt.Sprintf("%04x %x", r.ID, r.Packet[22:24])
}

// On the wire, all probes of one flow are alike in what routers look at, and those of others are not.
func TestFlowOnTheWire(t *testing.T) {
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 5 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			flows := map[string]int{}
			for _, flow := range []int{0, 1, 2, 1000, 65535} {
				var opts []ProbeOption
				if flow > 0 {
					opts = append(opts, WithFlow(flow))
				}
				responder.Reset()
				for range 2 {
					if got := lines(t, p, host, append(opts, WithTimeout(time.Minute))...); len(got) != 6 {
						t.Errorf("flow %d: %q", flow, got)
					}
				}
				if flow > 0 {
					if s, err := p.PingN(t.Context(), host, 10, append(opts, WithInterval(0))...); err != nil || s.Received != 10 {
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
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			paths := map[string]bool{}
			for flow := 1; flow <= 40; flow++ {
				var path []byte
				for h, err := range p.Trace(t.Context(), host, WithFlow(flow), WithTimeout(time.Minute)) {
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
	addr := netip.MustParseAddr
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
	for _, v := range []struct{ target, home, fork, upper, lower, beyondUpper, beyondLower, backUpper, backLower, backFar string }{
		{"10.78.9.9/32", "10.78.0.0/24", "10.78.0.2", "10.78.1.2", "10.78.2.2", "10.78.3.2", "10.78.4.2", "10.78.1.1", "10.78.2.1", "10.78.3.1"},
		{"fd78:0:9::9/128", "fd78::/64", "fd78::2", "fd78:0:1::2", "fd78:0:2::2", "fd78:0:3::2", "fd78:0:4::2", "fd78:0:1::1", "fd78:0:2::1", "fd78:0:3::1"},
	} {
		self.Route(t, prefix(v.target), addr(v.fork), "")
		fork.Multipath(t, prefix(v.target), addr(v.upper), addr(v.lower))
		upper.Route(t, prefix(v.target), addr(v.beyondUpper), "")
		lower.Route(t, prefix(v.target), addr(v.beyondLower), "")
		upper.Route(t, prefix(v.home), addr(v.backUpper), "")
		lower.Route(t, prefix(v.home), addr(v.backLower), "")
		far.Route(t, prefix(v.home), addr(v.backFar), "")
	}
	for _, c := range []struct {
		host, policy string
		most         int
	}{
		{"10.78.9.9", "0", 1}, {"10.78.9.9", "1", 1}, {"fd78:0:9::9", "0", 2},
	} {
		fork.Sysctl(t, "net/ipv4/fib_multipath_hash_policy", c.policy)
		eachKind(t, func(t *testing.T, kind Option) {
			p := newPinger(t, kind)
			second := map[netip.Addr]int{}
			for flow := 1; flow <= 40; flow++ {
				n := 0
				for h, err := range p.Trace(t.Context(), c.host, WithFlow(flow), WithTimeout(time.Minute)) {
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

// While traces run, the pings to other targets over the same Pinger lose nothing and see none of their errors.
func TestTraceBesidePings(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if dst := r.Dst.String(); dst == beyond4 || dst == beyond6 {
			if r.TTL > 20 {
				return []netlab.Answer{r.Echo()}
			}
			return []netlab.Answer{exceededAt(r)}
		}
		return []netlab.Answer{r.Echo()}
	})
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		done := make(chan struct{})
		var pings, traces sync.WaitGroup
		for _, host := range []string{beyond4, beyond6} {
			traces.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						if n == 0 {
							t.Error("no trace was made")
						}
						return
					default:
					}
					if got := lines(t, p, host, WithTimeout(time.Minute)); len(got) != 21 || strings.Contains(fmt.Sprint(got), "*") {
						t.Errorf("trace %d: %q", n, got)
						return
					}
				}
			})
		}
		for _, host := range []string{far4, far6} {
			for range 5 {
				pings.Go(func() {
					s, err := p.PingN(t.Context(), host, 100, WithInterval(0), WithTimeout(time.Minute))
					if err != nil || s.Received != 100 || s.Errors != 0 || s.SendErrors != 0 || s.Stray != 0 {
						t.Errorf("%s: %v, %v", host, s, err)
					}
				})
			}
		}
		pings.Wait()
		close(done)
		traces.Wait()
		if c := p.Counters(); c.Stray != 0 || c.LocalDrops != 0 || c.InFlight != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

// Traces that are broken or closed at any moment leave no goroutine, and no probe in flight.
func TestTraceLeavesNothing(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL == 3 {
			return nil
		}
		return []netlab.Answer{exceededAt(r)}
	})
	before := runtime.NumGoroutine()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		for h, err := range p.Trace(t.Context(), []string{beyond4, beyond6}[i%2]) {
			if err != nil {
				t.Fatal(err)
			}
			if h.Distance > i%3 {
				break
			}
			if h.Distance == 2 {
				break // not the silent one
			}
		}
	}
	if c := p.Counters(); c.InFlight != 0 || c.Sent < 200 {
		t.Errorf("counters %+v", c)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range p.Trace(t.Context(), beyond4) {
			}
		})
	}
	await(t, "the traces are under way", func() bool { return p.Counters().InFlight > 20 })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	awaitGoroutines(t, before)
}

// BenchmarkTraceRTT is how far the RTT of the hops is from the truth that the stamps of the answering side's kernel
// tell, in microseconds.
func BenchmarkTraceRTT(b *testing.B) {
	responder := newResponder(b, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 8 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	p := newPinger(b)
	var all []time.Duration
	for b.Loop() {
		responder.Reset()
		truth := map[int][]time.Duration{}
		var hops []Hop
		for h, err := range p.Trace(b.Context(), beyond4) {
			if err != nil {
				b.Fatal(err)
			}
			hops = append(hops, h)
		}
		for _, record := range responder.Records() {
			truth[record.TTL] = append(truth[record.TTL], record.Sent[0].Sub(record.Received))
		}
		for _, h := range hops {
			for _, r := range h.Replies {
				all = append(all, r.RTT-truth[h.Distance][r.Seq])
			}
		}
	}
	reportPercentiles(b, all)
}
