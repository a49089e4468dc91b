//go:build linux

package netlab

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// Route sends packets for dst to the router via, out of the device dev. One of
// the two may be zero. The route goes with the test.
func (ns *Namespace) Route(tb testing.TB, dst netip.Prefix, via netip.Addr, dev string) {
	tb.Helper()
	ns.route(tb, dst, via, dev, 0)
}

// NarrowRoute is Route for packets of up to mtu bytes, IP header included. What comes
// the other way is not limited.
func (ns *Namespace) NarrowRoute(tb testing.TB, dst netip.Prefix, via netip.Addr, mtu int) {
	tb.Helper()
	ns.route(tb, dst, via, "", mtu)
}

func (ns *Namespace) route(tb testing.TB, dst netip.Prefix, via netip.Addr, dev string, mtu int) {
	tb.Helper()
	ns.addRoute(tb, dst, func(header *unix.RtMsg, m *message) error {
		header.Scope = unix.RT_SCOPE_UNIVERSE
		if !via.IsValid() && dst.Addr().Is4() {
			header.Scope = unix.RT_SCOPE_LINK
		}
		if via.IsValid() {
			m.attr(unix.RTA_GATEWAY, via.AsSlice())
		}
		if dev != "" {
			ifi, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			m.attr(unix.RTA_OIF, native32(uint32(ifi.Index)))
		}
		if mtu > 0 {
			m.nest(unix.RTA_METRICS, func() { m.attr(unix.RTAX_MTU, native32(uint32(mtu))) })
		}
		return nil
	})
}

// Multipath shares packets for dst out among several routers, as the kernel's
// policy has it (net/ipv4/fib_multipath_hash_policy, net/ipv6/...). The route
// goes with the test.
func (ns *Namespace) Multipath(tb testing.TB, dst netip.Prefix, via ...netip.Addr) {
	tb.Helper()
	ns.addRoute(tb, dst, func(header *unix.RtMsg, m *message) error {
		header.Scope = unix.RT_SCOPE_UNIVERSE
		m.nest(unix.RTA_MULTIPATH, func() {
			for _, gateway := range via {
				start := len(m.bytes)
				m.put(unix.RtNexthop{})
				m.attr(unix.RTA_GATEWAY, gateway.AsSlice())
				binary.NativeEndian.PutUint16(m.bytes[start:], uint16(len(m.bytes)-start))
			}
		})
		return nil
	})
}

// RouteType makes the kernel refuse packets for dst in the way that kind says:
// unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT or unix.RTN_BLACKHOLE. The route goes
// with the test.
func (ns *Namespace) RouteType(tb testing.TB, dst netip.Prefix, kind int) {
	tb.Helper()
	ns.addRoute(tb, dst, func(header *unix.RtMsg, _ *message) error {
		header.Type = uint8(kind)
		return nil
	})
}

// DelRoute deletes a route to dst from the main table.
func (ns *Namespace) DelRoute(tb testing.TB, dst netip.Prefix) {
	tb.Helper()
	ns.Do(tb, func() {
		if err := deleteRoute(dst, unix.RTPROT_UNSPEC); err != nil {
			tb.Fatalf("netlab: delete the route to %v: %v", dst, err)
		}
	})
}

// addRoute adds a route to dst, whose other properties are set by fill.
func (ns *Namespace) addRoute(tb testing.TB, dst netip.Prefix, fill func(*unix.RtMsg, *message) error) {
	tb.Helper()
	ns.Do(tb, func() {
		header := routeHeader(dst)
		header.Protocol, header.Type = unix.RTPROT_STATIC, unix.RTN_UNICAST
		attrs := routeAttrs(dst)
		err := fill(&header, attrs)
		if err == nil {
			m := newMessage(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, header)
			m.bytes = append(m.bytes, attrs.bytes...)
			_, err = request(m)
		}
		if err != nil {
			tb.Fatalf("netlab: route to %v: %v", dst, err)
		}
	})
	tb.Cleanup(func() {
		ns.Do(tb, func() {
			// It is gone already if the test deleted it, or its device.
			if err := deleteRoute(dst, unix.RTPROT_STATIC); err != nil && !errors.Is(err, unix.ESRCH) {
				tb.Errorf("netlab: delete the route to %v: %v", dst, err)
			}
		})
	})
}

// deleteRoute deletes a route of the given origin, where unspecified is any.
func deleteRoute(dst netip.Prefix, protocol uint8) error {
	header := routeHeader(dst)
	header.Protocol = protocol
	header.Scope = unix.RT_SCOPE_NOWHERE // any
	m := newMessage(unix.RTM_DELROUTE, 0, header)
	m.bytes = append(m.bytes, routeAttrs(dst).bytes...)
	_, err := request(m)
	return err
}

func routeHeader(dst netip.Prefix) unix.RtMsg {
	return unix.RtMsg{
		Family:  family(dst.Addr()),
		Dst_len: uint8(dst.Bits()),
		Table:   unix.RT_TABLE_MAIN,
	}
}

func routeAttrs(dst netip.Prefix) *message {
	m := new(message)
	if dst.Bits() > 0 {
		m.attr(unix.RTA_DST, dst.Masked().Addr().AsSlice())
	}
	return m
}

// isLocal reports whether the calling thread's namespace takes packets for addr
// as its own.
func isLocal(addr netip.Addr) (bool, error) {
	m := newMessage(unix.RTM_GETROUTE, 0, unix.RtMsg{Family: family(addr), Dst_len: uint8(addr.BitLen())})
	m.attr(unix.RTA_DST, addr.AsSlice())
	replies, err := request(m)
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return false, nil
	}
	if err != nil || len(replies) == 0 {
		return false, err
	}
	var header unix.RtMsg
	_, err = binary.Decode(replies[0].Data, binary.NativeEndian, &header)
	return header.Type == unix.RTN_LOCAL, err
}
