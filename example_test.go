package ping_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// One Pinger for the program, one echo request.
func Example() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err) // ping.ErrNotPermitted: the text says what to change
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	if err != nil {
		fmt.Println("down:", err)
		return
	}
	fmt.Println("up:", reply.From) // and reply.RTT, reply.TTL
}

// Options given to New are the defaults of every call, and a call's own options come on top.
func ExampleNew() {
	p, err := ping.New(ping.WithTimeout(2*time.Second), ping.WithTTL(32))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1", ping.WithTTL(16))
	fmt.Println(reply.From, err)
}

// The package's own functions need no Pinger: all of the program shares one.
func ExamplePing() {
	reply, err := ping.Ping(context.Background(), "127.0.0.1")
	if err != nil {
		fmt.Println("down:", err)
		return
	}
	fmt.Println("up:", reply.From)
}

func ExamplePingN() {
	s, err := ping.PingN(context.Background(), "127.0.0.1", 3, ping.WithInterval(10*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Received, "of", s.Sent)
}

// A context ends a call at once. Each call has its own.
func ExamplePinger_Ping() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	reply, err := p.Ping(ctx, "127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Size, "bytes from", reply.From)
}

// What an error of Ping tells, from the most telling on.
func ExamplePinger_Ping_errors() {
	p, err := ping.New(ping.WithTransport(newWire(refuse)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	var refused *ping.ICMPError
	var name *net.DNSError
	switch {
	case err == nil:
		fmt.Println("up")
	case errors.As(err, &refused):
		fmt.Println("a router knows why:", refused.Reason())
	case errors.Is(err, ping.ErrTimeout):
		fmt.Println("no answer")
	case errors.As(err, &name):
		fmt.Println("no such name:", name.Name)
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		fmt.Println("given up")
	default:
		fmt.Println("not sent:", err)
	}
	// Output: a router knows why: destination host unreachable
}

// Losses are data: they are in the statistics, and err is nil.
func ExamplePinger_PingN() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	s, err := p.PingN(context.Background(), "127.0.0.1", 5, ping.WithInterval(10*time.Millisecond))
	if err != nil {
		fmt.Println(err) // cut short; s has what was settled until then, or is nil
		return
	}
	fmt.Printf("%d sent, %.0f%% lost\n", s.Sent, 100*s.Loss()) // and s.Median, s.Percentile(0.99), s.Jitter
	for _, r := range s.Replies {
		if r.Err != nil {
			fmt.Println(r.Seq, r.Err)
		}
	}
}

// A monitor loop. Without WithCount it goes on until ctx ends.
func ExamplePinger_Stream() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	ctx := context.Background()
	var total ping.Statistics
	for reply, err := range p.Stream(ctx, "127.0.0.1", ping.WithInterval(10*time.Millisecond), ping.WithCount(3)) {
		if err != nil {
			fmt.Println("the stream ended:", err)
			break
		}
		total.Add(reply)
		if reply.Err != nil {
			fmt.Println("probe", reply.Seq, reply.Err)
			continue
		}
		fmt.Println("probe", reply.Seq, "answered by", reply.From)
	}
	fmt.Println(total.Received, "of", total.Sent)
}

// Up if one of three echo requests is answered: one lost packet raises no alarm.
func ExamplePinger_Reachable() {
	p, err := ping.New(ping.WithInterval(200*time.Millisecond), ping.WithTimeout(500*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	if err := p.Reachable(context.Background(), "127.0.0.1"); err != nil {
		fmt.Println("down:", err)
		return
	}
	fmt.Println("up")
}

// The routers on the way to a host, hop by hop. To print a hop is to print a line as traceroute does.
func ExamplePinger_Trace() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "127.0.0.1") {
		if err != nil {
			fmt.Println("the trace ended:", err)
			break
		}
		for _, r := range hop.Replies {
			var refused *ping.ICMPError
			switch {
			case r.Err == nil:
				fmt.Println(hop.Distance, r.From, "is the target") // and r.RTT
			case errors.As(r.Err, &refused):
				fmt.Println(hop.Distance, r.From, refused.Reason(), refused.MPLS)
			default:
				fmt.Println(hop.Distance, r.Err) // silence
			}
		}
	}
}

func ExampleHop_String() {
	router := netip.MustParseAddr("198.51.100.254")
	exceeded := &ping.ICMPError{Type: 11, From: router, MPLS: []ping.MPLSLabel{{Label: 16001, TTL: 1}}}
	fmt.Println(ping.Hop{Distance: 3, Replies: []ping.Reply{
		{Seq: 0, From: router, RTT: 1234 * time.Microsecond, Err: exceeded},
		{Seq: 1, Err: ping.ErrTimeout},
		{Seq: 2, From: router, RTT: 1198 * time.Microsecond, Err: exceeded},
	}})
	// Output: 3  198.51.100.254 <MPLS:L=16001,E=0,S=1,T=1>  1.234 ms  *  1.198 ms
}

// More than one router at a distance: some router before it sends packets of one flow several ways.
func ExampleHop_Addrs() {
	p, err := ping.New(ping.WithTransport(newWire(route)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(hop.Distance, hop.Addrs())
	}
	// Output:
	// 1 [198.51.100.1]
	// 2 [198.51.100.2]
	// 3 [192.0.2.1]
}

func ExampleHop_Reached() {
	p, err := ping.New(ping.WithTransport(newWire(route)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1") {
		if err != nil {
			fmt.Println(err)
			return
		}
		if hop.Reached() {
			fmt.Println("it is", hop.Distance, "hops away")
		}
	}
	// Output: it is 3 hops away
}

// All addresses of a prefix at once. Each comes as it is settled, not in the order given.
func ExamplePinger_Sweep() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	prefix := netip.MustParsePrefix("127.0.0.16/28")
	addrs := func(yield func(netip.Addr) bool) {
		for addr := prefix.Addr(); prefix.Contains(addr) && yield(addr); addr = addr.Next() {
		}
	}
	up := 0
	for addr, reply := range p.Sweep(context.Background(), addrs) {
		if reply.Err != nil {
			fmt.Println(addr, reply.Err)
			continue
		}
		up++
	}
	fmt.Println(up, "are up")
}

// The largest packet that gets there in one piece. Loopback carries more than an IPv4 packet can hold.
func ExamplePinger_PathMTU() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	mtu, err := p.PathMTU(context.Background(), "127.0.0.1", ping.WithTimeout(500*time.Millisecond))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		fmt.Println("not on this system")
	case err != nil:
		log.Fatal(err) // not even the smallest packet was answered: the error says why
	default:
		fmt.Println(mtu, "bytes with the headers, for a UDP payload", mtu-20-8)
	}
}

// Where on the way large packets no longer fit, and who says so. On loopback there is no router.
func ExamplePinger_TraceMTU() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	before := 0
	for hop, err := range p.TraceMTU(context.Background(), "127.0.0.1") {
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			fmt.Println("not on this system")
			return
		case err != nil:
			log.Fatal(err)
		case hop.Distance == 0:
			fmt.Println("this host sends", hop.MTU, "bytes at most")
		case hop.MTU != 0 && hop.MTU < before:
			fmt.Println("no more than", hop.MTU, "get to hop", hop.Distance, "as", hop.NamedBy, "says")
		case hop.Reached:
			fmt.Println(hop.MTU, "get to", hop.Router)
		}
		if hop.MTU != 0 {
			before = hop.MTU
		}
	}
}

func ExamplePinger_Counters() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	p.Ping(context.Background(), "127.0.0.1")
	p.Ping(context.Background(), "127.0.0.2")
	c := p.Counters()
	fmt.Println(c.Sent, "sent,", c.Received, "received,", c.LocalDrops, "dropped by this host")
}

// A host is down, and perhaps only because a firewall on the way has forgotten the socket's identifier.
func ExamplePinger_Reopen() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	ctx := context.Background()
	err = p.Reachable(ctx, "127.0.0.1")
	if errors.Is(err, ping.ErrTimeout) && p.Reopen() == nil {
		err = p.Reachable(ctx, "127.0.0.1")
	}
	fmt.Println(err)
}

// A name is resolved at the start of each call. To know the address, or to keep to it, resolve it first.
func ExamplePinger_Resolve() {
	names := hosts{"db.example": {netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}}
	p, err := ping.New(ping.WithResolver(names), ping.WithTransport(newWire(echo)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	ctx := context.Background()
	addr, err := p.Resolve(ctx, "db.example", ping.WithNetwork("ip6"))
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := p.Ping(ctx, addr.String())
	fmt.Println(reply.From, err)
	// Output: 2001:db8::7 <nil>
}

// made is how four probes may end.
var made = []ping.Reply{
	{Seq: 0, RTT: 20 * time.Millisecond},
	{Seq: 1, RTT: 24 * time.Millisecond},
	{Seq: 2, Err: ping.ErrTimeout},
	{Seq: 3, RTT: 22 * time.Millisecond},
}

func ExampleStatistics_Add() {
	var s ping.Statistics // in constant memory, for a Stream that never ends
	for _, reply := range made {
		s.Add(reply)
	}
	fmt.Println(s.Sent, s.Received, s.Lost, s.Min, s.Mean, s.Max)
	// Output: 4 3 1 20ms 22ms 24ms
}

func ExampleStatistics_String() {
	var s ping.Statistics
	for _, reply := range made {
		s.Add(reply)
	}
	fmt.Println(&s)
	// Output:
	// 4 packets transmitted, 3 received, 25% packet loss
	// rtt min/avg/max/mdev = 20.000/22.000/24.000/1.633 ms
}

func ExampleStatistics_Loss() {
	s := ping.Statistics{Sent: 200, Received: 199, Lost: 1}
	fmt.Printf("%.1f%%\n", 100*s.Loss())
	cable := ping.Statistics{SendErrors: 3} // none of them left
	fmt.Printf("%.1f%%\n", 100*cable.Loss())
	// Output:
	// 0.5%
	// 100.0%
}

// Percentiles are of Replies, which PingN fills.
func ExampleStatistics_Percentile() {
	s := ping.Statistics{Replies: made}
	fmt.Println(s.Percentile(0.5), s.Percentile(0.99))
	// Output: 22ms 24ms
}

func ExampleReply_MarshalJSON() {
	sent := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rtt := 1250 * time.Microsecond
	b, err := json.MarshalIndent(ping.Reply{
		Seq:      4,
		From:     netip.MustParseAddr("192.0.2.1"),
		RTT:      rtt,
		TTL:      57,
		Size:     64,
		Sent:     sent,
		Received: sent.Add(rtt),
		Clock:    ping.ClockKernel,
	}, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))
	// Output:
	// {
	//   "seq": 4,
	//   "from": "192.0.2.1",
	//   "rtt_ns": 1250000,
	//   "ttl": 57,
	//   "size": 64,
	//   "sent": "2026-03-01T12:00:00Z",
	//   "received": "2026-03-01T12:00:00.00125Z",
	//   "clock": "kernel"
	// }
}

// An ICMP error comes at once: no timeout has to pass.
func ExampleICMPError() {
	p, err := ping.New(ping.WithTransport(newWire(refuse)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	var refused *ping.ICMPError
	if errors.As(err, &refused) {
		fmt.Println("type", refused.Type, "code", refused.Code, "of", refused.From)
	}
	fmt.Println(err)
	// Output:
	// type 3 code 1 of 198.51.100.254
	// ping 192.0.2.1: destination host unreachable, from 198.51.100.254
}

func ExampleICMPError_Reason() {
	e := &ping.ICMPError{Type: 3, Code: 4, MTU: 1400, From: netip.MustParseAddr("198.51.100.254")}
	fmt.Println(e.Reason())
	fmt.Println(e)
	// Output:
	// fragmentation needed
	// fragmentation needed (MTU 1400), from 198.51.100.254
}

// ErrTimeout is a timeout by Go's usual tests too.
func ExampleErrTimeout() {
	p, err := ping.New(ping.WithTransport(newWire(silence)), ping.WithTimeout(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(errors.Is(err, ping.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded))
	var timeout net.Error
	fmt.Println(errors.As(err, &timeout) && timeout.Timeout())
	// Output:
	// true true
	// true
}

// What this host may have dropped itself is lost, but not held against the network.
func ExampleErrLocalDrop() {
	var s ping.Statistics
	s.Add(ping.Reply{Seq: 0, RTT: time.Millisecond})
	s.Add(ping.Reply{Seq: 1, Err: ping.ErrLocalDrop})
	fmt.Println(s.Lost, "lost,", s.LocalDrops, "dropped locally, loss", s.Loss())
	fmt.Println(errors.Is(ping.ErrLocalDrop, ping.ErrTimeout))
	// Output:
	// 1 lost, 1 dropped locally, loss 0
	// true
}

// A program that can do without pings goes on; the text says what an administrator has to change.
func ExampleErrNotPermitted() {
	p, err := ping.New()
	if errors.Is(err, ping.ErrNotPermitted) {
		fmt.Fprintln(os.Stderr, "no health checks:", err)
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	fmt.Println("permitted")
}

func ExampleWithTimeout() {
	p, err := ping.New(ping.WithTransport(newWire(silence)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1", ping.WithTimeout(10*time.Millisecond))
	fmt.Println(err)
	// Output: ping 192.0.2.1: no reply in time
}

// 0 sends each echo request as soon as the one before it is settled.
func ExampleWithInterval() {
	s, err := ping.PingN(context.Background(), "127.0.0.1", 100, ping.WithInterval(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Received)
}

func ExampleWithSize() {
	reply, err := ping.Ping(context.Background(), "127.0.0.1", ping.WithSize(1000))
	fmt.Println(reply.Size, err) // with the 8 bytes of the ICMP header
}

// With small TTLs the routers on the way make themselves known, each by an ICMP error.
func ExampleWithTTL() {
	for ttl := 1; ttl <= 30; ttl++ {
		reply, err := ping.Ping(context.Background(), "127.0.0.1", ping.WithTTL(ttl))
		if !reply.From.IsValid() {
			fmt.Println(ttl, err)
			continue
		}
		fmt.Println(ttl, reply.From) // and reply.RTT, measured for a router too
		if err == nil {
			break
		}
	}
}

// A DSCP of 46, expedited forwarding.
func ExampleWithTrafficClass() {
	reply, err := ping.Ping(context.Background(), "127.0.0.1", ping.WithTrafficClass(46<<2))
	fmt.Println(reply.From, err)
}

// Does a packet of 1,500 bytes pass in one piece? 1,472 of payload, 8 of ICMP and 20 of IPv4 make one.
func ExampleWithDontFragment() {
	_, err := ping.Ping(context.Background(), "127.0.0.1", ping.WithSize(1472), ping.WithDontFragment(true))
	var tooBig *ping.ICMPError
	switch {
	case err == nil:
		fmt.Println("it passes")
	case errors.As(err, &tooBig) && tooBig.MTU > 0:
		fmt.Println(tooBig.From, "lets pass", tooBig.MTU)
	default:
		fmt.Println(err)
	}
}

func ExampleWithNetwork() {
	names := hosts{"www.example": {netip.MustParseAddr("2001:db8::80"), netip.MustParseAddr("192.0.2.80")}}
	p, err := ping.New(ping.WithResolver(names), ping.WithTransport(newWire(echo)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "www.example", ping.WithNetwork("ip4"))
	fmt.Println(reply.From, err)
	// Output: 192.0.2.80 <nil>
}

// Down only if none of five is answered.
func ExampleWithCount() {
	p, err := ping.New(ping.WithTransport(newWire(silence)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	err = p.Reachable(context.Background(), "192.0.2.1",
		ping.WithCount(5), ping.WithInterval(time.Millisecond), ping.WithTimeout(10*time.Millisecond))
	fmt.Println(err)
	// Output: ping 192.0.2.1: none of 5 echo requests answered: no reply in time
}

// Only as far as the second router.
func ExampleWithMaxHops() {
	p, err := ping.New(ping.WithTransport(newWire(route)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1", ping.WithMaxHops(2), ping.WithCount(1)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(hop.Distance, hop.Addrs())
	}
	// Output:
	// 1 [198.51.100.1]
	// 2 [198.51.100.2]
}

// Where routers share traffic out among several paths, each flow takes one of them: the RTT of each, and its routers.
func ExampleWithFlow() {
	p, err := ping.New(ping.WithTransport(newWire(route)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for flow := 1; flow <= 3; flow++ {
		reply, err := p.Ping(context.Background(), "192.0.2.1", ping.WithFlow(flow))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("flow %d: %d bytes from %v\n", flow, reply.Size, reply.From) // and reply.RTT
		for range p.Trace(context.Background(), "192.0.2.1", ping.WithFlow(flow)) {
			// the routers that this very flow passes
		}
	}
	// Output:
	// flow 1: 64 bytes from 192.0.2.1
	// flow 2: 64 bytes from 192.0.2.1
	// flow 3: 64 bytes from 192.0.2.1
}

func ExampleWithSource() {
	p, err := ping.New(ping.WithSource(netip.MustParseAddr("127.0.0.2")))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err)
}

func ExampleWithInterface() {
	p, err := ping.New(ping.WithInterface("lo"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err)
}

func ExampleWithMark() {
	p, err := ping.New(ping.WithMark(7))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err)
}

// No more than 1,000 echo requests a second, from all calls together.
func ExampleWithRate() {
	p, err := ping.New(ping.WithRate(1000))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	s, err := p.PingN(context.Background(), "127.0.0.1", 10, ping.WithInterval(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Received)
}

// The kernel stamps the departure as well: reply.Clock is ClockWire where it can.
func ExampleWithWireTimestamps() {
	p, err := ping.New(ping.WithWireTimestamps(true))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err) // and reply.Clock
}

// Refuse to fall back on raw sockets, whatever the process may do.
func ExampleWithSocket() {
	p, err := ping.New(ping.WithSocket(ping.SocketDatagram))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "127.0.0.1")
	fmt.Println(reply.From, err)
}

// hosts is a Resolver that looks names up in a table.
type hosts map[string][]netip.Addr

func (h hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs := h[host]; addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func ExampleWithResolver() {
	names := hosts{"gateway": {netip.MustParseAddr("192.0.2.1")}}
	p, err := ping.New(ping.WithResolver(names), ping.WithTransport(newWire(echo)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "gateway")
	fmt.Println(reply.From, err)
	_, err = p.Ping(context.Background(), "elsewhere")
	fmt.Println(err)
	// Output:
	// 192.0.2.1 <nil>
	// ping elsewhere: lookup elsewhere: no such host
}

// At level Debug a line for each socket says which kind it is.
func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p, err := ping.New(ping.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
}

// A wire is a Transport in memory. A function says what answers a request, if anything does.
type wire struct {
	answer  func(request ping.Message) (ping.Message, bool)
	answers chan ping.Message
	closed  chan struct{}
	close   sync.Once
}

func newWire(answer func(ping.Message) (ping.Message, bool)) *wire {
	return &wire{answer: answer, answers: make(chan ping.Message, 100), closed: make(chan struct{})}
}

func (w *wire) Send(messages []ping.Message) (int, error) {
	select {
	case <-w.closed:
		return 0, net.ErrClosed
	default:
	}
	for _, m := range messages {
		m.Data = bytes.Clone(m.Data) // it is the caller's
		if m, ok := w.answer(m); ok && len(w.answers) < cap(w.answers) {
			w.answers <- m
		}
	}
	return len(messages), nil
}

func (w *wire) Receive(messages []ping.Message) (int, error) {
	select {
	case <-w.closed:
		return 0, net.ErrClosed // even if an answer is there
	default:
	}
	select {
	case m := <-w.answers:
		m.Data = messages[0].Data[:copy(messages[0].Data, m.Data)]
		messages[0] = m
		return 1, nil
	case <-w.closed:
		return 0, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.close.Do(func() { close(w.closed) })
	return nil
}

// echo makes the reply of a request: the same, but for the type.
func echo(m ping.Message) (ping.Message, bool) {
	m.Data[0] = 0
	if m.Addr.Is6() {
		m.Data[0] = 129
	}
	m.TTL = 64
	return m, true
}

// refuse makes the ICMP error of a router.
func refuse(m ping.Message) (ping.Message, bool) {
	m.Err = &ping.ICMPError{Type: 3, Code: 1, From: netip.MustParseAddr("198.51.100.254")}
	return m, true
}

// route is a path of two routers, and the target beyond them.
func route(m ping.Message) (ping.Message, bool) {
	if m.TTL == 1 || m.TTL == 2 {
		m.Err = &ping.ICMPError{Type: 11, From: netip.AddrFrom4([4]byte{198, 51, 100, byte(m.TTL)})}
		return m, true
	}
	return echo(m)
}

// silence loses the request.
func silence(ping.Message) (ping.Message, bool) { return ping.Message{}, false }

// Anything that moves ICMP messages will do: a network in memory for tests, or a user-space stack.
func ExampleWithTransport() {
	p, err := ping.New(ping.WithTransport(newWire(echo)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	s, err := p.PingN(context.Background(), "192.0.2.1", 3, ping.WithInterval(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Received, "of", s.Sent, "from", s.Target)
	// Output: 3 of 3 from 192.0.2.1
}

// TestExamples runs the examples above that need the kernel's sockets. Output of their own would have them fail where
// those are not permitted.
func TestExamples(t *testing.T) {
	netlab.Require(t)
	for _, test := range []struct {
		name string
		run  func()
		want string
	}{
		{"package", Example, "up: 127.0.0.1\n"},
		{"New", ExampleNew, "127.0.0.1 <nil>\n"},
		{"Ping", ExamplePing, "up: 127.0.0.1\n"},
		{"PingN", ExamplePingN, "3 of 3\n"},
		{"Pinger.Ping", ExamplePinger_Ping, "64 bytes from 127.0.0.1\n"},
		{"Pinger.PingN", ExamplePinger_PingN, "5 sent, 0% lost\n"},
		{
			"Pinger.Stream", ExamplePinger_Stream,
			"probe 0 answered by 127.0.0.1\nprobe 1 answered by 127.0.0.1\nprobe 2 answered by 127.0.0.1\n3 of 3\n",
		},
		{"Pinger.Reachable", ExamplePinger_Reachable, "up\n"},
		{
			"Pinger.Trace", ExamplePinger_Trace,
			"1 127.0.0.1 is the target\n1 127.0.0.1 is the target\n1 127.0.0.1 is the target\n",
		},
		{"Pinger.Sweep", ExamplePinger_Sweep, "16 are up\n"},
		{"Pinger.PathMTU", ExamplePinger_PathMTU, "65535 bytes with the headers, for a UDP payload 65507\n"},
		{
			"Pinger.TraceMTU", ExamplePinger_TraceMTU,
			"this host sends 65535 bytes at most\n65535 get to 127.0.0.1\n",
		},
		{"Pinger.Reopen", ExamplePinger_Reopen, "<nil>\n"},
		{"Pinger.Counters", ExamplePinger_Counters, "2 sent, 2 received, 0 dropped by this host\n"},
		{"ErrNotPermitted", ExampleErrNotPermitted, "permitted\n"},
		{"WithInterval", ExampleWithInterval, "100\n"},
		{"WithSize", ExampleWithSize, "1008 <nil>\n"},
		{"WithTTL", ExampleWithTTL, "1 127.0.0.1\n"},
		{"WithTrafficClass", ExampleWithTrafficClass, "127.0.0.1 <nil>\n"},
		{"WithDontFragment", ExampleWithDontFragment, "it passes\n"},
		{"WithSource", ExampleWithSource, "127.0.0.1 <nil>\n"},
		{"WithInterface", ExampleWithInterface, "127.0.0.1 <nil>\n"},
		{"WithMark", ExampleWithMark, "127.0.0.1 <nil>\n"},
		{"WithRate", ExampleWithRate, "10\n"},
		{"WithWireTimestamps", ExampleWithWireTimestamps, "127.0.0.1 <nil>\n"},
		{"WithSocket", ExampleWithSocket, "127.0.0.1 <nil>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := stdout(t, test.run); got != test.want {
				t.Errorf("it prints\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// stdout returns what f prints.
func stdout(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	old := os.Stdout
	os.Stdout = w
	f() // less than a pipe holds
	os.Stdout = old
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
