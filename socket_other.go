//go:build !linux

package ping

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/icmp"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/wire"
)

// A socket is one ICMP socket of one family, through the portable calls of x/net: one message a call, stamped by
// the program.
type socket struct {
	conn     *icmp.PacketConn
	datagram bool
	v6       bool
	id       uint16

	mu           sync.Mutex // TTL and traffic class are set for the socket, before a send
	ttl          int
	trafficClass int
	usualTTL     int
}

var _ Transport = (*socket)(nil)

// openLink opens a socket of the kind that is asked for.
func openLink(c socketConfig) (engine.Link, linkInfo, error) {
	s, err := openSocket(c)
	if err != nil {
		return nil, linkInfo{}, err
	}
	kind := SocketRaw
	if s.datagram {
		kind = SocketDatagram
	}
	return newLink(s), linkInfo{about: slog.GroupValue(slog.String("kind", kind.String()))}, nil
}

// route says why this host's routes do not lead from such a socket to an address, nil if they do: to connect a UDP
// socket sends nothing.
func route(ctx context.Context, c socketConfig, addr netip.Addr) error {
	var d net.Dialer
	if c.Source.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.Source, 0))
	}
	conn, err := d.DialContext(ctx, "udp", netip.AddrPortFrom(addr, discard).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// discard is the port of a service that drops what it gets (RFC 863).
const discard = 9

// readLinks is Linux's: here it is not known which addresses are on the link.
func readLinks(engine.Link) (links []netip.Prefix, tables [2]int) { return nil, tables }

// checkZone says why no link can send to addresses with that zone: it is neither the name of a network interface nor
// the index of one.
func checkZone(_ engine.Link, zone string) error {
	if _, err := net.InterfaceByName(zone); err == nil {
		return nil
	}
	if n, err := strconv.Atoi(zone); err == nil {
		if _, err := net.InterfaceByIndex(n); err == nil {
			return nil
		}
	}
	return fmt.Errorf("zone %q is no network interface of this host", zone)
}

func openSocket(config socketConfig) (*socket, error) {
	switch runtime.GOOS {
	case "js", "plan9", "wasip1": // golang.org/x/net/icmp has none either
		return nil, fmt.Errorf("there are no ICMP sockets on %s, only WithTransport: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	switch {
	case config.Device != "":
		return nil, unsupported("WithInterface")
	case config.HasMark:
		return nil, unsupported("WithMark")
	case config.DontFragment:
		return nil, unsupported("WithDontFragment")
	}
	// Only macOS has datagram sockets for ICMP besides Linux.
	datagrams := runtime.GOOS == "darwin" || runtime.GOOS == "ios"
	if config.kind == SocketDatagram && !datagrams {
		return nil, unsupported("WithSocket(SocketDatagram)")
	}
	v6 := config.V6
	s := &socket{v6: v6, datagram: datagrams && config.kind != SocketRaw}
	network, address := "ip4:icmp", "0.0.0.0"
	switch {
	case v6 && s.datagram:
		network, address = "udp6", "::"
	case v6:
		network, address = "ip6:ipv6-icmp", "::"
	case s.datagram:
		network = "udp4"
	}
	if config.Source.IsValid() {
		address = config.Source.String()
	}
	var err error
	if s.conn, err = icmp.ListenPacket(network, address); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: raw ICMP sockets need administrator's rights on %s (%w)", ErrNotPermitted,
				runtime.GOOS, err)
		}
		return nil, err
	}
	if v6 {
		s.usualTTL, err = s.conn.IPv6PacketConn().HopLimit()
	} else {
		s.usualTTL, err = s.conn.IPv4PacketConn().TTL()
	}
	if err != nil {
		s.usualTTL = 64
	}
	s.ttl = s.usualTTL
	var id [2]byte
	crand.Read(id[:])
	s.id = binary.BigEndian.Uint16(id[:])
	return s, nil
}

func unsupported(option string) error {
	return fmt.Errorf("%s on %s: %w", option, runtime.GOOS, errors.ErrUnsupported)
}

func (s *socket) Close() error { return s.conn.Close() }

// Send implements [Transport].
func (s *socket) Send(messages []Message) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range messages {
		m := &messages[i]
		if err := s.setHeader(m); err != nil {
			return i, err
		}
		binary.BigEndian.PutUint16(m.Data[4:], s.id)
		if !s.v6 { // the kernel does ICMPv6 checksums
			m.Data[2], m.Data[3] = 0, 0
			binary.BigEndian.PutUint16(m.Data[2:], wire.Checksum(m.Data))
		}
		var to net.Addr = &net.IPAddr{IP: m.Addr.AsSlice(), Zone: m.Addr.Zone()}
		if s.datagram {
			to = &net.UDPAddr{IP: m.Addr.AsSlice(), Zone: m.Addr.Zone()}
		}
		m.Time = time.Now()
		if _, err := s.conn.WriteTo(m.Data, to); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

// setHeader sets the TTL and traffic class for the next message, where they are not set so already.
func (s *socket) setHeader(m *Message) (err error) {
	ttl := m.TTL
	if ttl == 0 {
		ttl = s.usualTTL
	}
	if ttl != s.ttl {
		if s.v6 {
			err = s.conn.IPv6PacketConn().SetHopLimit(ttl)
		} else {
			err = s.conn.IPv4PacketConn().SetTTL(ttl)
		}
		if err != nil {
			return err
		}
		s.ttl = ttl
	}
	if m.TrafficClass != s.trafficClass {
		if s.v6 {
			err = s.conn.IPv6PacketConn().SetTrafficClass(m.TrafficClass)
		} else {
			err = s.conn.IPv4PacketConn().SetTOS(m.TrafficClass)
		}
		if err != nil {
			return err
		}
		s.trafficClass = m.TrafficClass
	}
	return nil
}

// Receive implements [Transport].
func (s *socket) Receive(messages []Message) (int, error) {
	m := &messages[0]
	for buffer, failed := m.Data, 0; ; {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return 0, net.ErrClosed
			}
			if failed++; failed > 100 {
				return 0, err
			}
			continue // one bad message is not a bad socket
		}
		failed = 0
		addr, ok := addrOf(from)
		if !ok {
			continue
		}
		*m = Message{Addr: addr, Data: buffer[:n], Time: time.Now()}
		if s.quoted(m) || len(m.Data) >= wire.HeaderLen && binary.BigEndian.Uint16(m.Data[4:]) == s.id {
			return 1, nil
		}
	}
}

func addrOf(a net.Addr) (netip.Addr, bool) {
	var ip netip.Addr
	var ok bool
	switch a := a.(type) {
	case *net.UDPAddr:
		ip, ok = netip.AddrFromSlice(a.IP)
	case *net.IPAddr:
		ip, ok = netip.AddrFromSlice(a.IP)
	}
	return ip.Unmap(), ok
}

// quoted turns an ICMP error message into what it quotes. It reports false if m is none, or not about us.
func (s *socket) quoted(m *Message) bool {
	e, to, message, ok := wire.CutError(m.Data, m.Addr)
	if !ok || len(message) < wire.HeaderLen || binary.BigEndian.Uint16(message[4:]) != s.id {
		return false
	}
	m.Addr, m.Data, m.Err = to, message, icmpError(e)
	return true
}
