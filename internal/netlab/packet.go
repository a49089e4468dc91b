//go:build linux

package netlab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ICMP types of the messages that this package makes itself.
const (
	echoRequest4 = 8
	echoReply4   = 0
	echoRequest6 = 128
	echoReply6   = 129

	extendedRequest4 = 42 // RFC 8335
	extendedRequest6 = 160
)

const (
	ipv4HeaderLen     = 20
	ipv6HeaderLen     = 40
	fragmentHeaderLen = 8
	icmpHeaderLen     = 8

	dontFragment  = 0x4000
	moreFragments = 0x2000
	offsetMask    = 0x1fff // IPv4's, in units of eight bytes
)

// A Packet is an ICMP echo message, extended or not, in an IP packet. Its family
// is that of the addresses.
type Packet struct {
	Src, Dst     netip.Addr
	TTL          int // or hop limit
	TrafficClass int // or type of service
	DontFragment bool
	Type, Code   byte
	ID, Seq      uint16
	Payload      []byte // what follows the eight bytes of ICMP header
	BadChecksum  bool   // the ICMP checksum is wrong
}

// Marshal returns the bytes of the packet.
func (p *Packet) Marshal() []byte {
	return p.appendTo(make([]byte, 0, ipv6HeaderLen+icmpHeaderLen+len(p.Payload)))
}

func (p *Packet) appendTo(b []byte) []byte {
	b = appendIP(b, p, icmpHeaderLen+len(p.Payload))
	start := len(b)
	b = append(b, p.Type, p.Code, 0, 0)
	b = binary.BigEndian.AppendUint16(b, p.ID)
	b = binary.BigEndian.AppendUint16(b, p.Seq)
	b = append(b, p.Payload...)
	sum := icmpChecksum(p.Src, p.Dst, b[start:])
	if p.BadChecksum {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(b[start+2:], sum)
	return b
}

// appendIP appends the IP header for an ICMP message of the given length.
func appendIP(b []byte, p *Packet, length int) []byte {
	if p.Src.Is4() {
		start := len(b)
		b = append(b, 0x45, byte(p.TrafficClass))
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderLen+length))
		var flags uint16
		if p.DontFragment {
			flags = dontFragment
		}
		b = append(b, 0, 0)
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, byte(p.TTL), unix.IPPROTO_ICMP, 0, 0)
		src, dst := p.Src.As4(), p.Dst.As4()
		b = append(append(b, src[:]...), dst[:]...)
		setIPv4Checksum(b[start:])
		return b
	}
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(p.TrafficClass&0xff)<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, unix.IPPROTO_ICMPV6, byte(p.TTL))
	src, dst := p.Src.As16(), p.Dst.As16()
	return append(append(b, src[:]...), dst[:]...)
}

// parse reads a whole ICMP packet. The payload of the result is a part of b.
func parse(b []byte) (Packet, bool) {
	p, message, ok := parseIP(b)
	if !ok || len(message) < icmpHeaderLen {
		return Packet{}, false
	}
	p.Type, p.Code = message[0], message[1]
	p.ID = binary.BigEndian.Uint16(message[4:])
	p.Seq = binary.BigEndian.Uint16(message[6:])
	p.Payload = message[icmpHeaderLen:]
	return p, true
}

// parseIP reads the IP header of an ICMP packet that is no fragment, and returns
// the ICMP message too.
func parseIP(b []byte) (p Packet, message []byte, ok bool) {
	switch {
	case len(b) >= ipv4HeaderLen && b[0]>>4 == 4:
		header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
		flags := binary.BigEndian.Uint16(b[6:])
		if header < ipv4HeaderLen || total < header || total > len(b) ||
			b[9] != unix.IPPROTO_ICMP || flags&(moreFragments|offsetMask) != 0 {
			return Packet{}, nil, false
		}
		return Packet{
			Src:          netip.AddrFrom4([4]byte(b[12:16])),
			Dst:          netip.AddrFrom4([4]byte(b[16:20])),
			TTL:          int(b[8]),
			TrafficClass: int(b[1]),
			DontFragment: flags&dontFragment != 0,
		}, b[header:total], true
	case len(b) >= ipv6HeaderLen && b[0]>>4 == 6:
		length := int(binary.BigEndian.Uint16(b[4:]))
		if length > len(b)-ipv6HeaderLen || b[6] != unix.IPPROTO_ICMPV6 {
			return Packet{}, nil, false
		}
		return Packet{
			Src:          netip.AddrFrom16([16]byte(b[8:24])),
			Dst:          netip.AddrFrom16([16]byte(b[24:40])),
			TTL:          int(b[7]),
			TrafficClass: int(binary.BigEndian.Uint16(b) >> 4 & 0xff),
			DontFragment: true,
		}, b[ipv6HeaderLen : ipv6HeaderLen+length], true
	}
	return Packet{}, nil, false
}

// isRequest reports whether the packet asks for an echo, extended or not.
func (p *Packet) isRequest() bool {
	if p.Src.Is4() {
		return p.Type == echoRequest4 || p.Type == extendedRequest4
	}
	return p.Type == echoRequest6 || p.Type == extendedRequest6
}

// echoed returns the proper answer to a request. That to an extended one tells of
// no interface.
func (p *Packet) echoed() Packet {
	e := *p
	e.Src, e.Dst = p.Dst, p.Src
	e.TTL = 64
	e.Code = 0
	e.Type = echoReply6
	switch {
	case p.Type == extendedRequest4, p.Type == extendedRequest6:
		e.Type, e.Seq = p.Type+1, p.Seq&^0xff
	case p.Src.Is4():
		e.Type, e.DontFragment = echoReply4, false
	}
	return e
}

func setIPv4Checksum(header []byte) {
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^fold(sum(0, header[:ipv4HeaderLen])))
}

// icmpChecksum returns the checksum of a message whose checksum field is zero.
// IPv6's covers the addresses too.
func icmpChecksum(src, dst netip.Addr, message []byte) uint16 {
	if src.Is4() {
		return ^fold(sum(0, message))
	}
	s, d := src.As16(), dst.As16()
	pseudo := sum(sum(unix.IPPROTO_ICMPV6+uint64(len(message)), s[:]), d[:])
	return ^fold(sum(pseudo, message))
}

// sum adds the 16-bit words of b to s.
func sum(s uint64, b []byte) uint64 {
	for ; len(b) >= 4; b = b[4:] {
		s += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold makes a one's complement sum of 16 bits.
func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
