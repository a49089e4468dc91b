package ping_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A host that sends back no more than the beginning of a large payload has answered.
func ExampleReply_truncated() {
	n := pingtest.NewNetwork() // in memory: the address is nobody's
	n.Host("192.0.2.1", pingtest.Truncation(68))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reply, err := p.Ping(context.Background(), "192.0.2.1", ping.WithSize(1000))
	if err != nil {
		fmt.Println("down:", err)
		return
	}
	fmt.Println("up,", reply.Size, "bytes came back; truncated:", reply.Truncated)
	// Output: up, 76 bytes came back; truncated: true
}

// Something answers for an IPv4 host from another address: a router that translates addresses, say. That is no answer
// of the host's, but good to know.
func ExampleElsewhereError() {
	n := pingtest.NewNetwork() // in memory: the addresses are nobody's
	n.Host("192.0.2.1", pingtest.AnswersFrom("192.0.2.9"))
	p, err := ping.New(append(n.Options(), ping.WithTimeout(20*time.Millisecond))...)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = p.Ping(context.Background(), "192.0.2.1")
	var other *ping.ElsewhereError
	if errors.As(err, &other) {
		fmt.Println("it is", other.From, "that answers")
	}
	fmt.Println(err)
	// Output:
	// it is 192.0.2.9 that answers
	// ping 192.0.2.1: no reply in time: answered from 192.0.2.9
}
