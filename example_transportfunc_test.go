package ping_test

import (
	"context"
	"fmt"
	"log"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A program that is tested over a network of its own, which may refuse sockets; Reopen has another one opened.
func ExampleWithTransportFunc() {
	n := pingtest.NewNetwork() // in memory: the address is nobody's
	n.Host("192.0.2.1")
	p, err := ping.New(ping.WithTransportFunc(func() (ping.Transport, error) { return n.Transport(), nil }))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	fmt.Println(p.Reopen())
	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}
