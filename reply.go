package ping

import (
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// A Reply is how one probe ended: with an echo reply (Err is nil), or without.
type Reply struct {
	// Seq counts the probes of the call, from 0. It is not the sequence number on the wire, which all calls
	// share.
	Seq int
	// From is who answered: the target, or the router that sent the ICMP error. Invalid if nobody did.
	From netip.Addr
	// RTT is the time from sending to the answer, never above the timeout. It is 0 when Err is not nil, except for an
	// *ICMPError, whose time is measured too.
	RTT time.Duration
	// TTL is the TTL or hop limit that the answer arrived with; 0 where it is not known.
	TTL int
	// Size is the length of the ICMP message that came back, in bytes: the payload and 8. 0 without an echo reply.
	Size int
	// Sent and Received are the instants on the wall clock; Received is zero without an answer, and Sent if
	// the probe could not be sent.
	Sent, Received time.Time
	// Clock says what measured the RTT.
	Clock Clock
	// Err is nil for an echo reply. Otherwise it is ErrTimeout, an *ICMPError, or why the probe could
	// not be sent.
	Err error
}

// MarshalJSON returns an object with the fields seq, from, rtt_ns, ttl, size, sent, received, clock, error and, for an
// [ICMPError], icmp_error; those that are not known are left out. It is for others to read: there is no way back.
func (r Reply) MarshalJSON() ([]byte, error) {
	v := struct {
		Seq      int           `json:"seq"`
		From     netip.Addr    `json:"from,omitzero"`
		RTT      time.Duration `json:"rtt_ns,omitempty"`
		TTL      int           `json:"ttl,omitempty"`
		Size     int           `json:"size,omitempty"`
		Sent     time.Time     `json:"sent,omitzero"`
		Received time.Time     `json:"received,omitzero"`
		Clock    string        `json:"clock,omitempty"`
		Err      string        `json:"error,omitempty"`
		ICMP     *ICMPError    `json:"icmp_error,omitempty"`
	}{r.Seq, r.From, r.RTT, r.TTL, r.Size, r.Sent, r.Received, "", "", nil}
	if !r.Received.IsZero() {
		v.Clock = r.Clock.String()
	}
	if r.Err != nil {
		v.Err = r.Err.Error()
		errors.As(r.Err, &v.ICMP)
	}
	return json.Marshal(v)
}

// newReply makes a Reply of what became of a probe to target.
func newReply(r *flight.Result, target netip.Addr) Reply {
	reply := Reply{
		Seq:   int(r.Tag),
		From:  r.From,
		RTT:   time.Duration(r.RTT),
		TTL:   r.TTL,
		Size:  r.Size,
		Clock: Clock(r.Clock),
		Err:   errorOf(r),
	}
	if r.Sent != 0 {
		reply.Sent = time.Unix(0, r.Sent)
	}
	if r.Received != 0 {
		reply.Received = time.Unix(0, r.Received)
		if !reply.From.IsValid() {
			reply.From = target
		}
	}
	return reply
}

// errorOf is the Err of a Reply.
func errorOf(r *flight.Result) error {
	switch r.Kind {
	case flight.Answered:
		return nil
	case flight.Refused:
		return icmpError(r.ICMP)
	case flight.Dropped:
		return ErrLocalDrop
	case flight.Unsent, flight.Ended:
		return r.Err
	case flight.Late:
		return ErrLate
	case flight.Duplicate:
		return ErrDuplicate
	case flight.Corrupted:
		return ErrCorrupted
	case flight.Stray:
		return ErrStray
	}
	return ErrTimeout
}
