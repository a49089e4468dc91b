package ping

import (
	"fmt"
	"net/netip"

	"github.com/icmpsock/ping/internal/wire"
)

// An MPLSLabel is one entry of an MPLS label stack (RFC 3032 section 2.1).
type MPLSLabel struct {
	Label        int `json:"label"`         // 0 to 1,048,575
	TrafficClass int `json:"traffic_class"` // 0 to 7 (RFC 5462)
	TTL          int `json:"ttl"`           // 0 to 255
}

// An ICMPInterface is what a router tells of one of its interfaces in an ICMP error (RFC 5837). A router that answers
// from one address always, or from a link that has none, is told apart by it.
type ICMPInterface struct {
	Role  InterfaceRole `json:"role"`
	Index int           `json:"index,omitempty"`  // as SNMP's ifIndex (RFC 2863), 1 or more; 0: not told
	Addr  netip.Addr    `json:"address,omitzero"` // of either IP version; invalid: not told
	Name  string        `json:"name,omitempty"`   // the router's own, up to 63 bytes of UTF-8: quote it to show it
	MTU   int           `json:"mtu,omitempty"`    // in bytes; 0: not told
}

// An InterfaceRole says what an [ICMPInterface] is to the echo request.
type InterfaceRole int

// The roles (RFC 5837 section 4.1).
const (
	InterfaceIncoming    InterfaceRole = iota // it came by it
	InterfaceSubIncoming                      // a part of that below IP, such as one link of several
	InterfaceOutgoing                         // it would have left by it
	InterfaceNextHop                          // the next router, with its Addr
)

// String returns "incoming", "sub-IP incoming", "outgoing" or "next hop".
func (r InterfaceRole) String() string {
	if names := [...]string{"incoming", "sub-IP incoming", "outgoing", "next hop"}; r >= 0 && int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("InterfaceRole(%d)", int(r))
}

// MarshalText returns the role's name.
func (r InterfaceRole) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// An ICMPObject is one object of an ICMP error's extension (RFC 4884 section 8), as it came. What classes there are,
// https://www.iana.org/assignments/icmp-parameters lists.
type ICMPObject struct {
	Class int    `json:"class"` // 0 to 255
	Type  int    `json:"type"`  // 0 to 255, of the class
	Data  []byte `json:"data"`  // in JSON, base64
}

// wire is the error as the inner rooms have it.
func (e *ICMPError) wire() *wire.Error {
	if e == nil {
		return nil
	}
	w := &wire.Error{Type: e.Type, Code: e.Code, From: e.From, MTU: e.MTU}
	for _, l := range e.MPLS {
		w.MPLS = append(w.MPLS, wire.Label(l))
	}
	for _, i := range e.Interfaces {
		w.Interfaces = append(w.Interfaces, wire.Interface{
			Role: int(i.Role), Index: i.Index, Addr: i.Addr, Name: i.Name, MTU: i.MTU,
		})
	}
	for _, o := range e.Objects {
		w.Objects = append(w.Objects, wire.Object(o))
	}
	return w
}

// icmpError is a wire.Error as callers see it.
func icmpError(w *wire.Error) *ICMPError {
	e := &ICMPError{Type: w.Type, Code: w.Code, From: w.From, MTU: w.MTU, NAT: w.NAT, Quoted: w.Quoted}
	for _, l := range w.MPLS {
		e.MPLS = append(e.MPLS, MPLSLabel(l))
	}
	for _, i := range w.Interfaces {
		e.Interfaces = append(e.Interfaces, ICMPInterface{
			Role: InterfaceRole(i.Role), Index: i.Index, Addr: i.Addr, Name: i.Name, MTU: i.MTU,
		})
	}
	for _, o := range w.Objects {
		e.Objects = append(e.Objects, ICMPObject(o))
	}
	return e
}
