package ping

import (
	"math"
	"slices"
)

const (
	minSlots = 1 << 12
	maxSlots = 1 << 16
	// maxInFlight leaves some slots at rest, so that a free one is found soon, and the late and duplicate
	// answers to the last few thousand probes are known for what they are.
	maxInFlight = maxSlots - minSlots
	// maxUnsent is how many probes may wait to be sent before no more are taken of those that can wait elsewhere.
	maxUnsent = 16 * batchSize
	// bulkInFlight leaves some room to the others.
	bulkInFlight = maxInFlight - maxInFlight/16
)

// A state is where the probe that a slot was last taken for has got to.
type state uint8

const (
	unused   state = iota
	sending        // taken, its time of departure not yet known
	waiting        // sent, and in the heap of deadlines
	answered       // by an echo reply or an ICMP error
	expired        // given up
)

// A slot is what the table knows of the last probe that had it. It has no pointers, so that the garbage collector
// need not look at 65,536 of them.
type slot struct {
	dst      [16]byte // as netip.Addr.As16; a zone does not matter
	cookie   uint64
	tag      int64
	sent     stamp
	departed int64 // the kernel's stamp, wall clock; 0 for none yet
	timeout  int64
	slice    int64  // of the window
	owner    int32  // index into flight.inboxes
	term     uint32 // of the owner: what an earlier inbox with the index asked for is none of its business
	deadline int32  // index into flight.deadlines, while waiting
	prev     int32  // the owner's other probes in flight, -1 at the ends
	next     int32
	lag      uint32 // how long after sent it left, ns: an estimate, for the later messages of a batch
	seq      uint16 // the probe's sequence number
	size     uint16 // of the payload
	state    state
	held     state // what the answer in early or unstamped makes of the probe; unused for none there
}

// A flight is the table of probes in flight over one transport. A probe takes the next sequence number whose
// slot is free, and is found again by that number alone: the slot is the number, modulo the size of the table. All
// 65,536 numbers are used before one comes again, if the slots let them. The table starts small and doubles as
// probes in flight need it, to one slot for each number.
//
// It does no I/O, reads no clock and knows no goroutines: its owner locks it, and tells it the time.
type flight struct {
	slots     []slot
	next      uint16 // the sequence number to try next
	count     int    // of probes sending or waiting
	deadlines deadlines
	early     []arrival // answers that came before the send call returned
	wire      bool      // the transport reports departures
	unstamped []arrival // answers that came before the report of their probe's departure

	inboxes []*inbox
	terms   []uint32
	idle    []int32 // free places in inboxes

	window  window
	cookies func() uint64 // unpredictable numbers
	counts  Counters

	drops     uint64 // by the transport, as last heard
	uncharged uint64 // those of them that no probe has been charged with
	dropsAt   int64  // when that was
}

// register lets the inbox's owner take slots.
func (f *flight) register(in *inbox) {
	in.first = -1
	if n := len(f.idle); n > 0 {
		in.place = f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.inboxes[in.place] = in
		return
	}
	in.place = int32(len(f.inboxes))
	f.inboxes = append(f.inboxes, in)
	f.terms = append(f.terms, 1)
}

// release forgets the inbox, and drops what it still has in flight. Nothing is put into it any more.
func (f *flight) release(in *inbox) {
	for in.first >= 0 {
		seq := uint16(in.first)
		s := f.at(seq)
		f.unlink(in, seq)
		// One that is still being sent keeps its slot until sent or failed is told of it.
		if s.state == waiting {
			f.removeDeadline(int(s.deadline))
			f.abandon(s)
		}
	}
	f.inboxes[in.place] = nil
	f.terms[in.place]++
	f.idle = append(f.idle, in.place)
}

// deserted reports whether no inbox is registered.
func (f *flight) deserted() bool { return len(f.idle) == len(f.inboxes) }

// owner is the inbox that asked for the probe, nil if it is no longer interested.
func (f *flight) owner(s *slot) *inbox {
	if f.terms[s.owner] != s.term {
		return nil
	}
	return f.inboxes[s.owner]
}

// crowded reports whether the table itself has no room for more bulk.
func (f *flight) crowded() bool { return f.count >= bulkInFlight }

// packed reports whether the table itself has no room at all.
func (f *flight) packed() bool { return f.count >= maxInFlight }

// full reports whether there is no room for another probe. Bulk, which takes what room there is as soon as there is some,
// leaves the last of it to the others.
func (f *flight) full(bulk bool) bool {
	if bulk && (f.crowded() || f.count-len(f.deadlines) >= maxUnsent) {
		return true
	}
	return f.packed() || f.window.full(bulk)
}

// take gives the probe a sequence number and a cookie. The table must not be full. The probe has no deadline
// until sent tells when it left.
func (f *flight) take(in *inbox, r *request) {
	if 2*f.count >= len(f.slots) && len(f.slots) < maxSlots {
		f.grow()
	}
	s := f.at(f.next)
	for s.state == sending || s.state == waiting {
		f.next++
		s = f.at(f.next)
	}
	if s.held != unused {
		f.unstamped = slices.DeleteFunc(f.unstamped, func(a arrival) bool { return a.seq == s.seq })
	}
	seq := f.next
	f.next++
	f.count++
	r.seq, r.cookie = seq, f.cookies()
	if r.flow != 0 {
		r.cookie = balance(r.cookie, seq, r.flow)
	}
	*s = slot{
		dst:     r.dst.As16(),
		cookie:  r.cookie,
		tag:     r.tag,
		timeout: int64(r.timeout),
		slice:   f.window.add(f.cost(r.size())),
		owner:   in.place,
		term:    f.terms[in.place],
		prev:    -1,
		next:    in.first,
		seq:     seq,
		size:    uint16(r.size()),
		state:   sending,
	}
	if in.first >= 0 {
		f.at(uint16(in.first)).prev = int32(seq)
	}
	in.first = int32(seq)
}

// grow doubles the table.
func (f *flight) grow() {
	grown := make([]slot, max(2*len(f.slots), minSlots))
	for i := range f.slots {
		if s := &f.slots[i]; s.state != unused {
			grown[int(s.seq)%len(grown)] = *s
		}
	}
	f.slots = grown
}

// at returns the slot of a sequence number, which may be another's.
func (f *flight) at(seq uint16) *slot { return &f.slots[int(seq)&(len(f.slots)-1)] }

// find returns the slot of the last probe with the sequence number, nil if it has been taken for another since.
func (f *flight) find(seq uint16) *slot {
	if len(f.slots) == 0 {
		return nil
	}
	if s := f.at(seq); s.state != unused && s.seq == seq {
		return s
	}
	return nil
}

// cost is what the receive buffer must have room for while a probe with so many bytes of payload is in flight.
func (f *flight) cost(size int) int {
	if f.wire {
		return messageCost(size) + messageCost(0) // and the report of its departure
	}
	return messageCost(size)
}

// land takes a probe out of flight.
func (f *flight) land(s *slot, end state) {
	s.state = end
	f.count--
}

// vacate gives up the room in the receive buffer that was kept for a probe: its answer has come, or will not.
func (f *flight) vacate(s *slot) { f.window.remove(s.slice, f.cost(int(s.size))) }

func (f *flight) unlink(in *inbox, seq uint16) {
	s := f.at(seq)
	if s.prev >= 0 {
		f.at(uint16(s.prev)).next = s.next
	} else {
		in.first = s.next
	}
	if s.next >= 0 {
		f.at(uint16(s.next)).prev = s.prev
	}
}

// sent says when the probe left: not before at, and probably lag later. The wait for its answer begins.
func (f *flight) sent(seq uint16, at stamp, lag int64) {
	s := f.at(seq)
	f.counts.Sent++
	s.sent = at
	s.lag = uint32(min(max(lag, 0), 1<<32-1))
	if f.owner(s) == nil {
		f.abandon(s)
	} else {
		s.state = waiting
		left := at.mono + int64(s.lag)
		f.pushDeadline(deadline{left + min(s.timeout, math.MaxInt64-left), seq})
	}
	if end := s.held; end != unused {
		a := f.takeEarly(seq)
		f.arrive(&a)
		if s.held != unused {
			s.held = end
		} else if end == answered {
			s.state = answered
		}
	}
}

// abandon takes a probe out of flight in which nobody is interested any more.
func (f *flight) abandon(s *slot) {
	f.counts.Abandoned++
	f.land(s, expired)
}

// wanted moves those of the requests, none of which has been sent, to the front that somebody is interested in, and
// returns their number. The others' slots it frees.
func (f *flight) wanted(requests []request) (n int) {
	for _, r := range requests {
		if f.owner(f.at(r.seq)) == nil {
			f.unsend(r.seq)
			continue
		}
		requests[n] = r
		n++
	}
	return n
}

// turnAway tells in of a probe that could not be taken for so long that it is given up.
func (f *flight) turnAway(in *inbox, tag int64) {
	f.counts.SendErrors++
	in.put(outcome{tag: tag, err: ErrNoRoom})
}

// unsend takes a probe out of flight that has not been sent. It may have an answer all the same: a firewall's ICMP
// error, or a forged one where the payload has no room for a cookie.
func (f *flight) unsend(seq uint16) {
	s := f.at(seq)
	f.vacate(s)
	f.land(s, unused)
	if s.held != unused {
		f.takeEarly(seq)
	}
}

// failed says that the probe could not be sent.
func (f *flight) failed(seq uint16, err error) {
	s := f.at(seq)
	f.counts.SendErrors++
	f.unsend(seq)
	if in := f.owner(s); in != nil {
		f.unlink(in, seq)
		in.put(outcome{tag: s.tag, err: err})
	}
}

// finish takes a waiting probe out of flight. Only probes whose owner is interested wait.
func (f *flight) finish(seq uint16, end state) *inbox {
	s := f.at(seq)
	f.land(s, end)
	f.removeDeadline(int(s.deadline))
	in := f.inboxes[s.owner]
	f.unlink(in, seq)
	return in
}

// expire gives up the probes whose deadline has passed at now, on the monotonic clock. One whose answer has come, and
// waits for the report of its departure, need wait no longer.
func (f *flight) expire(now int64) {
	f.settleUnstamped(func(a *arrival) bool {
		s := f.at(a.seq)
		return s.state == waiting && f.deadlines[s.deadline].at <= now
	})
	for len(f.deadlines) > 0 && f.deadlines[0].at <= now {
		seq := f.deadlines[0].seq
		s := f.at(seq)
		in := f.finish(seq, expired)
		f.counts.Lost++
		o := outcome{tag: s.tag, sent: s.sent.wall + int64(s.lag), err: ErrTimeout}
		if f.uncharged > 0 && s.sent.mono <= f.dropsAt {
			f.uncharged--
			o.err = ErrLocalDrop
		}
		in.put(o)
	}
}

// noteDrops says that the transport has dropped so many messages in all. Each may have been the answer to one
// probe that is in flight now, and to none that is sent later.
func (f *flight) noteDrops(drops uint64, now int64) {
	f.window.dropped(drops > f.drops)
	if drops > f.drops {
		f.uncharged += drops - f.drops
		f.drops, f.dropsAt = drops, now
	}
	if sending := f.count - len(f.deadlines); sending > 0 {
		return // what one of them was answered may be among the drops already
	}
	if len(f.deadlines) == 0 || f.at(f.deadlines[0].seq).sent.mono > f.dropsAt {
		f.uncharged = 0
	}
}

// drain ends every probe that waits, with err.
func (f *flight) drain(err error) {
	for len(f.deadlines) > 0 {
		seq := f.deadlines[0].seq
		in := f.finish(seq, expired)
		f.counts.Abandoned++
		in.put(outcome{tag: f.at(seq).tag, err: err})
	}
}
