//go:build linux

package netlab

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Linux makes no ICMP error longer than what every host must accept.
const (
	maxError4 = 576
	maxError6 = 1280
)

// Error returns an ICMP error about the request, of the request's family, from
// the router or host from. It quotes the IP header and the first quote bytes of
// the ICMP message, or as many as Linux does if quote is negative. The info is
// what the four bytes after the checksum hold: an MTU, a gateway, a pointer.
func (r *Request) Error(from netip.Addr, typ, code byte, info uint32, quote int) Answer {
	_, message, _ := parseIP(r.Packet)
	packet := r.Packet
	if quote >= 0 && quote < len(message) {
		packet = packet[:len(packet)-len(message)+quote]
	}
	return ErrorQuoting(packet, from, typ, code, info)
}

// ErrorQuoting returns an ICMP error about the given packet, sent to its source.
// The quotation is as long as the packet, within the limits of Linux. The packet
// may end anywhere after its IP header.
func ErrorQuoting(packet []byte, from netip.Addr, typ, code byte, info uint32) Answer {
	limit := maxError4 - ipv4HeaderLen - icmpHeaderLen
	if from.Is6() {
		limit = maxError6 - ipv6HeaderLen - icmpHeaderLen
	}
	return icmpError(packet, packet[:min(len(packet), limit)], from, typ, code, info)
}

// An MPLSLabel is an entry of a label stack.
type MPLSLabel struct {
	Label        uint32 // 20 bits
	TrafficClass byte   // 3 bits
	TTL          byte
}

// ErrorMPLS returns an ICMP error about the request with the label stack that
// the packet had where it ended, as RFC 4884 and RFC 4950 say.
func (r *Request) ErrorMPLS(from netip.Addr, typ, code byte, stack ...MPLSLabel) Answer {
	// The least quotation that RFC 4884 allows.
	return r.ErrorExtended(from, typ, code, 128, LengthTold, MPLSExtension(stack...))
}

// MPLSExtension returns the bytes of an ICMP extension with a label stack.
func MPLSExtension(stack ...MPLSLabel) []byte {
	return Extension(MPLSObject(stack...))
}

// Extension returns the bytes of an ICMP extension with objects.
func Extension(objects ...[]byte) []byte {
	extension := slices.Concat([]byte{2 << 4, 0, 0, 0}, slices.Concat(objects...))
	binary.BigEndian.PutUint16(extension[2:], ^fold(sum(0, extension)))
	return extension
}

// ExtensionObject returns an object of an ICMP extension.
func ExtensionObject(class, typ byte, data ...byte) []byte {
	object := binary.BigEndian.AppendUint16(nil, uint16(4+len(data)))
	return append(append(object, class, typ), data...)
}

// MPLSObject returns the object with a label stack.
func MPLSObject(stack ...MPLSLabel) []byte {
	var entries []byte
	for i, l := range stack {
		entry := l.Label<<12 | uint32(l.TrafficClass&7)<<9 | uint32(l.TTL)
		if i == len(stack)-1 {
			entry |= 1 << 8 // the bottom
		}
		entries = binary.BigEndian.AppendUint32(entries, entry)
	}
	return ExtensionObject(1, 1, entries...) // class and type of an incoming stack
}

// A Length says how an ICMP error with an extension tells the length of its quotation.
type Length int

const (
	LengthTold    Length = iota // as RFC 4884 has it, in words of 4 or 8 bytes
	LengthUntold                // not at all, as before RFC 4884
	LengthInBytes               // in bytes, as some routers do
)

// ErrorExtended returns an ICMP error about the request with the bytes of an
// extension after a quotation of a fixed length, a multiple of 8, padded with
// zeros.
func (r *Request) ErrorExtended(
	from netip.Addr, typ, code byte, quotation int, length Length, extension []byte,
) Answer {
	body := make([]byte, quotation)
	copy(body, r.Packet)
	unit, shift := 4, 16
	if from.Is6() {
		unit, shift = 8, 24
	}
	info := uint32(0)
	switch length {
	case LengthTold:
		info = uint32(quotation/unit) << shift
	case LengthInBytes:
		info = uint32(quotation) << shift
	}
	return icmpError(r.Packet, append(body, extension...), from, typ, code, info)
}

// icmpError makes an ICMP error with the given body for the source of packet.
func icmpError(packet, body []byte, from netip.Addr, typ, code byte, info uint32) Answer {
	var to netip.Addr
	if from.Is4() {
		to = netip.AddrFrom4([4]byte(packet[12:16]))
	} else {
		to = netip.AddrFrom16([16]byte(packet[8:24]))
	}
	// The info is where an echo has its ID and sequence number.
	p := Packet{
		Src: from, Dst: to, TTL: 64,
		Type: typ, Code: code,
		ID: uint16(info >> 16), Seq: uint16(info),
		Payload: body,
	}
	return Answer{Packet: p.Marshal()}
}
