package wire

import (
	"encoding/binary"
	"net/netip"
)

// A Question is which of a host's interfaces an extended echo request asks for (RFC 8335 section 2.1): by its Name,
// if that is not empty, else by its Addr, if that is valid, else by its Index.
type Question struct {
	Name  string
	Index uint32
	Addr  netip.Addr
	// Neighbour asks for the neighbour of the host that has the Addr, and what the host's ARP table or neighbour cache
	// says of it: the L bit is clear.
	Neighbour bool
}

// The Interface Identification Object (RFC 8335 section 2.1), and the address families in it
// (https://www.iana.org/assignments/address-family-numbers).
const (
	classIdentification = 3
	typeByName          = 1
	typeByIndex         = 2
	typeByAddress       = 3
	family4             = 1
	family6             = 2

	// classPayload is one of the classes for private use (RFC 4884 section 10). A host that takes all that follows the
	// header for objects finds a second one there, which it does not know.
	classPayload = 247

	local = 1 // the L bit
)

// NewExtendedTemplate returns an extended echo request (RFC 8335 section 2) with size bytes of payload, as NewTemplate
// returns an echo request, and the length of the extension, which is between header and payload. It is below 256 for a
// name of up to 240 bytes.
func NewExtendedTemplate(v6 bool, which Question, size int) (template []byte, extension int) {
	b := make([]byte, HeaderLen+extensionHeaderLen, HeaderLen+2*extensionHeaderLen+256+size)
	b[0] = ExtendedRequest4
	if v6 {
		b[0] = ExtendedRequest6
	}
	if !which.Neighbour {
		b[7] = local
	}
	b[HeaderLen] = extensionVersion << 4
	b = which.appendObject(b)
	b = appendObjectHeader(b, size, classPayload, 0)
	extension = len(b) - HeaderLen
	for i := range size {
		b = append(b, byte(i))
	}
	return b, extension
}

// appendObject appends the Interface Identification Object.
func (which *Question) appendObject(b []byte) []byte {
	switch {
	case which.Name != "":
		padded := (len(which.Name) + 3) &^ 3
		b = appendObjectHeader(b, padded, classIdentification, typeByName)
		b = append(b, which.Name...)
		return append(b, make([]byte, padded-len(which.Name))...)
	case which.Addr.IsValid():
		family, addr := byte(family4), which.Addr.AsSlice()
		if which.Addr.Is6() {
			family = family6
		}
		b = appendObjectHeader(b, 4+len(addr), classIdentification, typeByAddress)
		b = append(b, 0, family, byte(len(addr)), 0)
		return append(b, addr...)
	}
	b = appendObjectHeader(b, 4, classIdentification, typeByIndex)
	return binary.BigEndian.AppendUint32(b, which.Index)
}

// appendObjectHeader appends the header of an object with so many bytes after it (RFC 4884 section 8).
func appendObjectHeader(b []byte, length int, class, typ byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(objectHeaderLen+length))
	return append(b, class, typ)
}

// AppendExtendedEcho is AppendEcho of a template of NewExtendedTemplate. Of the sequence number the high byte alone is
// the sender's. The extension's checksum (RFC 4884 section 7) is over the payload too, and is made here.
func AppendExtendedEcho(b, template []byte, extension int, seq uint16, cookie uint64) []byte {
	start := len(b)
	b = append(b, template...)
	b[start+6] = byte(seq >> 8)
	var c [CookieLen]byte
	binary.BigEndian.PutUint64(c[:], cookie)
	copy(b[start+HeaderLen+extension:], c[:])
	binary.BigEndian.PutUint16(b[start+HeaderLen+2:], Checksum(b[start+HeaderLen:]))
	return b
}
