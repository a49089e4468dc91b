package flight

// owners knows the inbox of each probe, and the probes of each inbox that are in flight. Those form a ring, so that
// they can be taken out of flight when the inbox is released.
type owners struct {
	seats  []seat
	free   []uint32 // the seats that no inbox has
	claims []claim  // by sequence number modulo their number, as Table.slots
}

// A seat is a registered inbox.
type seat struct {
	inbox      *Inbox // nil: free
	generation uint32 // keeps a reused seat from matching the probes of the inbox that had it before
}

// A claim is an inbox's to a probe: it stays, when the probe is settled, for what comes late.
type claim struct {
	seat       uint32
	generation uint32
	// The neighbours in the ring, while the probe is in flight and its inbox registered.
	older, newer uint16
}

func (o *owners) register(in *Inbox) {
	if n := len(o.free); n > 0 {
		in.seat = o.free[n-1]
		o.free = o.free[:n-1]
	} else {
		in.seat = uint32(len(o.seats))
		o.seats = append(o.seats, seat{generation: 1}) // that of no zero claim
	}
	o.seats[in.seat].inbox = in
}

func (o *owners) release(in *Inbox) {
	s := &o.seats[in.seat]
	s.inbox = nil
	s.generation++
	o.free = append(o.free, in.seat)
}

func (o *owners) claim(seq uint16) *claim { return &o.claims[int(seq)&(len(o.claims)-1)] }

// of is the inbox of a probe, nil if it has been released.
func (o *owners) of(seq uint16) *Inbox {
	c := o.claim(seq)
	if s := &o.seats[c.seat]; s.generation == c.generation {
		return s.inbox
	}
	return nil
}

// link makes a probe the newest of an inbox's.
func (o *owners) link(in *Inbox, seq uint16) {
	c := claim{seat: in.seat, generation: o.seats[in.seat].generation, older: seq, newer: seq}
	if in.pending > 0 {
		newest := o.claim(in.newest)
		c.older, c.newer = in.newest, newest.newer
		o.claim(newest.newer).older = seq
		newest.newer = seq
	}
	*o.claim(seq) = c
	in.newest = seq
	in.pending++
}

// unlink takes a probe out of its inbox's ring.
func (o *owners) unlink(in *Inbox, seq uint16) {
	c := o.claim(seq)
	o.claim(c.older).newer = c.newer
	o.claim(c.newer).older = c.older
	if in.newest == seq {
		in.newest = c.older
	}
	in.pending--
}
