package ping_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A router is asked for its uplink, which has no address of its own, and for what it knows of a neighbour.
func ExamplePinger_AskInterface() {
	peer := netip.MustParseAddr("203.0.113.9")
	n := pingtest.NewNetwork() // in memory: the addresses are nobody's
	n.Host("192.0.2.1",
		pingtest.AnswersAbout(pingtest.Interface{Name: "uplink", Active: true}),
		pingtest.Neighbours(map[netip.Addr]ping.NeighbourState{peer: ping.NeighbourReachable}))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	for _, id := range []ping.InterfaceID{{Name: "uplink"}, {Addr: peer, Neighbour: true}, {Name: "eth7"}} {
		status, err := p.AskInterface(context.Background(), "192.0.2.1", id)
		switch {
		case errors.Is(err, ping.ErrNoSuchInterface):
			fmt.Println("it has no", id)
		case errors.Is(err, ping.ErrTimeout):
			fmt.Println("it does not answer questions, or not at all")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(id, "is", status, "after", status.Reply.RTT)
		}
	}
	// Output:
	// interface uplink is active after 1ms
	// neighbour 203.0.113.9 is reachable after 1ms
	// it has no interface eth7
}
