package ping_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// twoHosts is a network in memory: a host that is up, and one whose router says that it is down.
func twoHosts() *ping.Pinger {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(time.Millisecond))
	router := n.Host("198.51.100.254")
	n.Host("192.0.2.2", pingtest.Behind(router), pingtest.Unreachable(router.String()))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	return p
}

// One loop for all hosts, whose ids are what the program knows them by.
func ExampleWatcher() {
	p := twoHosts()
	defer p.Close()
	w, err := p.NewWatcher(ping.WithInterval(20 * time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	names := []string{"gateway", "printer"}
	for id, addr := range []string{"192.0.2.1", "192.0.2.2"} {
		if err := w.Add(int64(id), netip.MustParseAddr(addr)); err != nil {
			log.Fatal(err)
		}
	}

	statistics := make([]ping.Statistics, len(names))
	for id, reply := range w.Replies(context.Background()) {
		statistics[id].Add(reply)
		if slices.MinFunc(statistics, bySent).Sent == 3 { // a monitor goes on
			break
		}
	}
	for id, name := range names {
		fmt.Printf("%s: %.0f%% loss\n", name, 100*statistics[id].Loss())
	}
	// Output:
	// gateway: 0% loss
	// printer: 100% loss
}

func bySent(a, b ping.Statistics) int { return a.Sent - b.Sent }

// Targets come and go while the loop runs, also from its body: here one is given up at its first ICMP error.
func ExampleWatcher_Remove() {
	p := twoHosts()
	defer p.Close()
	w, err := p.NewWatcher()
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Add(2, netip.MustParseAddr("192.0.2.2"), ping.WithInterval(10*time.Millisecond)); err != nil {
		log.Fatal(err)
	}
	for id, reply := range w.Replies(context.Background()) {
		var refused *ping.ICMPError
		if errors.As(reply.Err, &refused) {
			fmt.Println(id, refused)
			w.Remove(id)
			if err := w.Add(1, netip.MustParseAddr("192.0.2.1"), ping.WithInterval(10*time.Millisecond)); err != nil {
				log.Fatal(err)
			}
			continue
		}
		fmt.Println(id, reply.From, "is up")
		w.Close() // ends the loop
	}
	// Output:
	// 2 destination host unreachable, from 198.51.100.254
	// 1 192.0.2.1 is up
}

// What comes twice, and what comes too late, is told beside the outcome of each probe.
func ExampleWithAnomalies() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Duplicates(1))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	var s ping.Statistics
	for reply, err := range p.Stream(context.Background(), "192.0.2.1",
		ping.WithInterval(50*time.Millisecond), ping.WithAnomalies(true)) {
		if err != nil {
			log.Fatal(err)
		}
		s.Add(reply)
		if errors.Is(reply.Err, ping.ErrDuplicate) {
			fmt.Println("probe", reply.Seq, "answered twice")
		}
		if s.Duplicates == 3 {
			break
		}
	}
	fmt.Println(s.Received, "replies, and", s.Duplicates, "too many")
	// Output:
	// probe 0 answered twice
	// probe 1 answered twice
	// probe 2 answered twice
	// 3 replies, and 3 too many
}

// The way from the second router on, for the first is always the same.
func ExampleWithFirstHop() {
	p, err := ping.New(ping.WithTransport(newWire(route)))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1", ping.WithFirstHop(2)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(hop.Distance, hop.Addrs())
	}
	// Output:
	// 2 [198.51.100.2]
	// 3 [192.0.2.1]
}

// Beyond a firewall that lets nothing through, two silent hops are enough.
func ExampleWithGapLimit() {
	n := pingtest.NewNetwork()
	router := n.Host("198.51.100.1")
	n.Host("192.0.2.1", pingtest.Behind(n.Host("198.51.100.2", pingtest.Behind(router), pingtest.Down())))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1",
		ping.WithGapLimit(2), ping.WithTimeout(50*time.Millisecond)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(hop.Distance, hop.Addrs())
	}
	// Output:
	// 1 [198.51.100.1]
	// 2 []
	// 3 []
}

// Why the way ended is on its last hop.
func ExampleTraceEnd() {
	n := pingtest.NewNetwork()
	prohibited := ping.ICMPError{Type: 3, Code: 13} // by a firewall
	n.Host("192.0.2.1", pingtest.Behind(n.Host("198.51.100.1")), pingtest.Refuse(prohibited))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1") {
		if err != nil {
			log.Fatal(err)
		}
		if hop.End != "" {
			fmt.Println(hop.Distance, hop.End)
		}
	}
	// Output: 2 refused
}

// A queue is a Transport that keeps 100 answers at most, and counts those that it has no room for.
type queue struct {
	*wire
	drops atomic.Uint64
}

func newQueue() *queue {
	q := new(queue)
	q.wire = newWire(func(m ping.Message) (ping.Message, bool) {
		if len(q.answers) == cap(q.answers) {
			q.drops.Add(1)
			return m, false
		}
		return echo(m)
	})
	return q
}

// Capacity implements [ping.BufferedTransport].
func (q *queue) Capacity() int { return cap(q.answers) }

// Drops implements [ping.BufferedTransport].
func (q *queue) Drops() uint64 { return q.drops.Load() }

// Since the Pinger knows how much the transport keeps, it has no more in flight, and nothing is dropped.
func ExampleBufferedTransport() {
	p, err := ping.New(ping.WithTransport(newQueue()))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	answered := 0
	addrs := slices.Values(slices.Repeat([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, 10_000))
	for _, reply := range p.Sweep(context.Background(), addrs) {
		if reply.Err == nil {
			answered++
		}
	}
	fmt.Println(answered, "answered,", p.Counters().LocalDrops, "dropped")
	// Output: 10000 answered, 0 dropped
}

// Ten targets a second apart, at the same instants each time the program starts.
func ExampleWithPhase() {
	p := twoHosts()
	defer p.Close()
	w, err := p.NewWatcher(ping.WithInterval(10 * time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for id := range int64(10) {
		phase := time.Duration(id) * time.Second
		if err := w.Add(id, netip.MustParseAddr("192.0.2.1"), ping.WithPhase(phase)); err != nil {
			log.Fatal(err)
		}
	}
	// Then loop over w.Replies: target 3 sends at 12:00:03, 12:00:13 and so on.
}

// A host that seems down is asked under another identifier too.
func ExamplePinger_Clone() {
	p, err := ping.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	other, err := p.Clone()
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()

	ctx := context.Background()
	if err := p.Reachable(ctx, "192.0.2.1"); errors.Is(err, ping.ErrTimeout) && other.Reachable(ctx, "192.0.2.1") == nil {
		fmt.Println("something on the way keeps our identifier out:", p.Reopen())
	}
}

// All addresses of a name that can be pinged, each of them once.
func ExamplePinger_LookupNetIP() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Names("www.example"))
	n.Host("2001:db8::1", pingtest.Names("www.example"))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	addrs, err := p.LookupNetIP(context.Background(), "ip", "www.example")
	if err != nil {
		log.Fatal(err)
	}
	for addr, reply := range p.Sweep(context.Background(), slices.Values(addrs)) {
		fmt.Println(addr, reply.Err == nil)
	}
	// Unordered output:
	// 192.0.2.1 true
	// 2001:db8::1 true
}
