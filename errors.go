package ping

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
)

// ErrTimeout says that no answer came within the timeout. It is a net.Error whose Timeout() is true, and
// matches os.ErrDeadlineExceeded.
var ErrTimeout error = timeoutError{}

type timeoutError struct{}

var _ net.Error = timeoutError{}

func (timeoutError) Error() string        { return "no reply in time" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// ErrLocalDrop is an [ErrTimeout] of a probe during whose wait this host's socket dropped messages for want of room:
// its answer may have been among them. As many probes are given it as there were drops, so that the network is
// not blamed for them.
var ErrLocalDrop = fmt.Errorf("%w: this host's socket dropped messages", ErrTimeout)

// ErrNotPermitted says that the system lets this process open no ICMP socket. It matches fs.ErrPermission. The
// text of an error that wraps it names what is in the way and the command that mends it.
var ErrNotPermitted = fmt.Errorf("ICMP sockets are not permitted: %w", fs.ErrPermission)

// errBubble says that the Pinger's clock is not the caller's.
var errBubble = fmt.Errorf("a Pinger made outside of a bubble of testing/synctest cannot be used in it, "+
	"nor one that was made in it outside: %w", errors.ErrUnsupported)

// An ICMPError is an ICMP error message that ended a probe: some host or router on the way says why the echo
// request got no further.
type ICMPError struct {
	// Type and Code are those of ICMP (RFC 792, RFC 1812) where From is an IPv4 address, and those of ICMPv6
	// (RFC 4443) where it is an IPv6 address.
	Type int `json:"type"`
	Code int `json:"code"`
	// From is the router or host that sent the error. This host's own address: a neighbour on the local
	// link did not answer for the address.
	From netip.Addr `json:"from,omitzero"`
	// MTU is the largest packet that fits the next link, in bytes, where the error is "fragmentation
	// needed" or "packet too big", and the router says it; else 0.
	MTU int `json:"mtu,omitempty"`
	// MPLS is the label stack that the echo request carried when it met the router, top first, where the router
	// tells it (RFC 4950); else nil.
	MPLS []MPLSLabel `json:"mpls,omitempty"`
}

// An MPLSLabel is one entry of an MPLS label stack (RFC 3032 section 2.1).
type MPLSLabel struct {
	Label        int `json:"label"`         // 0 to 1,048,575
	TrafficClass int `json:"traffic_class"` // 0 to 7 (RFC 5462)
	TTL          int `json:"ttl"`           // 0 to 255
}

// Error is what a person would say, such as "destination host unreachable, from 10.0.1.254".
func (e *ICMPError) Error() string {
	text := e.Reason()
	if e.MTU > 0 {
		text += fmt.Sprintf(" (MTU %d)", e.MTU)
	}
	if e.From.IsValid() {
		text += ", from " + e.From.String()
	}
	return text
}

// The types and codes of ICMP, https://www.iana.org/assignments/icmp-parameters.
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpSourceQuench = 4
	icmpRedirect     = 5
	icmpEchoRequest  = 8
	icmpTimeExceeded = 11
	icmpParameter    = 12

	codeFragmentationNeeded = 4
	codeReassembly          = 1 // of time exceeded, for ICMPv6 too
)

// The types of ICMPv6, https://www.iana.org/assignments/icmpv6-parameters.
const (
	icmp6Unreachable  = 1
	icmp6PacketTooBig = 2
	icmp6TimeExceeded = 3
	icmp6Parameter    = 4
	icmp6EchoRequest  = 128
	icmp6EchoReply    = 129
)

var unreachable4 = [...]string{
	0:  "destination network unreachable",
	1:  "destination host unreachable",
	2:  "destination protocol unreachable",
	3:  "destination port unreachable",
	4:  "fragmentation needed",
	5:  "source route failed",
	6:  "destination network unknown",
	7:  "destination host unknown",
	8:  "source host isolated",
	9:  "destination network administratively prohibited",
	10: "destination host administratively prohibited",
	11: "destination network unreachable for this type of service",
	12: "destination host unreachable for this type of service",
	13: "communication administratively prohibited",
	14: "host precedence violation",
	15: "precedence cutoff in effect",
}

var unreachable6 = [...]string{
	0: "no route to destination",
	1: "communication administratively prohibited",
	2: "beyond scope of source address",
	3: "destination address unreachable",
	4: "destination port unreachable",
	5: "source address failed ingress or egress policy",
	6: "route to destination rejected",
	7: "error in source routing header",
}

const reassembly = "fragment reassembly time exceeded"

// Reason is what the type and code mean, such as "destination host unreachable".
func (e *ICMPError) Reason() string {
	if e.From.Is6() {
		switch e.Type {
		case icmp6Unreachable:
			return unreachableReason(unreachable6[:], e.Code)
		case icmp6PacketTooBig:
			return "packet too big"
		case icmp6TimeExceeded:
			if e.Code == codeReassembly {
				return reassembly
			}
			return "hop limit exceeded"
		case icmp6Parameter:
			return fmt.Sprintf("parameter problem (code %d)", e.Code)
		}
		return fmt.Sprintf("ICMPv6 error type %d code %d", e.Type, e.Code)
	}
	switch e.Type {
	case icmpUnreachable:
		return unreachableReason(unreachable4[:], e.Code)
	case icmpTimeExceeded:
		if e.Code == codeReassembly {
			return reassembly
		}
		return "time to live exceeded"
	case icmpParameter:
		return fmt.Sprintf("parameter problem (code %d)", e.Code)
	case icmpSourceQuench:
		return "source quench"
	case icmpRedirect:
		return "redirect"
	}
	return fmt.Sprintf("ICMP error type %d code %d", e.Type, e.Code)
}

func unreachableReason(reasons []string, code int) string {
	if code < 0 || code >= len(reasons) {
		return fmt.Sprintf("destination unreachable (code %d)", code)
	}
	return reasons[code]
}

// advice reports whether the message is no error at all: a redirect says that a better way exists, a source
// quench (RFC 6633: obsolete) asks to slow down; the probe may still be answered.
func (e *ICMPError) advice() bool {
	return !e.From.Is6() && (e.Type == icmpRedirect || e.Type == icmpSourceQuench)
}

// tooBig reports whether the error carries an MTU.
func (e *ICMPError) tooBig() bool {
	return e.is(icmpUnreachable, icmp6PacketTooBig) && (e.From.Is6() || e.Code == codeFragmentationNeeded)
}

// onTheWay reports whether the error is that of a router which the probe's TTL took it to: time exceeded in transit.
func (e *ICMPError) onTheWay() bool { return e.is(icmpTimeExceeded, icmp6TimeExceeded) && e.Code == 0 }

// is reports whether the error has the type for its IP version.
func (e *ICMPError) is(type4, type6 int) bool {
	if e.From.Is6() {
		return e.Type == type6
	}
	return e.Type == type4
}

// A probeError is an error that ended the call for one target; its text names the target.
type probeError struct {
	host string
	err  error
}

var _ net.Error = (*probeError)(nil)

func (e *probeError) Error() string { return "ping " + e.host + ": " + e.err.Error() }
func (e *probeError) Unwrap() error { return e.err }

// Timeout makes an error that wraps ErrTimeout or a context's deadline a net.Error, as net.OpError is.
func (e *probeError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// Temporary completes net.Error.
func (e *probeError) Temporary() bool { return e.Timeout() }
