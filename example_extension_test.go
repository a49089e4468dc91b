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

// Routers may tell by which of their interfaces a request came, and by which it would have left.
func ExampleICMPInterface() {
	n := pingtest.NewNetwork() // in memory: the addresses are nobody's
	n.Host("192.0.2.1", pingtest.Refuse(ping.ICMPError{Type: 3, Code: 1, Interfaces: []ping.ICMPInterface{
		{Role: ping.InterfaceIncoming, Name: "xe-0/0/1", Index: 517},
		{Role: ping.InterfaceOutgoing, Name: "xe-0/0/2", Addr: netip.MustParseAddr("198.51.100.1"), MTU: 9000},
	}}))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	var refused *ping.ICMPError
	if errors.As(err, &refused) {
		for _, i := range refused.Interfaces {
			fmt.Printf("%v: %q, MTU %d\n", i.Role, i.Name, i.MTU)
		}
	}
	// Output:
	// incoming: "xe-0/0/1", MTU 0
	// outgoing: "xe-0/0/2", MTU 9000
}

// An extension that the library does not know is there as it came.
func ExampleICMPObject() {
	e := ping.ICMPError{Type: 11, Objects: []ping.ICMPObject{{Class: 4, Type: 1, Data: []byte{0, 0, 0, 7}}}}
	for _, o := range e.Objects {
		fmt.Printf("class %d, type %d: %x\n", o.Class, o.Type, o.Data)
	}
	// Output: class 4, type 1: 00000007
}
