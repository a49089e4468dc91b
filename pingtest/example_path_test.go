package pingtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// Several ways to a host: each flow takes one of them. One way loses all.
func ExampleBehind_ways() {
	n := pingtest.NewNetwork()
	left, right := n.Host("10.0.0.1"), n.Host("10.0.0.2", pingtest.LossBehind(1))
	n.Host("192.0.2.1", pingtest.Behind(left, right))
	p, err := ping.New(append(n.Options(), ping.WithTimeout(20*time.Millisecond))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	ways := map[netip.Addr]string{}
	for flow := 1; flow <= 20; flow++ {
		first, _ := p.Ping(context.Background(), "192.0.2.1", ping.WithFlow(flow), ping.WithTTL(1))
		_, err := p.Ping(context.Background(), "192.0.2.1", ping.WithFlow(flow))
		ways[first.From] = "answered"
		if err != nil {
			ways[first.From] = err.Error()
		}
	}
	fmt.Println("by", left, ways[left.Addr()])
	fmt.Println("by", right, ways[right.Addr()])
	// Output:
	// by 10.0.0.1 answered
	// by 10.0.0.2 ping 192.0.2.1: no reply in time
}

// A router that limits its ICMP errors as Linux does, and a host that limits its replies.
func ExampleErrorLimit() {
	n := pingtest.NewNetwork()
	router := n.Host("10.0.0.1", pingtest.ErrorLimit(6, time.Second))
	n.Host("192.0.2.1", pingtest.Behind(router), pingtest.ReplyLimit(2, time.Second))
	p, err := ping.New(append(n.Options(), ping.WithTimeout(20*time.Millisecond), ping.WithInterval(0))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	s, err := p.PingN(context.Background(), "192.0.2.1", 10, ping.WithTTL(1))
	fmt.Println(s.Errors, err)
	s, err = p.PingN(context.Background(), "192.0.2.1", 10)
	fmt.Println(s.Received, err)
	// Output:
	// 6 <nil>
	// 2 <nil>
}

// A router that tells of itself: by which interface the request came, and with which label.
func ExampleInterfaces() {
	n := pingtest.NewNetwork()
	router := n.Host("10.0.0.1",
		pingtest.MPLS(ping.MPLSLabel{Label: 16001, TTL: 1}),
		pingtest.Interfaces(ping.ICMPInterface{Role: ping.InterfaceIncoming, Name: "xe-0/0/1", Index: 517}))
	n.Host("192.0.2.1", pingtest.Behind(router))
	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Ping(context.Background(), "192.0.2.1", ping.WithTTL(1))
	var exceeded *ping.ICMPError
	if errors.As(err, &exceeded) {
		fmt.Println(exceeded.Reason(), exceeded.Interfaces[0].Name, exceeded.MPLS[0].Label)
	}
	// Output: time to live exceeded xe-0/0/1 16001
}
