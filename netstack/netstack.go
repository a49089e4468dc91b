// Package netstack lets a Pinger send and receive through gVisor's user-space network stack, which needs no ICMP
// sockets of the kernel's: through a WireGuard tunnel that lives in the program, say.
//
//	t, err := netstack.Transport(s)
//	if err != nil {
//		return err
//	}
//	p, err := ping.New(ping.WithTransport(t))
//
// The stack's ICMP endpoints hand over echo replies only, so that a router's refusal shows as a timeout, and they
// cannot forbid fragmentation. What the stack itself drops, in a full queue of its link endpoint say, shows as a
// timeout too, and not as ping.ErrLocalDrop.
package netstack

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/icmpsock/ping"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// transport is a ping.Transport over an endpoint for each IP version.
type transport struct {
	stack     *stack.Stack
	endpoints [2]tcpip.Endpoint // IPv4, IPv6
	queue     waiter.Queue
	came      chan struct{} // holds a token when something has come
	done      chan struct{}
	close     sync.Once
}

var _ ping.Transport = (*transport)(nil)

// receiveBuffer is what each endpoint holds at most until it is read, in bytes: 1 KB for all that can be in flight.
// With the stack's own default, some 200 KB, it overflows.
const receiveBuffer = 64 << 20

// Transport returns a ping.Transport over a stack that has IPv4 and IPv6, and ICMP for both, but not necessarily
// addresses of both. It is for one Pinger, which closes it, but not the stack.
func Transport(s *stack.Stack) (ping.Transport, error) {
	t := &transport{stack: s, done: make(chan struct{})}
	var entry waiter.Entry
	entry, t.came = waiter.NewChannelEntry(waiter.ReadableEvents)
	t.queue.EventRegister(&entry)
	for i, protocols := range [2]struct {
		icmp tcpip.TransportProtocolNumber
		ip   tcpip.NetworkProtocolNumber
	}{{icmp.ProtocolNumber4, ipv4.ProtocolNumber}, {icmp.ProtocolNumber6, ipv6.ProtocolNumber}} {
		e, err := s.NewEndpoint(protocols.icmp, protocols.ip, &t.queue)
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("netstack: ICMP endpoint: %v", err)
		}
		e.SocketOptions().SetReceiveBufferSize(receiveBuffer, true)
		e.SocketOptions().SetReceiveTTL(true)
		e.SocketOptions().SetReceiveHopLimit(true)
		t.endpoints[i] = e
	}
	return t, nil
}

// Send implements ping.Transport. The endpoint fills in identifier and checksum.
func (t *transport) Send(messages []ping.Message) (int, error) {
	for i := range messages {
		m := &messages[i]
		e, class := t.endpoints[0], tcpip.IPv4TOSOption
		if m.Addr.Is6() {
			e, class = t.endpoints[1], tcpip.IPv6TrafficClassOption
		}
		select {
		case <-t.done:
			return i, net.ErrClosed
		default:
		}
		if m.Data[0] != 8 && m.Data[0] != 128 {
			return i, fmt.Errorf("netstack: AskInterface: %w", errors.ErrUnsupported)
		}
		if m.DontFragment {
			return i, fmt.Errorf("netstack: WithDontFragment: %w", errors.ErrUnsupported)
		}
		if e := e.SetSockOptInt(class, m.TrafficClass); e != nil {
			return i, fmt.Errorf("netstack: WithTrafficClass(%d): %v", m.TrafficClass, e)
		}
		nic, err := t.nic(m.Addr.Zone())
		if err != nil {
			return i, err
		}
		m.Time = time.Now()
		_, failed := e.Write(bytes.NewReader(m.Data), tcpip.WriteOptions{
			To: &tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(m.Addr.AsSlice())},
			ControlMessages: tcpip.SendableControlMessages{
				HasTTL: m.TTL != 0, TTL: uint8(m.TTL), HasHopLimit: m.TTL != 0, HopLimit: uint8(m.TTL),
			},
		})
		if _, full := failed.(*tcpip.ErrWouldBlock); full {
			return i, ping.ErrNoRoom
		}
		if failed != nil {
			return i, fmt.Errorf("netstack: %v", failed)
		}
	}
	return len(messages), nil
}

// nic is the interface that a zone names, by its name or its number; 0 for no zone.
func (t *transport) nic(zone string) (tcpip.NICID, error) {
	if zone == "" {
		return 0, nil
	}
	for id, info := range t.stack.NICInfo() {
		if info.Name == zone || strconv.Itoa(int(id)) == zone {
			return id, nil
		}
	}
	return 0, fmt.Errorf("netstack: the stack has no interface %q", zone)
}

// Receive implements ping.Transport.
func (t *transport) Receive(messages []ping.Message) (int, error) {
	for {
		select {
		case <-t.done:
			return 0, net.ErrClosed
		default:
		}
		m := &messages[0]
		for _, e := range t.endpoints {
			w := tcpip.SliceWriter(m.Data)
			r, err := e.Read(&w, tcpip.ReadOptions{NeedRemoteAddr: true})
			if err != nil {
				continue // nothing there
			}
			m.Addr, _ = netip.AddrFromSlice(r.RemoteAddr.Addr.AsSlice())
			m.Data = m.Data[:r.Count]
			m.TTL = int(max(r.ControlMessages.TTL, r.ControlMessages.HopLimit))
			m.Time = r.ControlMessages.Timestamp
			return 1, nil
		}
		select {
		case <-t.came:
		case <-t.done:
		}
	}
}

// Close implements ping.Transport.
func (t *transport) Close() error {
	t.close.Do(func() {
		close(t.done)
		for _, e := range t.endpoints {
			if e != nil {
				e.Close()
			}
		}
	})
	return nil
}
