package wire

import "net/netip"

// The types and codes of ICMP, https://www.iana.org/assignments/icmp-parameters.
const (
	EchoReply4    = 0
	Unreachable4  = 3
	SourceQuench4 = 4
	Redirect4     = 5
	EchoRequest4  = 8
	TimeExceeded4 = 11
	Parameter4    = 12

	ExtendedRequest4 = 42 // RFC 8335
	ExtendedReply4   = 43

	CodeFragmentationNeeded4 = 4 // of Unreachable4
	CodeReassembly           = 1 // of TimeExceeded4 and TimeExceeded6
)

// The types of ICMPv6, https://www.iana.org/assignments/icmpv6-parameters.
const (
	Unreachable6  = 1
	PacketTooBig6 = 2
	TimeExceeded6 = 3
	Parameter6    = 4
	EchoRequest6  = 128
	EchoReply6    = 129

	ExtendedRequest6 = 160 // RFC 8335
	ExtendedReply6   = 161
)

// An Error is an ICMP error message.
type Error struct {
	// Type and Code are those of ICMP (RFC 792, RFC 1812) where From is an IPv4 address, and those of ICMPv6
	// (RFC 4443) where it is an IPv6 address. Both are 0 to 255.
	Type, Code int
	// From is the router or host that sent the error.
	From netip.Addr
	// MTU is the largest packet that fits the next link, in bytes, where TooBig is true and the router says it; else 0.
	MTU int
	// MPLS is the label stack that the quoted message carried when it met the router, top first, where the router tells
	// it (RFC 4950); else nil.
	MPLS []Label
	// Interfaces are what the router tells of those interfaces that the quoted message came or went by; mostly nil.
	Interfaces []Interface
	// Objects are all objects of the error's extension, in order, those too of which MPLS and Interfaces are made.
	Objects []Object
	// NAT says that the quoted message was translated on the way, and Quoted where it was headed for, if that is another
	// address than it was sent to; else invalid. The table of probes in flight sets both.
	NAT    bool
	Quoted netip.Addr
}

// A Label is one entry of an MPLS label stack (RFC 3032 section 2.1).
type Label struct {
	Label        int // 0 to 1,048,575
	TrafficClass int // 0 to 7 (RFC 5462)
	TTL          int // 0 to 255
}

// Advice reports whether the message is no error at all: a redirect says that a better way exists, a source quench
// (RFC 6633: obsolete) asks to slow down; the probe may still be answered.
func (e *Error) Advice() bool {
	return !e.From.Is6() && (e.Type == Redirect4 || e.Type == SourceQuench4)
}

// TooBig reports whether the error is of the kind that carries an MTU: fragmentation needed (RFC 1191), or packet too
// big (RFC 8201).
func (e *Error) TooBig() bool {
	return e.is(Unreachable4, PacketTooBig6) && (e.From.Is6() || e.Code == CodeFragmentationNeeded4)
}

// InTransit reports whether the error is that of a router which the probe's TTL took it to: time exceeded in transit.
func (e *Error) InTransit() bool { return e.is(TimeExceeded4, TimeExceeded6) && e.Code == 0 }

// is reports whether the error has the type for its IP version.
func (e *Error) is(type4, type6 int) bool {
	if e.From.Is6() {
		return e.Type == type6
	}
	return e.Type == type4
}
