package flight

import (
	"net/netip"

	"github.com/icmpsock/ping/internal/wire"
)

// An arrival is what is kept of a message that has the sequence number of a probe.
type arrival struct {
	seq       uint16
	extended  Extended
	wall      int64 // the kernel's stamp, 0 for none
	read      Stamp
	ttl       int
	size      int
	truncated bool       // less of the payload came back than was sent, and what came is right
	from      netip.Addr // who sent it, if that is not the target; else invalid
	icmp      *wire.Error
}

// Accept looks at a packet that was read at the instant told, and settles the probe that it answers. It does not keep
// the packet or its Data; Err it may.
func (t *Table) Accept(p *wire.Packet, read Stamp) {
	if p.Departed {
		t.noteDeparture(p.Key, p.Time.UnixNano())
		return
	}
	e, ok := wire.ParseEcho(p.Data)
	v6 := p.Addr.Is6() && !p.Addr.Is4In6()
	if p.Err != nil {
		if p.Err.Advice() {
			t.counts.Advice++
			return
		}
		ok = ok && e.IsRequest(v6)
	} else {
		ok = ok && e.IsReply(v6)
	}
	s, seq, extended := (*slot)(nil), e.Seq, e.IsExtended()
	if extended {
		seq &^= 0xff
	}
	if ok && p.Addr.IsValid() {
		s = t.find(seq)
	}
	if s == nil || extended != (s.extension > 0) {
		t.counts.Stray++
		return
	}
	a := arrival{seq: seq, read: read, ttl: p.TTL, size: len(p.Data), icmp: p.Err}
	if !p.Time.IsZero() {
		a.wall = p.Time.UnixNano()
	}
	elsewhere := s.dst != p.Addr.As16()
	switch {
	case p.Err != nil:
		a.from = p.Err.From
	case elsewhere:
		a.from = p.Addr
	}
	size, bare := int(s.size), false
	if extended {
		// The payload need not come back (RFC 8335 section 3), but if it does it is looked at.
		bare = p.Err == nil && len(e.Payload) <= int(s.extension)
		size -= int(s.extension)
		e.CutExtension(int(s.extension))
		a.extended = Extended{e.Code, byte(e.Seq)}
	}
	proof := min(size, len(e.Payload)) >= wire.CookieLen // there is room for the whole cookie in what came back
	if p.Err == nil && (proof || bare) && len(e.Payload) < size {
		a.truncated, size = true, len(e.Payload)
	}
	known := e.HasCookie(s.cookie, size)
	switch {
	case p.Err != nil && known && proof && v6 == s.isV6():
		s.noteNAT(p, elsewhere)
		t.arrive(s, &a) // wherever a translated destination says that it went
	case p.Err != nil && (elsewhere || !known && e.OfAnother(size)):
		t.stray(s, &a)
	case p.Err != nil:
		t.arrive(s, &a) // by the destination and the sequence number, all that a router must quote (RFC 792)
	case !known:
		t.stray(s, &a)
	case elsewhere && !(proof && v6 && s.isV6()):
		if proof {
			t.noteElsewhere(&a)
		}
		t.stray(s, &a)
	case !e.Intact(size):
		t.counts.Corrupted++
		t.tell(Corrupted, s, &a)
	default:
		t.arrive(s, &a)
	}
}

// noteNAT notes in an ICMP error, which quotes the whole cookie of the probe, what shows that it was translated.
func (s *slot) noteNAT(p *wire.Packet, elsewhere bool) {
	switch e := p.Err; {
	case elsewhere:
		e.NAT, e.Quoted = true, p.Addr
	case e.InTransit() && e.From.As16() == s.dst:
		e.NAT = true
	case !s.isV6() && s.extension == 0:
		e.NAT = !wire.ChecksumFits(p.Data, int(s.size))
	}
}

// stray counts what does not answer the probe.
func (t *Table) stray(s *slot, a *arrival) {
	t.counts.Stray++
	t.tell(Stray, s, a)
}

// noteElsewhere notes who has answered the probe that was not asked, in case nobody else does.
func (t *Table) noteElsewhere(a *arrival) {
	if t.elsewhere == nil {
		t.elsewhere = make(map[uint16]netip.Addr)
	}
	t.elsewhere[a.seq] = a.from
}

// arrive does with an answer what the state of its probe asks for.
func (t *Table) arrive(s *slot, a *arrival) {
	switch {
	case s.state == sending:
		t.hold(&t.early, s, a)
	case s.state == waiting && t.reports && t.departures[t.index(s.seq)] == 0:
		t.hold(&t.unstamped, s, a)
	case s.state == waiting:
		t.settle(s, a)
	default:
		t.surplus(s, &s.state, a)
	}
}

// settle ends a waiting probe with its answer. What came in time counts, however late it was read.
func (t *Table) settle(s *slot, a *arrival) {
	timeout := t.deadlines.at(s.seq) - s.left().Mono
	t.window.remove(s.slice, t.cost(int(s.size)))
	r := t.conclude(s, answered).add()
	t.measure(s, a, r)
	switch {
	case r.RTT > timeout:
		*r = Result{Tag: s.tag, Kind: TimedOut, Sent: r.Sent, From: t.elsewhere[s.seq]}
		t.counts.Lost++
		s.state = expired
		t.surplus(s, &s.state, a)
	case a.icmp != nil:
		r.Kind, r.ICMP = Refused, a.icmp
		r.Size = 0 // that of the quotation says nothing
		t.counts.Lost++
		t.counts.Errors++
		s.state = expired // a reply may yet come
	default:
		t.counts.Received++
		r.Extended = a.extended
	}
}

// surplus counts an answer to a probe that has got to end without it.
func (t *Table) surplus(s *slot, end *state, a *arrival) {
	switch {
	case a.icmp != nil:
		t.counts.LateErrors++
	case *end == expired:
		*end = answered
		t.counts.Late++
		t.tell(Late, s, a)
	default:
		t.counts.Duplicates++
		t.tell(Duplicate, s, a)
	}
}

// tell tells the probe's inbox of an anomaly.
func (t *Table) tell(kind Kind, s *slot, a *arrival) {
	in := t.owners.of(s.seq)
	if in == nil || !in.note(kind) {
		return
	}
	r := in.add()
	t.measure(s, a, r)
	if kind == Corrupted || kind == Stray {
		r.RTT, r.Clock, r.Truncated = 0, User, false // of what is not the probe's answer
	}
	r.Kind = kind
}

// measure fills in what an answer tells: when the probe was sent and answered, and the RTT, as far as they are known.
func (t *Table) measure(s *slot, a *arrival, r *Result) {
	r.Tag, r.TTL, r.Size, r.Truncated, r.From, r.Received = s.tag, a.ttl, a.size, a.truncated, a.from, a.wall
	if s.state == sending {
		if a.wall == 0 {
			r.Received = a.read.Wall
		}
		return
	}
	departed := int64(0)
	if t.reports {
		departed = t.departures[t.index(s.seq)]
	}
	left := s.left()
	r.RTT, r.Clock = roundTrip(left, a.read, a.wall)
	if rtt, ok := wireRoundTrip(s.sent, a.read, departed, a.wall); ok {
		r.RTT, r.Clock = rtt, Wire
		left.Wall = departed
	} else if r.Clock == User && s.lag > 0 {
		// The estimate was wrong: it left earlier. The start of its batch bounds it.
		left = s.sent
		r.RTT, r.Clock = roundTrip(left, a.read, a.wall)
	}
	r.Sent = left.Wall
	if r.Clock == User {
		r.Received = a.read.Wall
	}
}
