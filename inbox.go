package ping

import (
	"net/netip"
	"time"
)

// An outcome is how a probe ended.
type outcome struct {
	tag      int64
	from     netip.Addr // who sent the ICMP error; else invalid: it was the target, or nobody
	rtt      int64
	sent     int64 // wall clock, ns
	received int64 // wall clock, ns; 0 for none
	ttl      int
	size     int
	clock    Clock
	err      error
}

// reply makes a Reply of the outcome of a probe to target.
func (o *outcome) reply(target netip.Addr) Reply {
	r := Reply{
		Seq:   int(o.tag),
		From:  o.from,
		RTT:   time.Duration(o.rtt),
		TTL:   o.ttl,
		Size:  o.size,
		Clock: o.clock,
		Err:   o.err,
	}
	if o.sent != 0 {
		r.Sent = time.Unix(0, o.sent)
	}
	if o.received != 0 {
		r.Received = time.Unix(0, o.received)
		if !r.From.IsValid() {
			r.From = target
		}
	}
	return r
}

// An inbox is where the outcomes of one caller's probes wait for it. It belongs to one flight, and is guarded
// as that is.
type inbox struct {
	wake     chan struct{} // holds a token when there is something new
	outcomes []outcome
	told     int // how many of them have been taken
	oddities oddities
	place    int32 // index in flight.inboxes
	first    int32 // of the probes in flight, -1 for none
}

// oddities counts answers that settled nothing.
type oddities struct{ duplicates, late, corrupted, stray int }

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1), first: -1} }

// reset makes a released inbox as good as new.
func (in *inbox) reset() {
	clear(in.outcomes[:cap(in.outcomes)])
	in.outcomes, in.told = in.outcomes[:0], 0
	in.oddities = oddities{}
	select {
	case <-in.wake:
	default:
	}
}

func (in *inbox) put(o outcome) {
	in.outcomes = append(in.outcomes, o)
	in.signal()
}

// take removes the first outcome, if there is one.
func (in *inbox) take() (o outcome, ok bool) {
	if in.told == len(in.outcomes) {
		return outcome{}, false
	}
	o = in.outcomes[in.told]
	if in.told++; in.told == len(in.outcomes) {
		in.outcomes, in.told = in.outcomes[:0], 0
	}
	return o, true
}

// signal wakes the caller.
func (in *inbox) signal() { signal(in.wake) }
