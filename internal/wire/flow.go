package wire

// Balance changes the last 16 bits of the cookie such that the one's complement sum of the sequence number and the
// cookie, 16 bits at a time, is flow, which is not 0. All probes of one flow that are alike otherwise then have the
// same ICMP checksum (RFC 1071), and so take the same of several paths where routers choose by that (RFC 2992). It
// costs 16 bits of the secret: the other 48 stay random.
func Balance(cookie uint64, seq, flow uint16) uint64 {
	sum := uint32(seq) + uint32(uint16(cookie>>48)) + uint32(uint16(cookie>>32)) + uint32(uint16(cookie>>16))
	return cookie&^0xffff | uint64((uint32(flow)+0xffff-sum%0xffff)%0xffff)
}

// FlowLabel is the IPv6 flow label of a flow, 0 to 0xfffff; 0, the system's choice, for flow 0 and with IPv4. That of
// each flow is another.
func FlowLabel(v6 bool, flow uint16) int {
	if !v6 {
		return 0
	}
	return int(flow) * 0x9e375 & 0xfffff // times an odd number, modulo a power of two
}
