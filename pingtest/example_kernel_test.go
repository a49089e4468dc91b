package pingtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// The system permits no sockets; then it does, and they are opened anew.
func ExampleNetwork_OpenError() {
	n := pingtest.NewNetwork().OpenError(ping.ErrNotPermitted)
	n.Host("192.0.2.1")
	_, err := ping.New(n.Options()...)
	fmt.Println(err)

	n.OpenError(nil)
	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	fmt.Println(p.Reopen())
	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(err, "by socket", n.Records()[0].ID)
	// Output:
	// ping: ICMP sockets are not permitted
	// <nil>
	// <nil> by socket 2
}

// The device of the host that pings takes packets of 1,400 bytes, a tunnel on the way 1,300.
func ExampleNetwork_LinkMTU() {
	n := pingtest.NewNetwork().LinkMTU(1400)
	tunnel := n.Host("2001:db8::fe", pingtest.MTU(1300))
	n.Host("2001:db8::1", pingtest.Behind(tunnel))
	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	ctx, size := context.Background(), ping.WithSize(1340)
	_, err = p.Ping(ctx, "2001:db8::1", size)
	fmt.Println(err) // no router fragments IPv6
	_, err = p.Ping(ctx, "2001:db8::1", size)
	fmt.Println(err) // but the sender, which has learned
	fmt.Println(p.PathMTU(ctx, "2001:db8::1"))
	// Output:
	// ping 2001:db8::1: packet too big (MTU 1300), from 2001:db8::fe
	// <nil>
	// 1300 <nil>
}

// What the program's own host drops is not lost in the network.
func ExampleLocalDrops() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.LocalDrops(1))
	p, err := ping.New(append(n.Options(), ping.WithTimeout(20*time.Millisecond))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(errors.Is(err, ping.ErrLocalDrop))
	// Output: true
}

// A name cannot be looked up for 10 s.
func ExampleLookupError() {
	n := pingtest.NewNetwork()
	h := n.Host("192.0.2.1", pingtest.Names("gateway.example"))
	h.Set(pingtest.LookupError(&net.DNSError{Err: "server misbehaving", Name: "gateway.example", IsTemporary: true}))
	h.At(10*time.Second, pingtest.LookupError(nil))

	_, err := n.LookupNetIP(context.Background(), "ip", "gateway.example")
	fmt.Println(err)
	// Output: lookup gateway.example: server misbehaving
}
