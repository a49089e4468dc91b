package wire

import "encoding/binary"

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
	// quotationLen is how long the quotation in an error with an extension is at least. Routers from before the RFC,
	// which do not tell its length, make it just that.
	quotationLen = 128
)

// SplitQuote cuts the extension off a quoted message, which may be padded then, and puts the labels in it into e. The
// extension is at offset in data. If that is 0, nothing has told where: it is looked for where it mostly is, given the
// length of the IP header that was quoted before data. What is malformed, or does not fit its checksum, is not
// believed.
func (e *Error) SplitQuote(data []byte, offset, header int) []byte {
	told := offset > 0
	if !told {
		offset = quotationLen - header
	}
	if offset <= 0 || offset > len(data)-extensionHeaderLen-objectHeaderLen {
		return data
	}
	extension := data[offset:]
	// A checksum of 0 is none. That will not do for what is but a guess.
	sum := binary.BigEndian.Uint16(extension[2:])
	valid := extension[0]>>4 == extensionVersion && (sum == 0 && told || sum != 0 && Checksum(extension) == 0)
	if valid {
		e.MPLS = parseLabels(extension[extensionHeaderLen:])
	}
	if told || valid {
		return data[:offset:offset]
	}
	return data
}

// parseLabels returns the first label stack among the objects, nil if there is none or an object is malformed.
func parseLabels(objects []byte) []Label {
	for len(objects) >= objectHeaderLen {
		n := int(binary.BigEndian.Uint16(objects))
		if n < objectHeaderLen || n > len(objects) {
			return nil
		}
		if objects[2] != classMPLS || objects[3] != typeIncoming {
			objects = objects[n:]
			continue
		}
		stack := objects[objectHeaderLen:n]
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
	return nil
}
