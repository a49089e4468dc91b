package ping_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// Which address would be pinged is known without a Pinger, and so without permission for ICMP sockets.
func ExampleResolve() {
	names := hosts{"db.example": {netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.7")}}
	addr, err := ping.Resolve(context.Background(), "db.example", ping.WithResolver(names), ping.WithNetwork("ip4"))
	fmt.Println(addr, err)
	// Output: 192.0.2.7 <nil>
}

// Up if one of three is answered, and how far away.
func ExamplePinger_FirstReply() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(3*time.Millisecond))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.FirstReply(context.Background(), "192.0.2.1", ping.WithInterval(200*time.Millisecond))
	if err != nil {
		fmt.Println("down:", err)
		return
	}
	fmt.Println("up:", reply.From, reply.RTT > 0)
	// Output: up: 192.0.2.1 true
}

// All hosts of a network, less its network and broadcast address.
func ExamplePrefixes() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.5", pingtest.RTT(time.Millisecond))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	network := netip.MustParsePrefix("192.0.2.0/28")
	asked := 0
	for addr, reply := range p.Sweep(context.Background(), ping.Prefixes(network),
		ping.WithTimeout(50*time.Millisecond)) {
		asked++
		if reply.Err == nil {
			fmt.Println(addr, "is up")
		}
	}
	fmt.Println(asked, "asked")
	// Output:
	// 192.0.2.5 is up
	// 14 asked
}
