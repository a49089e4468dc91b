package paths_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

// threeHops is a network in memory: two routers, and a host behind them.
func threeHops() *ping.Pinger {
	n := pingtest.NewNetwork()
	near := n.Host("192.0.2.1")
	far := n.Host("192.0.2.2", pingtest.Behind(near))
	n.Host("198.51.100.7", pingtest.Behind(far), pingtest.Names("www.example"))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	return p
}

// What mtr(8) shows, and what changes.
func ExampleWatch() {
	p := threeHops()
	defer p.Close()
	for round, err := range paths.Watch(context.Background(), p, "www.example",
		paths.WithInterval(20*time.Millisecond), paths.WithRounds(3)) { // a monitor goes on
		if err != nil {
			log.Fatal(err)
		}
		if round.Change != nil {
			fmt.Println(round.Change)
		}
		if round.Number < 2 {
			continue
		}
		for _, h := range round.Hops {
			r := h.Routers[0]
			fmt.Printf("%d  %v  %d of %d\n", h.Distance, r.Addr, r.Statistics.Received, r.Statistics.Sent)
		}
	}
	// Output:
	// 1  192.0.2.1  3 of 3
	// 2  192.0.2.2  3 of 3
	// 3  198.51.100.7  3 of 3
}

// All paths, and how many of the packets each loses.
func ExampleEnumerate() {
	p := threeHops()
	defer p.Close()
	ctx := context.Background()
	g, err := paths.Enumerate(ctx, p, "www.example", paths.WithMiss(0.1))
	if err != nil {
		log.Fatal(err)
	}
	if err := g.Measure(ctx, p, 5, ping.WithInterval(10*time.Millisecond)); err != nil {
		log.Fatal(err)
	}
	for _, path := range g.Paths {
		for _, i := range path.Nodes {
			fmt.Println(g.Nodes[i].Addr)
		}
		fmt.Printf("%.0f%% loss\n", 100*path.Statistics.Loss())
	}
	// Output:
	// 192.0.2.1
	// 192.0.2.2
	// 198.51.100.7
	// 0% loss
}

func ExampleGraph_DOT() {
	p := threeHops()
	defer p.Close()
	g, err := paths.Enumerate(context.Background(), p, "www.example")
	if err != nil {
		log.Fatal(err)
	}
	for i := range g.Nodes {
		g.Nodes[i].RTT = time.Millisecond // for the sake of the example
	}
	fmt.Print(g.DOT())
	// Output:
	// digraph paths {
	// 	rankdir=LR
	// 	node [shape=box]
	// 	here [shape=ellipse]
	// 	n0 [label="192.0.2.1\n1.000 ms"]
	// 	n1 [label="192.0.2.2\n1.000 ms"]
	// 	n2 [label="198.51.100.7\n1.000 ms" shape=ellipse]
	// 	here -> n0
	// 	n0 -> n1
	// 	n1 -> n2
	// }
}
