package flight

import (
	"math"
	"net/netip"

	"github.com/icmpsock/ping/internal/wire"
)

// A Table is the probes in flight over one link. A probe takes the next sequence number whose slot is free, and is
// found again by that number alone: the slot is the number, modulo the size of the table. All 65,536 numbers are used
// before one comes again, if the slots let them. The table starts small and doubles as probes in flight need it, to
// one slot for each number.
//
// One goroutine at a time may use it; its owner sees to that.
type Table struct {
	slots     []slot
	next      uint16 // the sequence number to try next
	extended  uint8  // the high byte of the one to try next for an extended echo request
	inFlight  int    // how many probes are sending or waiting
	owners    owners
	deadlines deadlines // of those that are waiting
	early     []arrival // answers that came before the send call returned

	reports    bool      // the link reports departures
	departures []int64   // when it says the probe of each slot left, wall clock, 0: has not yet; nil without reports
	unstamped  []arrival // answers that came before the report of their probe's departure

	// elsewhere is who has last answered the probe with a number from an address that was not asked, and had its whole
	// cookie, but does not settle it. It stays until the number is taken again; nil: nobody has.
	elsewhere map[uint16]netip.Addr

	window  window
	cookies func() uint64
	counts  Counts

	drops     uint64 // by the link, as last heard
	uncharged uint64 // those of them that no probe has been charged with
	dropsAt   int64  // when that was
}

// New returns a table for a link with a receive buffer of which it may count on limit bytes; 0: there is no such
// limit. The link reports departures, or does not. The numbers that cookies returns must not be predictable.
func New(limit int, departures bool, cookies func() uint64) *Table {
	return &Table{
		reports: departures,
		window:  window{limit: limit, most: limit},
		cookies: cookies,
	}
}

// Register lets the inbox's caller take probes.
func (t *Table) Register(in *Inbox) { t.owners.register(in) }

// Release forgets an inbox, and takes the probes that it has in flight out of it; it returns how many of them had left.
// Nothing is put into the inbox any more.
func (t *Table) Release(in *Inbox) (sent int) {
	for in.pending > 0 {
		seq := in.newest
		t.owners.unlink(in, seq)
		// One that is still being sent keeps its slot until Sent, Failed or Wanted is told of it.
		if s := t.at(seq); s.state == waiting {
			t.deadlines.remove(seq)
			t.abandon(s)
			sent++
		}
	}
	t.owners.release(in)
	return sent
}

// Deserted reports whether no inbox is registered.
func (t *Table) Deserted() bool { return len(t.owners.free) == len(t.owners.seats) }

// Inboxes yields the inboxes that are registered.
func (t *Table) Inboxes(yield func(*Inbox) bool) {
	for _, s := range t.owners.seats {
		if s.inbox != nil && !yield(s.inbox) {
			return
		}
	}
}

// InFlight is how many probes have been taken and not settled yet.
func (t *Table) InFlight() int { return t.inFlight }

// Idle reports whether nothing is in flight.
func (t *Table) Idle() bool { return t.inFlight == 0 }

// Crowded reports whether the table itself has no room for more bulk.
func (t *Table) Crowded() bool { return t.inFlight >= bulkInFlight }

// Packed reports whether the table itself has no room at all.
func (t *Table) Packed() bool { return t.inFlight >= maxInFlight }

// Full reports whether there is no room for another probe, in the table or in the receive buffer. Bulk, which takes
// what room there is as soon as there is some, leaves the last of it to the others.
func (t *Table) Full(bulk bool) bool {
	if bulk && (t.Crowded() || t.unsent() >= maxUnsent) {
		return true
	}
	return t.Packed() || t.window.full(bulk)
}

// unsent is how many probes are sending.
func (t *Table) unsent() int { return t.inFlight - t.deadlines.len() }

// HasNumber reports whether a sequence number is free for a probe of a shape, if the table is not full. There are but
// 256 for extended echo requests, those whose low byte is 0: their answers tell the high byte alone.
func (t *Table) HasNumber(shape *Shape) bool { return shape.Extension == 0 || t.seekExtended() }

// seekExtended makes t.extended the next of those numbers that is free, which the table may have to grow for.
func (t *Table) seekExtended() bool {
	for {
		for range 256 {
			if len(t.slots) > 0 && !t.at(uint16(t.extended)<<8).inFlight() {
				return true
			}
			t.extended++
		}
		if len(t.slots) == maxSlots {
			return false
		}
		t.grow()
	}
}

// Take gives a probe for in a sequence number and a cookie, and a slot until it is settled. The table must not be
// full, HasNumber true of its shape, and in be registered. The probe has no deadline until Sent tells when it left.
func (t *Table) Take(in *Inbox, p *Probe) {
	if 2*t.inFlight >= len(t.slots) && len(t.slots) < maxSlots {
		t.grow()
	}
	seq := t.next
	if p.Shape.Extension == 0 {
		for t.at(seq).inFlight() {
			seq++
		}
		t.next = seq + 1
	} else {
		t.seekExtended()
		seq = uint16(t.extended) << 8
		t.extended++
	}
	s, cookie, size := t.at(seq), t.cookies(), p.Shape.Size()
	if s.held != vacant {
		t.dropUnstamped(s.seq)
	}
	t.inFlight++
	if p.Shape.Flow != 0 {
		cookie = wire.Balance(cookie, seq, p.Shape.Flow)
	}
	p.Seq, p.Cookie = seq, cookie
	*s = slot{
		dst:    p.Dst.As16(),
		cookie: cookie,
		tag:    p.Tag,
		slice:  t.window.add(t.cost(size)),
		seq:    seq,
		size:   uint16(size),
		state:  sending,

		extension: p.Shape.Extension,
	}
	if t.reports {
		t.departures[t.index(seq)] = 0
	}
	delete(t.elsewhere, seq)
	t.owners.link(in, seq)
}

// Sent says when a probe left: not before at, and probably lag nanoseconds later. The wait for its answer begins.
func (t *Table) Sent(p *Probe, at Stamp, lag int64) {
	s := t.at(p.Seq)
	t.counts.Sent++
	timeout := int64(p.Shape.Timeout)
	if s.sent.Mono > 0 { // shortened meanwhile
		timeout = min(timeout, s.sent.Mono)
	}
	s.sent = at
	s.lag = uint32(min(max(lag, 0), math.MaxUint32))
	if t.owners.of(p.Seq) == nil {
		t.abandon(s)
	} else {
		s.state = waiting
		left := s.left().Mono
		t.deadlines.push(deadline{left + min(timeout, math.MaxInt64-left), p.Seq})
	}
	if s.held != vacant {
		t.arriveEarly(s)
	}
}

// Failed says that a probe could not be sent.
func (t *Table) Failed(p *Probe, err error) {
	t.counts.SendErrors++
	t.vacate(p.Seq)
	if in := t.owners.of(p.Seq); in != nil {
		t.owners.unlink(in, p.Seq)
		*in.add() = Result{Tag: p.Tag, Kind: Unsent, Err: err}
	}
}

// Wanted moves those of the probes, none of which has been sent, to the front whose inbox is still registered, and
// returns their number. The others' slots it frees.
func (t *Table) Wanted(probes []Probe) (n int) {
	for i := range probes {
		if t.owners.of(probes[i].Seq) == nil {
			t.vacate(probes[i].Seq)
			continue
		}
		probes[n] = probes[i]
		n++
	}
	return n
}

// TurnAway tells in of a probe that could not be taken for so long that it is given up.
func (t *Table) TurnAway(in *Inbox, tag int64) {
	t.counts.SendErrors++
	*in.add() = Result{Tag: tag, Kind: Unsent, Err: wire.ErrNoRoom}
}

// vacate frees the slot of a probe that has not been sent. It may have an answer all the same: a firewall's ICMP
// error, or a forged one where the payload has no room for a cookie.
func (t *Table) vacate(seq uint16) {
	s := t.at(seq)
	t.window.remove(s.slice, t.cost(int(s.size)))
	if s.held != vacant {
		t.removeEarly(s)
	}
	s.state = vacant
	t.inFlight--
}

// abandon takes a probe out of flight that has left, and whose inbox has been released. Its answer may still come,
// and keeps its room in the receive buffer.
func (t *Table) abandon(s *slot) {
	t.counts.Abandoned++
	s.state = expired
	t.inFlight--
}

// conclude takes a waiting probe out of flight, and returns its inbox. It has one: without, it would not wait.
func (t *Table) conclude(s *slot, end state) *Inbox {
	s.state = end
	t.inFlight--
	t.deadlines.remove(s.seq)
	in := t.owners.of(s.seq)
	t.owners.unlink(in, s.seq)
	return in
}

// cost is what the receive buffer must have room for while a probe with so many bytes after the header is in flight.
func (t *Table) cost(size int) int {
	if t.reports {
		return MessageCost(size) + MessageCost(0) // and the report of its departure
	}
	return MessageCost(size)
}
