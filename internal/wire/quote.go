package wire

import (
	"encoding/binary"
	"net/netip"
)

// CutQuote returns the destination of the packet that an ICMP error quotes, and the ICMP message in it, as far as it
// goes: [HeaderLen] bytes at least. It reports false for what is no such packet. The kernel of Linux does this for us.
func CutQuote(quote []byte, v6 bool) (to netip.Addr, message []byte, ok bool) {
	const length6, protocol4, protocol6 = 40, 1, 58
	if v6 {
		if len(quote) < length6+HeaderLen || quote[0]>>4 != 6 || quote[6] != protocol6 {
			return to, nil, false
		}
		return netip.AddrFrom16([16]byte(quote[24:40])), quote[length6:], true
	}
	if len(quote) < 20 || quote[0]>>4 != 4 || quote[9] != protocol4 {
		return to, nil, false
	}
	length := int(quote[0]&0x0f) * 4
	if length < 20 || len(quote) < length+HeaderLen {
		return to, nil, false
	}
	return netip.AddrFrom4([4]byte(quote[16:20])), quote[length:], true
}

// CutError cuts up an ICMP error that came from a router or host: what it says, where the packet went that it quotes,
// and the ICMP message in that. It reports false for another message. The kernel of Linux does this for us.
func CutError(data []byte, from netip.Addr) (e *Error, to netip.Addr, message []byte, ok bool) {
	if len(data) < HeaderLen {
		return nil, to, nil, false
	}
	e = &Error{Type: int(data[0]), Code: int(data[1]), From: from}
	length := 0 // of the quotation, where one is told (RFC 4884 section 4)
	switch v6 := from.Is6(); {
	case e.is(Unreachable4, Unreachable6), e.is(TimeExceeded4, TimeExceeded6), !v6 && e.Type == Parameter4:
		if length = int(data[5]) * 4; v6 {
			length = int(data[4]) * 8
		}
		if e.TooBig() {
			e.MTU = int(binary.BigEndian.Uint16(data[6:]))
		}
	case v6 && e.Type == PacketTooBig6:
		e.MTU = int(binary.BigEndian.Uint32(data[4:]))
	case v6 && e.Type == Parameter6:
	default:
		return nil, to, nil, false
	}
	quote := data[HeaderLen:]
	if to, message, ok = CutQuote(quote, from.Is6()); !ok {
		return nil, to, nil, false
	}
	header := len(quote) - len(message)
	return e, to, e.SplitQuote(message, max(length-header, 0), header), true
}
