package netstack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/netstack"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
)

// newStack makes a host of one network device, with addresses of both IP versions.
func newStack(device stack.LinkEndpoint, addrs ...string) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{icmp.NewProtocol4, icmp.NewProtocol6},
		HandleLocal:        true, // so that it can ping itself
	})
	if err := s.CreateNIC(1, device); err != nil {
		return nil, fmt.Errorf("NIC: %v", err)
	}
	for _, a := range addrs {
		addr, protocol := netip.MustParseAddr(a), ipv4.ProtocolNumber
		if addr.Is6() {
			protocol = ipv6.ProtocolNumber
		}
		own := tcpip.ProtocolAddress{Protocol: protocol, AddressWithPrefix: tcpip.AddrFromSlice(addr.AsSlice()).WithPrefix()}
		if err := s.AddProtocolAddress(1, own, stack.AddressProperties{}); err != nil {
			return nil, fmt.Errorf("address %s: %v", a, err)
		}
	}
	s.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: 1})
	s.AddRoute(tcpip.Route{Destination: header.IPv6EmptySubnet, NIC: 1})
	return s, nil
}

// newPinger makes two hosts with a cable between them, and a Pinger on the one. end ends them all.
func newPinger() (p *ping.Pinger, end func(), err error) {
	one, other := pipe.New("", "", 1500)
	here, err := newStack(one, "10.0.0.1", "2001:db8::1", "fe80::1")
	if err != nil {
		return nil, nil, err
	}
	there, err := newStack(other, "10.0.0.2", "2001:db8::2", "fe80::2")
	if err != nil {
		return nil, nil, err
	}
	t, err := netstack.Transport(here)
	if err != nil {
		return nil, nil, err
	}
	if p, err = ping.New(ping.WithTransport(t)); err != nil {
		return nil, nil, err
	}
	return p, func() {
		p.Close()
		here.Destroy()
		there.Destroy()
	}, nil
}

func Example() {
	p, end, err := newPinger()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer end()
	for _, host := range []string{"10.0.0.2", "2001:db8::2"} {
		reply, err := p.Ping(context.Background(), host)
		fmt.Println(reply.From, reply.Size, reply.TTL, err)
	}
	// Output:
	// 10.0.0.2 64 64 <nil>
	// 2001:db8::2 64 64 <nil>
}

// The zone of a link-local address is the stack's interface.
func TestZone(t *testing.T) {
	p, end, err := newPinger()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if r, err := p.Ping(t.Context(), "fe80::2%1"); err != nil || r.From.WithZone("") != netip.MustParseAddr("fe80::2") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := p.Ping(t.Context(), "fe80::2%nosuch"); err == nil || !strings.Contains(err.Error(), `"nosuch"`) {
		t.Error(err)
	}
}

// Much in flight overflows nothing.
func TestManyInFlight(t *testing.T) {
	p, end, err := newPinger()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	addrs := func(yield func(netip.Addr) bool) {
		for range 20_000 {
			if !yield(netip.MustParseAddr("10.0.0.2")) {
				return
			}
		}
	}
	lost := 0
	for _, r := range p.Sweep(t.Context(), addrs, ping.WithSize(1000), ping.WithTimeout(5*time.Second)) {
		if r.Err != nil {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("lost %d of 20,000", lost)
	}
}

func TestTransport(t *testing.T) {
	p, end, err := newPinger()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	var all sync.WaitGroup
	for _, host := range []string{"10.0.0.2", "2001:db8::2", "10.0.0.1", "2001:db8::1"} {
		for range 4 {
			all.Go(func() {
				s, err := p.PingN(t.Context(), host, 100, ping.WithInterval(0), ping.WithSize(1000), ping.WithTTL(9),
					ping.WithTrafficClass(8), ping.WithTimeout(10*time.Second))
				if err != nil || s.Received != 100 || s.Min <= 0 {
					t.Errorf("%s: %v, %v", host, s, err)
				}
			})
		}
	}
	all.Wait()
	// In fragments.
	if r, err := p.Ping(t.Context(), "10.0.0.2", ping.WithSize(65507)); err != nil || r.Size != 65515 {
		t.Errorf("large: %+v, %v", r, err)
	}
	if c := p.Counters(); c.Sent != 1601 || c.Received != 1601 || c.Stray+c.Corrupted+c.Duplicates != 0 {
		t.Errorf("counters %+v", c)
	}
	_, err = p.Ping(t.Context(), "10.0.0.3", ping.WithTimeout(20*time.Millisecond))
	if !errors.Is(err, ping.ErrTimeout) {
		t.Errorf("nobody's address: %v", err)
	}
	_, err = p.AskInterface(t.Context(), "10.0.0.2", ping.InterfaceID{Index: 1})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("AskInterface: got %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := p.Ping(t.Context(), "10.0.0.2", ping.WithDontFragment(true)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("don't fragment: %v", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := p.Ping(t.Context(), "10.0.0.3", ping.WithTimeout(time.Hour))
		waiting <- err
	}()
	for p.Counters().InFlight == 0 {
		select {
		case err := <-waiting:
			t.Fatal(err)
		default:
		}
	}
	p.Close()
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed while waiting: %v", err)
	}
}

// A stack without ICMP cannot be pinged through.
func TestNoICMP(t *testing.T) {
	for _, protocols := range [][]stack.TransportProtocolFactory{nil, {icmp.NewProtocol4}} {
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
			TransportProtocols: protocols,
		})
		if _, err := netstack.Transport(s); err == nil {
			t.Errorf("%d protocols: no error", len(protocols))
		}
		s.Destroy()
	}
}
