package flight

import (
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// A Shape is what the probes of a call have in common. Any number of probes share it; it is not written to while one
// of them is in use.
type Shape struct {
	Template     []byte        // the echo request, as wire.NewTemplate or wire.NewExtendedTemplate makes it
	Extension    uint8         // the bytes of it between header and payload; above 0 it is an extended echo request
	Timeout      time.Duration // how long after it left a probe is given up
	Patience     time.Duration // for how long it may wait for room to leave; 0: as long as Timeout
	TTL          int           // TTL or hop limit, 1 to 255; 0: the system's default
	TrafficClass int           // 0 to 255
	DontFragment bool
	Flow         uint16 // what wire.Balance makes of the cookie; 0: nothing
	FlowLabel    int    // 0 to 0xfffff; 0: the system's choice
	Bulk         bool   // may share a system call, at the price of an RTT that is not so exact
}

// Size is the length of what follows the header in bytes: the payload, after the extension if there is one.
func (s *Shape) Size() int { return len(s.Template) - wire.HeaderLen }

// A Probe is one echo request. It belongs to one goroutine at a time.
type Probe struct {
	Dst   netip.Addr // where it goes; a zone is of no importance to the table
	Tag   int64      // the caller's own name for it, given back in the Result
	Shape *Shape

	// Table.Take fills in the following two.
	Seq    uint16 // of an extended echo request the high byte alone: the low one is 0
	Cookie uint64 // the secret at the start of the payload

	// GiveUp is the sender's: when a probe that the link has refused is refused no more but given up, on the
	// monotonic clock; 0: it has not been refused.
	GiveUp int64
}

// Key is the number under which a link is asked to report the departure of a probe that has been taken; never 0.
func (p *Probe) Key() uint32 { return departureKey(p.Seq, p.Cookie) }
