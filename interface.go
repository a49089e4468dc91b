package ping

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// An InterfaceID says which interface of a host [Pinger.AskInterface] asks for, as that host knows it: by one of Name,
// Index and Addr.
type InterfaceID struct {
	// Name is such as "eth0": 1 to 63 bytes (RFC 5837 section 4.3). Hosts that run Linux take 12 at most.
	Name string
	// Index is the interface's number, 1 to 2,147,483,647: the ifIndex of SNMP (RFC 8343), on Linux that of ip-link(8).
	Index int
	// Addr is an IP address of the interface, of either version, whichever the host is asked over.
	Addr netip.Addr
	// Neighbour asks for no interface of the host, but for its neighbour with the Addr: what the host's ARP table or
	// neighbour cache says of it. Hosts that run Linux do not answer that.
	Neighbour bool
}

// String is such as "interface eth0", "interface number 2", "interface with 192.0.2.1" or "neighbour 192.0.2.9".
func (id InterfaceID) String() string {
	switch {
	case id.Neighbour:
		return "neighbour " + id.Addr.String()
	case id.Name != "":
		return "interface " + id.Name
	case id.Addr.IsValid():
		return "interface with " + id.Addr.String()
	}
	return fmt.Sprintf("interface number %d", id.Index)
}

const (
	maxInterfaceName  = 63
	maxInterfaceIndex = 1<<31 - 1
)

// wire is the same as the inner rooms have it. The error is why it cannot be asked for.
func (id InterfaceID) wire() (w wire.Question, err error) {
	given := 0
	for _, is := range []bool{id.Name != "", id.Index != 0, id.Addr.IsValid()} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return w, fmt.Errorf("InterfaceID has %d of Name, Index and Addr: want one", given)
	case id.Neighbour && !id.Addr.IsValid():
		return w, fmt.Errorf("InterfaceID has Neighbour without Addr: want the neighbour's address")
	case len(id.Name) > maxInterfaceName || strings.Contains(id.Name, "\x00"):
		return w, fmt.Errorf("InterfaceID.Name %q: want 1 to %d bytes, none of them 0", id.Name, maxInterfaceName)
	case id.Index < 0 || id.Index > maxInterfaceIndex:
		return w, fmt.Errorf("InterfaceID.Index %d: want 1 to %d", id.Index, maxInterfaceIndex)
	case id.Addr.Zone() != "":
		return w, fmt.Errorf("InterfaceID.Addr %v: want no zone, which means nothing to another host", id.Addr)
	}
	return wire.Question{
		Name: id.Name, Index: uint32(id.Index), Addr: id.Addr.Unmap(), Neighbour: id.Neighbour,
	}, nil
}

// An InterfaceStatus is what a host tells of one of its interfaces, or of a neighbour.
type InterfaceStatus struct {
	// Active says that the interface is up. False of a neighbour.
	Active bool `json:"active"`
	// IPv4 and IPv6 say that the interface runs that version. A host that keeps to RFC 8335 says so of one that is active
	// only; Linux says of any interface whether it has an address.
	IPv4 bool `json:"ipv4"`
	IPv6 bool `json:"ipv6"`
	// Neighbour is the state of a neighbour, 1 to 7, of which 7 has no name yet; 0 of an interface.
	Neighbour NeighbourState `json:"neighbour,omitempty"`
	// Reply is how the request ended. Its RTT is measured as that of an echo request. It is Truncated where the answer
	// came without the request's whole payload, as it does from a host that sends back the header alone (RFC 8335
	// section 3).
	Reply Reply `json:"reply"`
}

// String is such as "active, IPv4, IPv6", or "reachable" for a neighbour; without an answer it is the error.
func (s InterfaceStatus) String() string {
	switch {
	case s.Reply.Err != nil:
		return s.Reply.Err.Error()
	case s.Neighbour != 0:
		return s.Neighbour.String()
	}
	text := "not active"
	if s.Active {
		text = "active"
	}
	if s.IPv4 {
		text += ", IPv4"
	}
	if s.IPv6 {
		text += ", IPv6"
	}
	return text
}

// A NeighbourState is what a host knows of a neighbour (RFC 8335 section 3; RFC 4861 section 7.3.2).
type NeighbourState uint8

// The states of neighbours.
const (
	NeighbourIncomplete NeighbourState = 1 + iota // its link address is being asked for
	NeighbourReachable                            // it has lately been heard of
	NeighbourStale                                // it has not, and nothing has been sent to it since
	NeighbourDelay                                // something has, and it may still be heard of
	NeighbourProbe                                // it is being asked
	NeighbourFailed                               // it has not answered
)

// String is such as "reachable"; that of a number without a name is such as "state 7".
func (s NeighbourState) String() string {
	if s < NeighbourIncomplete || s > NeighbourFailed {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return [...]string{"incomplete", "reachable", "stale", "delay", "probe", "failed"}[s-1]
}

// MarshalText returns what String does.
func (s NeighbourState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An InterfaceError is the answer of a host that cannot tell what [Pinger.AskInterface] asks for: a code of RFC 8335
// section 3, 1 to 255.
type InterfaceError uint8

// The reasons that have a name.
const (
	// ErrMalformedQuery: the host does not understand the question. Linux answers so to a name of 13 bytes or more.
	ErrMalformedQuery InterfaceError = 1 + iota
	// ErrNoSuchInterface: it has no such interface.
	ErrNoSuchInterface
	// ErrNoSuchEntry: its tables have no such neighbour.
	ErrNoSuchEntry
	// ErrManyInterfaces: more than one interface or neighbour of it is meant.
	ErrManyInterfaces
)

// Error is such as "no such interface".
func (e InterfaceError) Error() string {
	switch e {
	case ErrMalformedQuery:
		return "malformed query"
	case ErrNoSuchInterface:
		return "no such interface"
	case ErrNoSuchEntry:
		return "no such table entry"
	case ErrManyInterfaces:
		return "several interfaces satisfy the query"
	}
	return fmt.Sprintf("extended echo reply with code %d", uint8(e))
}

// AskInterface asks host for the state of one of its interfaces, or of a neighbour of it: it sends one extended echo
// request (PROBE, RFC 8335), and waits for the answer. It need not be an interface with an address, nor one that this
// host has a way to. err is nil exactly when the host tells the state; otherwise it is also the Err of
// [InterfaceStatus.Reply]. It wraps an [InterfaceError] if the host answers that it cannot tell, or else what an error
// of [Pinger.Ping] wraps.
//
// Most hosts are silent, which is [ErrTimeout]: to answer must be allowed there (RFC 8335 section 8). Linux does since
// version 5.13, where net.ipv4.icmp_echo_enable_probe is 1, which is for IPv6 too. This host may send such requests
// over its datagram sockets since the same version: before, each is errors.ErrUnsupported, unless the Pinger has raw
// sockets. Silence may also stand for what a Ping learns by an ICMP error: about such a request Linux sends none over
// IPv4, not even to itself where a neighbour does not answer, and over IPv6 its datagram sockets are told of none.
//
// The sequence numbers of such requests have but 8 bits, so that 256 at most are in flight over a socket; a further one
// waits, as for room (see [WithTimeout]). An answer that brings back the request's payload must have its secret. One
// that does not, where Reply.Truncated is true, is known by sender, identifier and those 8 bits alone, which others can
// guess.
//
// WithTTL, WithTrafficClass and the other options of a Ping hold, but for [WithFlow]. WithSize is of the payload after
// the question.
func (p *Pinger) AskInterface(
	ctx context.Context, host string, id InterfaceID, opts ...ProbeOption,
) (s InterfaceStatus, err error) {
	var says flight.Extended
	pending := 0
	c, err := p.prepareQuestion(ctx, host, id, opts)
	if err == nil {
		s.Reply, says, pending, err = c.one(ctx)
	}
	if err == nil && says.Code != 0 {
		err = InterfaceError(says.Code)
	}
	if err != nil {
		s.Reply.Err = &probeError{host, err, pending}
		return s, s.Reply.Err
	}
	s.Active, s.IPv4, s.IPv6 = says.Status&4 != 0, says.Status&2 != 0, says.Status&1 != 0
	s.Neighbour = NeighbourState(says.Status >> 5)
	return s, nil
}

// prepareQuestion is prepare for AskInterface.
func (p *Pinger) prepareQuestion(ctx context.Context, host string, id InterfaceID, opts []ProbeOption) (*call, error) {
	which, err := id.wire()
	if err != nil {
		return nil, err
	}
	c, err := p.prepare(ctx, onAskInterface, host, opts)
	if err != nil {
		return nil, err
	}
	shape, v6 := *c.shape, c.target.Is6()
	template, extension := wire.NewExtendedTemplate(v6, which, c.config.size)
	most := wire.MaxPayload4 - extension
	if v6 {
		most = wire.MaxPayload6 - extension
	}
	if c.config.size > most {
		c.end()
		return nil, fmt.Errorf("WithSize(%d): a question for %v takes 0 to %d", c.config.size, id, most)
	}
	shape.Template, shape.Extension = template, uint8(extension)
	c.shape = &shape
	return c, nil
}
