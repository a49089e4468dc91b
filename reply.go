package ping

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// A Reply is how one probe ended: with an echo reply (Err is nil), or without.
type Reply struct {
	// Seq counts the probes of the call, from 0. It is not the sequence number on the wire, which all calls
	// share.
	Seq int
	// Target is the address that was asked, with the zone as the caller wrote it, also where a router answers. Invalid
	// if there was none to ask, as for a name that has no address.
	Target netip.Addr
	// From is who answered: the target, or the router that sent the ICMP error. Invalid if nobody did. An IPv6 host may
	// answer from another of its addresses, as a router does for the anycast address of a subnet's routers (RFC 4291
	// section 2.6.1, RFC 4443 section 4.2): with the probe's whole secret in it, for which the payload must be 8 bytes or
	// more, that is an answer too, and From is the address that it came from.
	From netip.Addr
	// RTT is the time from sending to the answer, never above the timeout, except that a Trace may wait longer. It is 0
	// when Err is not nil, except for an *ICMPError and an InterfaceError, whose time is measured too, and for ErrLate and
	// ErrDuplicate, whose time may be above the timeout.
	RTT time.Duration
	// TTL is the TTL or hop limit that the answer arrived with; 0 where it is not known.
	TTL int
	// Size is the length of the ICMP message that came back, in bytes: the payload and 8, and the question of
	// AskInterface. 0 without an echo reply.
	Size int
	// Truncated says that the target sent back less of the payload than it was sent, as some do: 8 bytes or more, and
	// what came back is right. It is an answer all the same, as for ping(8). An answer to AskInterface may come without
	// any payload.
	Truncated bool
	// Sent and Received are the instants on the wall clock; Received is zero without an answer, and Sent if
	// the probe could not be sent.
	Sent, Received time.Time
	// Clock says what measured the RTT.
	Clock Clock
	// Err is nil for an echo reply. Otherwise it is ErrTimeout, an *ICMPError, an InterfaceError (of AskInterface), or why
	// the probe could not be sent. ErrorKind tells them apart by a word.
	Err error
}

// String is a line as ping(8) prints it, such as "64 bytes from 192.0.2.1: seq=0 ttl=64 time=0.123 ms" or "From
// 192.0.2.254: seq=1 destination host unreachable". Seq counts from 0. For other errors it is "192.0.2.1: seq=2 no
// reply in time", say, or "192.0.2.1: seq=3 not sent: network is unreachable"; without a Target, that is where no
// probe was made, it is the error alone.
func (r Reply) String() string {
	err := r.Err
	if named, ok := err.(*probeError); ok {
		err = named.err
	}
	kind := ErrorKind(err)
	switch kind {
	case "":
		return r.answer()
	case "interface", "late", "duplicate", "corrupted", "stray":
		return r.answer() + " (" + err.Error() + ")"
	case "icmp":
		var refused *ICMPError
		errors.As(err, &refused)
		return fmt.Sprintf("From %v: seq=%d %s", refused.From, r.Seq, refused.reasonMTU())
	}
	if !r.Target.IsValid() {
		return r.Err.Error()
	}
	text := err.Error()
	if kind == "not_sent" {
		text = "not sent: " + text
	}
	return fmt.Sprintf("%v: seq=%d %s", r.Target, r.Seq, text)
}

// answer is the line for an echo reply. It leaves out what is not known.
func (r Reply) answer() string {
	b := fmt.Appendf(nil, "%d bytes from %v: seq=%d", r.Size, r.From, r.Seq)
	if r.TTL > 0 {
		b = fmt.Appendf(b, " ttl=%d", r.TTL)
	}
	if r.Err == nil || r.RTT > 0 {
		b = fmt.Appendf(b, " time=%.3f ms", milliseconds(r.RTT))
	}
	if r.Truncated {
		b = append(b, " (truncated)"...)
	}
	return string(b)
}

// HopsBack guesses how many hops the answer came, from its TTL: 1 from a neighbour, as [Hop.Distance] has it; 0 where
// TTL is not known. Senders begin with 64, 128 or 255 mostly; it takes the least that fits. Other than the Distance of
// its Hop, it tells that the way back is not the way there.
func (r Reply) HopsBack() int {
	switch {
	case r.TTL <= 0:
		return 0
	case r.TTL <= 64:
		return 65 - r.TTL
	case r.TTL <= 128:
		return 129 - r.TTL
	}
	return 256 - r.TTL
}

// LogValue groups target, seq, from (if that is not the target), rtt, ttl, size and truncated, and for an error kind,
// which is [ErrorKind], and error; those that are not known, or are false, are left out.
func (r Reply) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 9)
	if r.Target.IsValid() {
		attrs = append(attrs, slog.String("target", r.Target.String()))
	}
	attrs = append(attrs, slog.Int("seq", r.Seq))
	if r.From.IsValid() && r.From != r.Target {
		attrs = append(attrs, slog.String("from", r.From.String()))
	}
	if r.Err == nil || r.RTT > 0 {
		attrs = append(attrs, slog.Duration("rtt", r.RTT))
	}
	if r.TTL > 0 {
		attrs = append(attrs, slog.Int("ttl", r.TTL))
	}
	if r.Size > 0 {
		attrs = append(attrs, slog.Int("size", r.Size))
	}
	if r.Truncated {
		attrs = append(attrs, slog.Bool("truncated", true))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("kind", ErrorKind(r.Err)), slog.String("error", r.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns an object with the fields seq, target, from, rtt_ns, ttl, size, truncated, sent, received, clock,
// for an error kind, which is [ErrorKind], and error, and for an [ICMPError] icmp_error; those that are not known, or
// are false, are left out. It is for others to read: there is no way back.
func (r Reply) MarshalJSON() ([]byte, error) {
	v := struct {
		Seq       int           `json:"seq"`
		Target    netip.Addr    `json:"target,omitzero"`
		From      netip.Addr    `json:"from,omitzero"`
		RTT       time.Duration `json:"rtt_ns,omitempty"`
		TTL       int           `json:"ttl,omitempty"`
		Size      int           `json:"size,omitempty"`
		Truncated bool          `json:"truncated,omitempty"`
		Sent      time.Time     `json:"sent,omitzero"`
		Received  time.Time     `json:"received,omitzero"`
		Clock     string        `json:"clock,omitempty"`
		Kind      string        `json:"kind,omitempty"`
		Err       string        `json:"error,omitempty"`
		ICMP      *ICMPError    `json:"icmp_error,omitempty"`
	}{
		Seq: r.Seq, Target: r.Target, From: r.From, RTT: r.RTT, TTL: r.TTL, Size: r.Size, Truncated: r.Truncated,
		Sent: r.Sent, Received: r.Received, Kind: ErrorKind(r.Err),
	}
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
		Seq:       int(r.Tag),
		Target:    target,
		RTT:       time.Duration(r.RTT),
		TTL:       r.TTL,
		Size:      r.Size,
		Truncated: r.Truncated,
		Clock:     Clock(r.Clock),
		Err:       errorOf(r),
	}
	if r.Sent != 0 {
		reply.Sent = time.Unix(0, r.Sent)
	}
	if r.Received != 0 {
		reply.Received = time.Unix(0, r.Received)
		if reply.From = r.From; !reply.From.IsValid() {
			reply.From = target
		}
	}
	if zone := target.Zone(); zone != "" && reply.From.Zone() != "" {
		// The kernel names the link by its number, which is the one that the caller named.
		reply.From = reply.From.WithZone(zone)
		if e, ok := reply.Err.(*ICMPError); ok {
			e.From = reply.From
		}
	}
	return reply
}

// errorOf is the Err of a Reply.
func errorOf(r *flight.Result) error {
	switch r.Kind {
	case flight.Answered:
		return nil
	case flight.TimedOut:
		if r.From.IsValid() {
			return &ElsewhereError{r.From}
		}
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
