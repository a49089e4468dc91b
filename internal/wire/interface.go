package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
)

// An Interface is what a router tells of one of its interfaces (RFC 5837).
type Interface struct {
	Role  int        // what it is to the quoted packet, 0 to 3
	Index int        // 0: not told
	Addr  netip.Addr // invalid: not told
	Name  string     // "": not told
	MTU   int        // 0: not told
}

// The type of an interface object (RFC 5837 section 4.1): the role in the upper two bits, and which fields follow.
const (
	classInterface = 2
	roleShift      = 6
	hasIndex       = 1 << 3
	hasAddr        = 1 << 2
	hasName        = 1 << 1
	hasMTU         = 1 << 0
	maxNameLen     = 64 // with its length
)

// parseInterface reads an interface object, and reports whether it is well formed. What follows the fields is for a
// later version of it to say.
func parseInterface(typ byte, b []byte) (i Interface, ok bool) {
	i.Role = int(typ >> roleShift)
	if typ&hasIndex != 0 {
		if i.Index, b, ok = cutNumber(b); !ok {
			return Interface{}, false
		}
	}
	if typ&hasAddr != 0 {
		if i.Addr, b, ok = cutAddr(b); !ok {
			return Interface{}, false
		}
	}
	if typ&hasName != 0 {
		if i.Name, b, ok = cutName(b); !ok {
			return Interface{}, false
		}
	}
	if typ&hasMTU != 0 {
		if i.MTU, _, ok = cutNumber(b); !ok {
			return Interface{}, false
		}
	}
	return i, true
}

// cutNumber reads 32 bits. No index is larger than 31 can tell (RFC 2863), and no MTU.
func cutNumber(b []byte) (n int, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return int(min(binary.BigEndian.Uint32(b), math.MaxInt32)), b[4:], true
}

// cutAddr reads an address: its family (https://www.iana.org/assignments/address-family-numbers), two reserved bytes,
// and itself (RFC 5837 section 4.2).
func cutAddr(b []byte) (addr netip.Addr, rest []byte, ok bool) {
	const header, family4, family6 = 4, 1, 2
	if len(b) < header {
		return addr, nil, false
	}
	family := binary.BigEndian.Uint16(b)
	switch b = b[header:]; {
	case family == family4 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), b[4:], true
	case family == family6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), b[16:], true
	}
	return addr, nil, false
}

// cutName reads a name: its length, with this byte and what pads it to a multiple of 4, and UTF-8 (RFC 5837 section
// 4.3).
func cutName(b []byte) (name string, rest []byte, ok bool) {
	if len(b) == 0 {
		return "", nil, false
	}
	n := int(b[0])
	if n == 0 || n%4 != 0 || n > maxNameLen || n > len(b) {
		return "", nil, false
	}
	text, _, _ := bytes.Cut(b[1:n], []byte{0})
	return strings.ToValidUTF8(string(text), "\uFFFD"), b[n:], true
}
