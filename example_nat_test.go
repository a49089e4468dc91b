package ping_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A translated is a network behind a NAT, which leaves what routers quote as they saw it.
type translated struct{ ping.Transport }

// Receive implements ping.Transport.
func (t translated) Receive(messages []ping.Message) (int, error) {
	n, err := t.Transport.Receive(messages)
	for i := range messages[:n] {
		if messages[i].Err != nil {
			messages[i].Addr = netip.MustParseAddr("10.0.0.5")
		}
	}
	return n, err
}

// A router says where the echo request was headed for when it got there: to another address than it was sent to.
func ExampleICMPError_nat() {
	n := pingtest.NewNetwork() // in memory: the addresses are nobody's
	n.Host("192.0.2.1", pingtest.Behind(n.Host("10.0.0.1")))
	p, err := ping.New(ping.WithTransport(translated{n.Transport()}))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for hop, err := range p.Trace(context.Background(), "192.0.2.1") {
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range hop.Replies[:1] {
			e, _ := r.Err.(*ping.ICMPError)
			fmt.Println(hop.Distance, r.From, e != nil && e.NAT)
			if e != nil && e.Quoted.IsValid() {
				fmt.Println("  was asked for", e.Quoted)
			}
		}
	}
	// Output:
	// 1 10.0.0.1 true
	//   was asked for 10.0.0.5
	// 2 192.0.2.1 false
}
