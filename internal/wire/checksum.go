package wire

// Checksum is the Internet checksum (RFC 1071). Over a message with its checksum in it, it is 0 if that is right.
func Checksum(b []byte) uint16 {
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

// ChecksumFits reports whether the ICMP checksum of an IPv4 echo request, as an ICMP error quotes it with the whole
// cookie, is that of a request with this header, cookie and size bytes of payload, as NewTemplate makes them. What
// follows the cookie need not have been quoted. A checksum of 0 is taken for none: a link that has no others quotes
// that, and so do some routers.
func ChecksumFits(quoted []byte, size int) bool {
	if quoted[2]|quoted[3] == 0 {
		return true
	}
	var sum uint32
	for i := 0; i < HeaderLen+CookieLen; i += 2 {
		sum += uint32(quoted[i])<<8 | uint32(quoted[i+1])
	}
	for i := CookieLen; i < size; i++ {
		sum += uint32(byte(i)) << (8 &^ (i << 3)) // an even one is the high byte of its word
	}
	return sum%0xffff == 0
}
