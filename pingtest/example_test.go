package pingtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A service under test, with a Pinger in it.
type service struct {
	*ping.Pinger
	gateway string
}

func newService(gateway string, opts ...ping.Option) (*service, error) {
	p, err := ping.New(opts...)
	return &service{p, gateway}, err
}

// health is what the service tells of itself.
func (s *service) health() string {
	if err := s.Reachable(context.Background(), s.gateway); err != nil {
		return err.Error()
	}
	return "ok"
}

// A service that has a Pinger takes options for it, and so can be tested over a network of the test's own: no root, no
// real network. In tests, testing/synctest spares the waiting, too; see the package's overview.
func Example() {
	n := pingtest.NewNetwork()
	router := n.Host("192.0.2.254")
	gateway := n.Host("192.0.2.1", pingtest.Names("gateway.example"), pingtest.Behind(router))

	s, err := newService("gateway.example", append(n.Options(), ping.WithInterval(0))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	fmt.Println(s.health())
	gateway.Set(pingtest.Unreachable("192.0.2.254"))
	fmt.Println(s.health())
	gateway.Set(pingtest.Up())
	fmt.Println(s.health())
	fmt.Println(gateway.Counts().Requests, "requests")
	// Output:
	// ok
	// ping gateway.example: none of 3 echo requests answered: destination host unreachable, from 192.0.2.254
	// ok
	// 5 requests
}

// Hosts behind one another make a path. A TTL that does not reach the end of it runs out at a router.
func ExampleBehind() {
	n := pingtest.NewNetwork()
	first := n.Host("10.0.0.1")
	second := n.Host("10.0.0.2", pingtest.Behind(first))
	n.Host("192.0.2.1", pingtest.Behind(second))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	for hop, err := range p.Trace(context.Background(), "192.0.2.1") {
		fmt.Println(hop.Distance, hop.Addrs(), err)
	}
	// Output:
	// 1 [10.0.0.1] <nil>
	// 2 [10.0.0.2] <nil>
	// 3 [192.0.2.1] <nil>
}

// A link on the way is smaller than the packet, and fragmentation is forbidden.
func ExampleMTU() {
	n := pingtest.NewNetwork()
	router := n.Host("10.0.0.1", pingtest.MTU(1400))
	n.Host("192.0.2.1", pingtest.Behind(router))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Ping(context.Background(), "192.0.2.1", ping.WithSize(1472), ping.WithDontFragment(true))
	fmt.Println(err)
	// Output: ping 192.0.2.1: fragmentation needed (MTU 1400), from 10.0.0.1
}

// Down from the start to the 10th second, and slow from then on, by the age of the network.
func ExampleHost_At() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Down()).
		At(10*time.Second, pingtest.Up(), pingtest.RTT(300*time.Millisecond))
}

// A mean of 20 ms, a standard deviation of 2 ms.
func ExampleRTTFrom() {
	n := pingtest.NewNetwork().Seed(1)
	n.Host("192.0.2.1", pingtest.RTTFrom(func(r *rand.Rand) time.Duration {
		return 20*time.Millisecond + time.Duration(r.NormFloat64()*float64(2*time.Millisecond))
	}))
}

// An ICMP error of any kind, from the host itself or, with From, from a router.
func ExampleRefuse() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Refuse(ping.ICMPError{Type: 3, Code: 13}))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(err)
	// Output: ping 192.0.2.1: communication administratively prohibited, from 192.0.2.1
}

// The machine that runs the program has no route to the host.
func ExampleSendError() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.SendError(syscall.ENETUNREACH))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Ping(context.Background(), "192.0.2.1")
	fmt.Println(errors.Is(err, syscall.ENETUNREACH))
	// Output: true
}

// What the program has sent, and what came of it.
func ExampleNetwork_Records() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.LoseNext(1))

	p, err := ping.New(append(n.Options(), ping.WithTimeout(20*time.Millisecond))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	p.Ping(context.Background(), "192.0.2.1", ping.WithTTL(9))
	p.Ping(context.Background(), "192.0.2.1", ping.WithSize(1000))
	for _, r := range n.Records() {
		fmt.Println(r.To, r.TTL, r.Size, r.Fate)
	}
	// Output:
	// 192.0.2.1 9 64 lost
	// 192.0.2.1 0 1008 answered
}
