package flight

import (
	"net/netip"

	"github.com/icmpsock/ping/internal/wire"
)

// A Kind says what a Result tells of a probe.
type Kind uint8

// The kinds that settle a probe: each gets one of them, and no second one.
const (
	Answered Kind = iota // by an echo reply in time
	Refused              // by an ICMP error in time: Result.ICMP
	TimedOut             // not answered in time
	Dropped              // not answered in time, while the link dropped messages: the answer may have been among them
	Unsent               // could not be sent: Result.Err
	Ended                // was in flight when the link ended: Result.Err
)

// The kinds of anomalies. They settle nothing, and come only for an Inbox that asks for them.
const (
	Late      Kind = Ended + 1 + iota // a reply to a probe that was given up, or ended by an ICMP error
	Duplicate                         // a reply to a probe that was answered already
	Corrupted                         // a reply with another payload, length or code than asked for, not just Truncated
	Stray                             // a message with the probe's sequence number that does not answer it
)

// Settles reports whether a Result of the kind is how a probe ended, as opposed to an anomaly.
func (k Kind) Settles() bool { return k < Late }

// Extended is what an extended echo reply says (RFC 8335 section 3).
type Extended struct {
	Code   uint8
	Status uint8 // the low byte of the sequence number: State, A, 4 and 6
}

// A Result is how a probe ended, or an anomaly about it. It is a plain value.
type Result struct {
	Tag       int64
	Kind      Kind
	Clock     Clock // what measured RTT
	Truncated bool  // less of the payload came back than was sent, and what came is right
	Extended  Extended
	TTL       int   // TTL or hop limit that the message arrived with; 0: unknown
	Size      int   // bytes of the ICMP message, except for an ICMP error
	RTT       int64 // ns, of Answered, Refused, Late and Duplicate; of the last 0 where Sent is not known
	Sent      int64 // on the wall clock; 0: not known
	Received  int64 // on the wall clock; 0: nothing was
	// From is who sent what was received, invalid: the target. Where nothing was received in time (TimedOut, Dropped), it
	// is who knew the cookie, but answered from an address that was not asked; invalid: nobody.
	From netip.Addr
	ICMP *wire.Error // of Refused; else nil
	Err  error       // of Unsent and Ended, why; else nil
}
