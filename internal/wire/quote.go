package wire

import "net/netip"

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
