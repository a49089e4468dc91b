package pingtest_test

import (
	"context"
	"fmt"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A resolver that sends back the first 68 bytes of a payload, and no more.
func ExampleTruncation() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Truncation(68))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	reply, err := p.Ping(context.Background(), "192.0.2.1", ping.WithSize(1000))
	fmt.Println(reply.Size, reply.Truncated, err)
	// Output: 76 true <nil>
}

// The anycast address of a subnet's routers: whichever answers does so from its own.
func ExampleAnswersFrom() {
	n := pingtest.NewNetwork()
	n.Host("2001:db8::", pingtest.AnswersFrom("2001:db8::1"))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	reply, err := p.Ping(context.Background(), "2001:db8::")
	fmt.Println(reply.From, err)
	// Output: 2001:db8::1 <nil>
}
