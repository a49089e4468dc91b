package icmpsock

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr returns the socket address of a, and its length. The port of an ICMP socket's peer is 0.
func sockaddr(a netip.Addr, v6 bool) (name unix.RawSockaddrInet6, length uint32, err error) {
	if !v6 {
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&name))
		in.Family = unix.AF_INET
		in.Addr = a.As4()
		return name, uint32(unsafe.Sizeof(*in)), nil
	}
	name.Family = unix.AF_INET6
	name.Addr = a.As16()
	if zone := a.Zone(); zone != "" {
		index, err := strconv.Atoi(zone)
		if err != nil {
			device, err := net.InterfaceByName(zone)
			if err != nil {
				return name, 0, fmt.Errorf("zone %q is no network interface of this host", zone)
			}
			index = device.Index
		}
		name.Scope_id = uint32(index)
	}
	return name, uint32(unsafe.Sizeof(name)), nil
}

// address is the address in a socket address that the kernel filled in.
func address(name *unix.RawSockaddrInet6, v6 bool) (netip.Addr, bool) {
	switch {
	case name.Family == unix.AF_INET && !v6:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), true
	case name.Family == unix.AF_INET6 && v6:
		a := netip.AddrFrom16(name.Addr)
		if name.Scope_id != 0 && a.IsLinkLocalUnicast() {
			a = a.WithZone(strconv.Itoa(int(name.Scope_id)))
		}
		return a, true
	}
	return netip.Addr{}, false
}

// bigEndian is the number whose bytes in memory are those of v in network byte order.
func bigEndian(v uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return binary.NativeEndian.Uint32(b[:])
}
