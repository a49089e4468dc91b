package icmpsock

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setSockaddr makes name the socket address of a, and returns its length. The port of an ICMP socket's peer is 0, and
// scope is the index of the network interface that a's zone names, 0 for none.
func setSockaddr(name *unix.RawSockaddrInet6, a netip.Addr, scope int, v6 bool) (length uint32) {
	if !v6 {
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		*in = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.As4()}
		return uint32(unsafe.Sizeof(*in))
	}
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: a.As16(), Scope_id: uint32(scope)}
	return uint32(unsafe.Sizeof(*name))
}

// address is the address in a socket address that the kernel filled in, without its zone.
func address(name *unix.RawSockaddrInet6, v6 bool) (netip.Addr, bool) {
	switch {
	case name.Family == unix.AF_INET && !v6:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), true
	case name.Family == unix.AF_INET6 && v6:
		return netip.AddrFrom16(name.Addr), true
	}
	return netip.Addr{}, false
}

// scopeOf is the index of the network interface that the zone of a received address tells, 0 for none.
func scopeOf(name *unix.RawSockaddrInet6) int {
	if name.Family != unix.AF_INET6 || !netip.AddrFrom16(name.Addr).IsLinkLocalUnicast() {
		return 0
	}
	return int(name.Scope_id)
}

// bigEndian is the number whose bytes in memory are those of v in network byte order.
func bigEndian(v uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return binary.NativeEndian.Uint32(b[:])
}
