package wire

import (
	"encoding/binary"
	"slices"
)

// What an ICMP error carries after the quotation (RFC 4884): a header of version, checksum and no more, and then
// objects, each of a length, a class and a type.
const (
	extensionHeaderLen = 4
	extensionVersion   = 2
	objectHeaderLen    = 4
	classMPLS          = 1 // an MPLS label stack, RFC 4950
	typeIncoming       = 1 // as the packet had it when it came
	labelLen           = 4
	// MaxLabels is how many labels are kept: more than any network stacks, and no more than a hostile packet is to
	// have kept.
	MaxLabels = 16
	// MaxObjects is how many objects are kept, and maxObjectBytes how long they may be together: no error is longer
	// (RFC 4443 section 2.4).
	MaxObjects     = 16
	maxObjectBytes = 1280
	// quotationLen is how long the quotation in an error with an extension is at least. Routers from before the RFC,
	// which do not tell its length, make it just that.
	quotationLen = 128
)

// An Object is one of an extension, as it came.
type Object struct {
	Class, Type int    // 0 to 255
	Data        []byte // what follows its header
}

// SplitQuote cuts the extension off a quoted message, which may be padded then, and puts the objects in it into e, with
// what they say. The extension is at offset in data, by the length that the router tells of the quotation. If that is
// 0, nothing has told. There, or where nothing of the kind is at offset (some routers count the length in other units),
// it is looked for, from where it mostly is on, given the length of the IP header that was quoted before data. What is
// malformed, or does not fit its checksum, is not believed.
func (e *Error) SplitQuote(data []byte, offset, header int) []byte {
	last := len(data) - extensionHeaderLen - objectHeaderLen // where one can begin
	told := offset > 0 && offset <= last
	if told && isExtension(data[offset:]) {
		e.takeObjects(data[offset+extensionHeaderLen:])
		return data[:offset:offset]
	}
	first := quotationLen - header
	for at := max(first, 0); at <= last; at += 4 {
		if isCertain(data[at:], at == first) {
			e.takeObjects(data[at+extensionHeaderLen:])
			return data[:at:at]
		}
	}
	if told {
		return data[:offset:offset]
	}
	return data
}

// isExtension reports whether an extension begins where one is said to be. A checksum of 0 is none.
func isExtension(b []byte) bool {
	return b[0]>>4 == extensionVersion && (b[2]|b[3] == 0 || Checksum(b) == 0)
}

// isCertain reports whether an extension begins where nothing has told of one: its objects are well formed and reach to
// the end, the reserved bits are 0, and it has a checksum. That may be missing where the extension mostly is: no
// payload that counts up as NewTemplate has it looks like the rest.
func isCertain(b []byte, usual bool) bool {
	if b[0] != extensionVersion<<4 || b[1] != 0 || !usual && b[2]|b[3] == 0 || !isExtension(b) {
		return false
	}
	for b = b[extensionHeaderLen:]; len(b) > 0; {
		n := objectLen(b)
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// objectLen is the length of the first object, 0 if it is malformed.
func objectLen(b []byte) int {
	if len(b) < objectHeaderLen {
		return 0
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < objectHeaderLen || n > len(b) {
		return 0
	}
	return n
}

// takeObjects keeps the objects, up to the first that is malformed: as they are, and what they say of the first label
// stack and of interfaces.
func (e *Error) takeObjects(b []byte) {
	room := maxObjectBytes
	for range MaxObjects {
		n := objectLen(b)
		if n == 0 {
			return
		}
		class, typ, data := b[2], b[3], b[objectHeaderLen:n]
		b = b[n:]
		switch {
		case class == classMPLS && typ == typeIncoming && e.MPLS == nil:
			e.MPLS = parseLabels(data)
		case class == classInterface:
			if i, ok := parseInterface(typ, data); ok {
				e.Interfaces = append(e.Interfaces, i)
			}
		}
		if room -= n; room >= 0 {
			e.Objects = append(e.Objects, Object{int(class), int(typ), slices.Clone(data)})
		}
	}
}

// parseLabels returns a label stack, nil if it is malformed.
func parseLabels(stack []byte) []Label {
	if len(stack) == 0 || len(stack)%labelLen != 0 {
		return nil
	}
	stack = stack[:min(len(stack), MaxLabels*labelLen)]
	labels := make([]Label, 0, len(stack)/labelLen)
	for ; len(stack) > 0; stack = stack[labelLen:] {
		v := binary.BigEndian.Uint32(stack)
		labels = append(labels, Label{Label: int(v >> 12), TrafficClass: int(v >> 9 & 7), TTL: int(v & 0xff)})
		if v&0x100 != 0 { // the bottom of the stack
			break
		}
	}
	return labels
}
