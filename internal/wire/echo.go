package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// HeaderLen is the bytes of an echo message's header: type, code, checksum, identifier, sequence number (RFC 792,
	// RFC 4443 section 4).
	HeaderLen = 8
	// CookieLen is the bytes of the secret at the start of the payload, which holds as much of it as it has room for.
	CookieLen = 8

	// MaxPayload4 is the largest payload that the kernel sends over IPv4: 65,535 bytes less the headers of IPv4 and
	// ICMP.
	MaxPayload4 = 65535 - 20 - HeaderLen
	// MaxPayload6 is the largest payload over IPv6, which does not count its own header (RFC 8200 section 3).
	MaxPayload6 = 65535 - HeaderLen
)

// NewTemplate returns an echo request with size bytes of payload, whose sequence number and cookie are still to be
// filled in. The payload counts up from 0 and begins again after 255, so that a corrupted byte shows. Templates are
// shared and never written to. The checksum is 0: that, and the identifier, are the link's.
func NewTemplate(v6 bool, size int) ([]byte, error) {
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
	b[2], b[3] = 0, 0
	return b, nil
}

// AppendEcho appends the template to b, with its sequence number and as much of the cookie as fits.
func AppendEcho(b, template []byte, seq uint16, cookie uint64) []byte {
	start := len(b)
	b = append(b, template...)
	binary.BigEndian.PutUint16(b[start+6:], seq)
	var c [CookieLen]byte
	binary.BigEndian.PutUint64(c[:], cookie)
	copy(b[start+HeaderLen:], c[:])
	return b
}

// An Echo is the header of an echo message, and its payload. It has four fields, for the compiler keeps no more of a
// struct in registers (BenchmarkEcho of package flight).
type Echo struct {
	Type, Code byte
	Seq        uint16 // of an extended echo message the high byte alone: the low one is its status
	Payload    []byte // the message's own bytes, not a copy
}

// ParseEcho cuts an ICMP message up. It reports false if data is too short to be an echo message. What type of message
// it is, IsReply and IsRequest tell.
func ParseEcho(data []byte) (Echo, bool) {
	if len(data) < HeaderLen {
		return Echo{}, false
	}
	return Echo{
		Type:    data[0],
		Code:    data[1],
		Seq:     binary.BigEndian.Uint16(data[6:]),
		Payload: data[HeaderLen:],
	}, true
}

// IsExtended reports whether the message is an extended echo request or reply.
func (e *Echo) IsExtended() bool {
	switch e.Type {
	case ExtendedRequest4, ExtendedReply4, ExtendedRequest6, ExtendedReply6:
		return true
	}
	return false
}

// IsReply reports whether the message is an echo reply, extended or not, of the IP version told.
func (e *Echo) IsReply(v6 bool) bool {
	if v6 {
		return e.Type == EchoReply6 || e.Type == ExtendedReply6
	}
	return e.Type == EchoReply4 || e.Type == ExtendedReply4
}

// IsRequest reports whether the message, which an ICMP error quotes, is an echo request, extended or not, of the IP
// version told.
func (e *Echo) IsRequest(v6 bool) bool {
	if v6 {
		return e.Type == EchoRequest6 || e.Type == ExtendedRequest6
	}
	return e.Type == EchoRequest4 || e.Type == ExtendedRequest4
}

// CutExtension takes the extension of so many bytes off an extended echo message, or as much of it as there is: its
// payload remains.
func (e *Echo) CutExtension(length int) { e.Payload = e.Payload[min(length, len(e.Payload)):] }

// HasCookie reports whether the payload begins with the cookie of a probe that was sent with size bytes of payload, or
// with as much of it as both have room for.
func (e *Echo) HasCookie(cookie uint64, size int) bool {
	n := min(len(e.Payload), size, CookieLen)
	if n == CookieLen {
		return binary.BigEndian.Uint64(e.Payload) == cookie
	}
	var c [CookieLen]byte
	binary.BigEndian.PutUint64(c[:], cookie)
	return bytes.Equal(e.Payload[:n], c[:n])
}

// Intact reports whether what follows the cookie is what was sent: size bytes of payload in all, unchanged. The code of
// an extended echo reply may be any, for it is part of the answer.
func (e *Echo) Intact(size int) bool {
	return len(e.Payload) == size && (e.Code == 0 || e.IsExtended()) && counts(e.Payload)
}

// OfAnother reports whether a message that an ICMP error quotes, whose cookie is not that of a probe sent with size
// bytes of payload, is another probe's: what it has after the cookie is what was sent. Where a router has changed what
// it quotes, beyond the 8 bytes that it must not, that is not so.
func (e *Echo) OfAnother(size int) bool {
	n := min(len(e.Payload), size)
	return n > CookieLen && counts(e.Payload[:n])
}

// counts reports whether a payload counts up as NewTemplate has it, from the end of the cookie on.
func counts(payload []byte) bool {
	// The number that 0, 1, ... 7 are in memory, and the one to add to it for each step up. From a multiple of 8 on,
	// no byte of a word carries into the next.
	const first, step = 0x0706050403020100, 0x0101010101010101
	const period = 256 // after which the bytes are the same again
	i, once := min(CookieLen, len(payload)), min(CookieLen+period, len(payload))
	for ; once-i >= 8; i += 8 {
		if binary.LittleEndian.Uint64(payload[i:]) != first+step*uint64(i&0xff) {
			return false
		}
	}
	for ; i < once; i++ {
		if payload[i] != byte(i) {
			return false
		}
	}
	return len(payload) == once || bytes.Equal(payload[once:], payload[CookieLen:len(payload)-period])
}
