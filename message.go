package ping

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	headerLen = 8 // type, code, checksum, identifier, sequence number (RFC 792, RFC 4443)
	cookieLen = 8 // the secret at the start of the payload, as far as it fits

	// The largest payloads that the kernel sends: 65,535 less the headers of IPv4 and ICMP; IPv6 does not
	// count its own header (RFC 8200 section 3).
	maxPayload4 = 65535 - 20 - headerLen
	maxPayload6 = 65535 - headerLen
)

// pattern is what payloads are filled with after the cookie, so that a corrupted byte shows.
var pattern = func() (p [256]byte) {
	for i := range p {
		p[i] = byte(i)
	}
	return p
}()

// newTemplate returns an echo request with size bytes of payload, whose sequence number and cookie are still
// to be filled in. Templates are shared and never written to.
func newTemplate(v6 bool, size int) ([]byte, error) {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i)
	}
	var typ icmp.Type = ipv4.ICMPTypeEcho
	if v6 {
		typ = ipv6.ICMPTypeEchoRequest
	}
	b, err := (&icmp.Message{Type: typ, Body: &icmp.Echo{Data: payload}}).Marshal(nil)
	if err != nil {
		return nil, fmt.Errorf("echo request of %d bytes: %w", size, err)
	}
	return b, nil
}

// appendEcho appends the template to b, with its sequence number and as much of the cookie as fits. The
// template's checksum no longer fits then: that, and the identifier, are the transport's.
func appendEcho(b, template []byte, seq uint16, cookie uint64) []byte {
	start := len(b)
	b = append(b, template...)
	binary.BigEndian.PutUint16(b[start+6:], seq)
	var c [cookieLen]byte
	binary.BigEndian.PutUint64(c[:], cookie)
	copy(b[start+headerLen:], c[:])
	return b
}

// balance changes the last 16 bits of the cookie such that the one's complement sum of the sequence number and the
// cookie, 16 bits at a time, is flow, which is not 0. All probes of one flow that are alike otherwise then have the
// same ICMP checksum (RFC 1071), and so take the same of several paths where routers choose by that (RFC 2992). It
// costs 16 bits of the secret: the other 48 stay random.
func balance(cookie uint64, seq, flow uint16) uint64 {
	sum := uint32(seq) + uint32(uint16(cookie>>48)) + uint32(uint16(cookie>>32)) + uint32(uint16(cookie>>16))
	return cookie&^0xffff | uint64((uint32(flow)+0xffff-sum%0xffff)%0xffff)
}

// flowLabel is the IPv6 flow label of a flow; 0, the system's choice, for none. That of each flow is another.
func flowLabel(v6 bool, flow uint16) int {
	if !v6 {
		return 0
	}
	return int(flow) * 0x9e375 & 0xfffff // times an odd number, modulo a power of two
}

// An echo is the header of an echo message, and its payload.
type echo struct {
	typ, code byte
	seq       uint16
	payload   []byte
}

// parseEcho cuts an ICMP message up. It reports false if data is too short to be an echo message.
func parseEcho(data []byte) (echo, bool) {
	if len(data) < headerLen {
		return echo{}, false
	}
	return echo{
		typ:     data[0],
		code:    data[1],
		seq:     binary.BigEndian.Uint16(data[6:]),
		payload: data[headerLen:],
	}, true
}

// isReply reports whether the message is an echo reply, of the family told.
func (e *echo) isReply(v6 bool) bool {
	if v6 {
		return e.typ == icmp6EchoReply
	}
	return e.typ == icmpEchoReply
}

// isRequest reports whether the message, which an ICMP error quotes, is an echo request.
func (e *echo) isRequest(v6 bool) bool {
	if v6 {
		return e.typ == icmp6EchoRequest
	}
	return e.typ == icmpEchoRequest
}

// hasCookie reports whether the payload begins with the cookie of a probe that was sent with size bytes of
// payload, or with as much of it as both have room for.
func (e *echo) hasCookie(cookie uint64, size int) bool {
	n := min(len(e.payload), size, cookieLen)
	if n == cookieLen {
		return binary.BigEndian.Uint64(e.payload) == cookie
	}
	var c [cookieLen]byte
	binary.BigEndian.PutUint64(c[:], cookie)
	return bytes.Equal(e.payload[:n], c[:n])
}

// intact reports whether what follows the cookie is what was sent: size bytes in all, unchanged.
func (e *echo) intact(size int) bool {
	if len(e.payload) != size || e.code != 0 {
		return false
	}
	for i := min(cookieLen, size); i < size; {
		want := pattern[i&0xff:]
		n := min(len(want), size-i)
		if !bytes.Equal(e.payload[i:i+n], want[:n]) {
			return false
		}
		i += n
	}
	return true
}

// cutQuote returns the destination of the packet that an ICMP error quotes, and the ICMP message in it, as far as it
// goes. The kernel of Linux does this for us.
func cutQuote(quote []byte, v6 bool) (to netip.Addr, message []byte, ok bool) {
	const length6, protocol4, protocol6 = 40, 1, 58
	if v6 {
		if len(quote) < length6+headerLen || quote[0]>>4 != 6 || quote[6] != protocol6 {
			return to, nil, false
		}
		return netip.AddrFrom16([16]byte(quote[24:40])), quote[length6:], true
	}
	if len(quote) < 20 || quote[0]>>4 != 4 || quote[9] != protocol4 {
		return to, nil, false
	}
	length := int(quote[0]&0x0f) * 4
	if length < 20 || len(quote) < length+headerLen {
		return to, nil, false
	}
	return netip.AddrFrom4([4]byte(quote[16:20])), quote[length:], true
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
