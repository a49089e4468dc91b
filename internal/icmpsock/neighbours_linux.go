package icmpsock

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// usualTable is the limit of a neighbour table where the administrator has set no other (gc_thresh3, arp(7)).
const usualTable = 1024

// Neighbours is what a network namespace knows of the hosts on its links.
type Neighbours struct {
	// Links are the addresses that are reached without a router, by way of the neighbour tables.
	Links []netip.Prefix
	// Tables are how many entries the tables of IPv4 and IPv6 have at most (gc_thresh3), for all of the machine.
	Tables [2]int
}

// Neighbours asks the kernel (rtnetlink(7)) about the socket's network namespace. Where that cannot be entered from the
// calling thread's, or netlink is forbidden, there are no Links.
func (s *Socket) Neighbours() Neighbours {
	n := Neighbours{Tables: [2]int{usualTable, usualTable}}
	s.Beside(func() error {
		n.read()
		return nil
	})
	return n
}

// read asks about the namespace of the calling thread, which is locked.
func (n *Neighbours) read() {
	direct := make(map[uint32]bool) // by index, of the interfaces that need not ask for neighbours
	for _, m := range dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, unix.SizeofIfInfomsg) {
		const asks = unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_NOARP
		direct[binary.NativeEndian.Uint32(m.header[4:])] = binary.NativeEndian.Uint32(m.header[8:])&asks != unix.IFF_UP
	}
	for _, m := range dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, unix.SizeofIfAddrmsg) {
		if isDirect, known := direct[binary.NativeEndian.Uint32(m.header[4:])]; isDirect || !known {
			continue
		}
		addr, _ := netip.AddrFromSlice(m.attrs[unix.IFA_ADDRESS])
		if link := netip.PrefixFrom(addr, int(m.header[1])).Masked(); link.IsValid() && !link.IsSingleIP() {
			n.Links = append(n.Links, link)
		}
	}
	for _, m := range dump(unix.RTM_GETNEIGHTBL, unix.RTM_NEWNEIGHTBL, sizeofNdtMsg) {
		limit := m.attrs[ndtaThresh3]
		if len(limit) != 4 {
			continue // of one interface
		}
		switch m.header[0] {
		case unix.AF_INET:
			n.Tables[0] = int(binary.NativeEndian.Uint32(limit))
		case unix.AF_INET6:
			n.Tables[1] = int(binary.NativeEndian.Uint32(limit))
		}
	}
}

// include/uapi/linux/neighbour.h
const (
	sizeofNdtMsg = 4
	ndtaThresh3  = 4
)

// An object is what the kernel tells of one thing.
type object struct {
	header []byte
	attrs  map[uint16][]byte
}

// dump lists the objects that the kernel answers a request with, of which each has the type of answer, and a header of
// so many bytes.
func dump(request int, answer uint16, header int) (list []object) {
	reply, err := syscall.NetlinkRIB(request, unix.AF_UNSPEC)
	if err != nil {
		return nil
	}
	messages, _ := syscall.ParseNetlinkMessage(reply)
	for _, m := range messages {
		if m.Header.Type != answer || len(m.Data) < header {
			continue
		}
		o := object{m.Data[:header], make(map[uint16][]byte)}
		for rest := m.Data[header:]; len(rest) >= unix.SizeofRtAttr; {
			size := int(binary.NativeEndian.Uint16(rest))
			if size < unix.SizeofRtAttr || size > len(rest) {
				break
			}
			o.attrs[binary.NativeEndian.Uint16(rest[2:])] = rest[unix.SizeofRtAttr:size]
			rest = rest[min((size+3)&^3, len(rest)):]
		}
		list = append(list, o)
	}
	return list
}
