package ping

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/icmpsock/ping/internal/wire"
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

// An ElsewhereError is an [ErrTimeout] of a probe that was answered, with its secret, but from another address than it
// was sent to: by a host that has several, say, or from behind a router that translates addresses. Over IPv4 that is no
// answer (RFC 1122 section 3.2.2.6 has the reply come from the address that was asked). Over IPv6 it is one.
type ElsewhereError struct {
	From netip.Addr // the address that the answer came from
}

// Error is such as "no reply in time: answered from 192.0.2.9".
func (e *ElsewhereError) Error() string {
	return ErrTimeout.Error() + ": answered from " + e.From.String()
}

// Unwrap returns ErrTimeout.
func (e *ElsewhereError) Unwrap() error { return ErrTimeout }

// What came beside the outcome of a probe is told as a [Reply] with one of these for its Err, where [WithAnomalies]
// asks for it. Its Sent and RTT are zero where it came before the call that sends had returned.
var (
	// ErrLate: the probe was answered after its timeout, or after an ICMP error.
	ErrLate = errors.New("late reply")
	// ErrDuplicate: the probe was answered once more (RFC 5560).
	ErrDuplicate = errors.New("duplicate reply")
	// ErrCorrupted: a reply had another payload, length or code than was asked for, and was not just truncated.
	ErrCorrupted = errors.New("corrupted reply")
	// ErrStray: a message had the sequence number of the probe, but came without its secret, or from another address where
	// that makes it none of the probe's (see Reply.From).
	ErrStray = errors.New("stray reply")
)

// ErrNoRoom says that a [Transport] cannot take a message now, but may in a moment. It is the error of a probe that
// found no room to be sent for as long as its timeout, or a minute (see [Pinger.Sweep]). Where it wraps syscall.ENOBUFS
// too, this host's neighbour table is full (gc_thresh3, arp(7)), or the queue of a network device.
var ErrNoRoom = wire.ErrNoRoom

// ErrNotPermitted says that the system lets this process open no ICMP socket. It matches fs.ErrPermission. The
// text of an error that wraps it says what is in the way, in a line that is complete by itself, as for a log; on Linux
// the lines after that are the commands that mend it, one a line.
var ErrNotPermitted error = notPermittedError{}

type notPermittedError struct{}

func (notPermittedError) Error() string        { return "ICMP sockets are not permitted" }
func (notPermittedError) Is(target error) bool { return target == fs.ErrPermission }

// ErrorKind returns one word for the kind of an error that this package returns or yields. Unlike its text the word
// stays as it is, so that metrics, logs and JSON may name it:
//
//	""               nil: an echo reply came
//	"timeout"        ErrTimeout: no answer in time, or an *ElsewhereError
//	"local_drop"     ErrLocalDrop: the same, and this host's socket may have dropped the answer
//	"icmp"           an *ICMPError: a router or the target refused
//	"interface"      an InterfaceError: the host cannot tell what AskInterface asks for
//	"late"           ErrLate
//	"duplicate"      ErrDuplicate
//	"corrupted"      ErrCorrupted
//	"stray"          ErrStray
//	"name"           a *net.DNSError: the name has no address to ping
//	"not_permitted"  ErrNotPermitted: this process may not open ICMP sockets
//	"canceled"       the context ended, by cancellation or its deadline
//	"closed"         net.ErrClosed: the Pinger was closed, or its socket came to its end
//	"not_sent"       any other, that is, why nothing left: no route, a firewall, no room, an option or address refused
func ErrorKind(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrLocalDrop):
		return "local_drop"
	case errors.Is(err, ErrTimeout):
		return "timeout"
	case errors.As(err, new(*ICMPError)):
		return "icmp"
	case errors.As(err, new(InterfaceError)):
		return "interface"
	case errors.Is(err, ErrLate):
		return "late"
	case errors.Is(err, ErrDuplicate):
		return "duplicate"
	case errors.Is(err, ErrCorrupted):
		return "corrupted"
	case errors.Is(err, ErrStray):
		return "stray"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "canceled"
	case errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.As(err, new(*net.DNSError)):
		return "name"
	case errors.Is(err, ErrNotPermitted):
		return "not_permitted"
	}
	return "not_sent"
}

// errNotTaken stands in for the error of a Transport that gives none.
var errNotTaken = errors.New("the transport did not take the message, and gave no error")

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
	// Interfaces are those by which the echo request came to the router or would have left it, where the router tells
	// them (RFC 5837); else nil.
	Interfaces []ICMPInterface `json:"interfaces,omitempty"`
	// Objects are all that the error's extension holds (RFC 4884), in its order, for programs that know more of them:
	// those too of which MPLS and Interfaces are made. Up to 16 are kept, 1,280 bytes in all.
	Objects []ICMPObject `json:"objects,omitempty"`
	// NAT says that a device on the way to From translates addresses or identifiers, as far as that shows in an error
	// that quotes all of the echo request's secret, 16 bytes of ICMP: the request is headed for another address there,
	// Quoted; or it has, over IPv4, another ICMP checksum than it left with, as one of another identifier has; or its TTL
	// ran out in transit, and yet From is the target. False says nothing: a NAT is to put right what is quoted on the way
	// back (RFC 5508 section 4.2). Linux's does, and gives routers behind a translated destination that destination for
	// their address (net/netfilter/nf_nat_proto.c, nf_nat_icmp_reply_translation). The quoted source is not looked at,
	// nor what routers may change in passing, the TTL and the DSCP.
	NAT bool `json:"nat,omitempty"`
	// Quoted is the address that the quoted echo request was headed for, where that is not the one that it was sent to;
	// else invalid. A Transport does not set it, nor NAT: the Pinger finds both in what is quoted.
	Quoted netip.Addr `json:"quoted,omitzero"`
}

// Error is what a person would say, such as "destination host unreachable, from 10.0.1.254".
func (e *ICMPError) Error() string {
	if e.From.IsValid() {
		return e.reasonMTU() + ", from " + e.From.String()
	}
	return e.reasonMTU()
}

// reasonMTU is the reason, with the MTU if there is one.
func (e *ICMPError) reasonMTU() string {
	if e.MTU > 0 {
		return fmt.Sprintf("%s (MTU %d)", e.Reason(), e.MTU)
	}
	return e.Reason()
}

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
		case wire.Unreachable6:
			return unreachableReason(unreachable6[:], e.Code)
		case wire.PacketTooBig6:
			return "packet too big"
		case wire.TimeExceeded6:
			if e.Code == wire.CodeReassembly {
				return reassembly
			}
			return "hop limit exceeded"
		case wire.Parameter6:
			return fmt.Sprintf("parameter problem (code %d)", e.Code)
		}
		return fmt.Sprintf("ICMPv6 error type %d code %d", e.Type, e.Code)
	}
	switch e.Type {
	case wire.Unreachable4:
		return unreachableReason(unreachable4[:], e.Code)
	case wire.TimeExceeded4:
		if e.Code == wire.CodeReassembly {
			return reassembly
		}
		return "time to live exceeded"
	case wire.Parameter4:
		return fmt.Sprintf("parameter problem (code %d)", e.Code)
	case wire.SourceQuench4:
		return "source quench"
	case wire.Redirect4:
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

// A probeError is an error that ended the call for one target; its text names the target.
type probeError struct {
	host    string
	err     error
	pending int // how many probes were in flight then
}

var _ net.Error = (*probeError)(nil)

func (e *probeError) Error() string { return "ping " + e.host + ": " + e.err.Error() }
func (e *probeError) Unwrap() error { return e.err }

// Timeout makes an error that wraps ErrTimeout or a context's deadline a net.Error, as net.OpError is.
func (e *probeError) Timeout() bool { return isTimeout(e.err) }

// Temporary completes net.Error.
func (e *probeError) Temporary() bool { return e.Timeout() }

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
