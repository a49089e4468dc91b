package ping

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"testing"
)

// A model is what the table of probes should do, too slow to be used and too plain to be wrong: a list of all probes
// that there ever were. It is told all that the table is told, and then held against it.
type model struct {
	*testing.T
	flight  *flight
	now     stamp
	steps   int // of the wall clock so far
	probes  []*modelProbe
	holders map[uint16]*modelProbe // the last probe in each slot, by its number, unless it was not sent
	inboxes []*modelInbox
	counts  Counters
	offered uint64 // messages
	dropped uint64 // answers to what was not sent after all, or to what has been forgotten
	slice   int64  // of the window
	since   int64  // when that began

	drops, uncharged uint64
	dropsAt          int64
}

type modelInbox struct {
	*inbox
	want     []outcome
	oddities oddities
}

type modelProbe struct {
	request
	owner    *modelInbox // nil when it is no longer interested
	state    state
	launched stamp // it left lag later
	lag      int64
	steps    int   // of the wall clock when it was launched
	departed int64 // as reported
	slice    int64
	vacated  bool           // it needs no room any more
	held     []modelArrival // the answer that waits for the end of sending, or for the report of the departure
	heldEnd  state          // what that answer, and those that came after it, make of the probe
	deadline int64
}

type modelArrival struct {
	wall int64
	read stamp
	ttl  int
	size int
	err  *ICMPError

	steps int
	true  int64 // when it came, on the monotonic clock; 0: the stamp is false
}

func (m *model) pass(d int64) { m.now = m.now.add(d) }

func (m *model) sending() (list []*modelProbe) {
	for _, p := range m.probes {
		if p.state == sending {
			list = append(list, p)
		}
	}
	return list
}

func (m *model) take(s *script) {
	in := pick(s, m.inboxes)
	if in == nil || m.flight.full(false) {
		return
	}
	p := &modelProbe{owner: in, state: sending, launched: m.now, steps: m.steps, slice: m.slice}
	addr := pick(s, modelAddrs)
	p.request = request{
		dst:      addr,
		template: pick(s, modelTemplates)[family(addr.Is6())],
		timeout:  pick(s, modelTimeouts),
		tag:      int64(len(m.probes)),
	}
	p.lag = []int64{0, 0, 500, 4e6}[s.next()%4]
	m.flight.take(in.inbox, &p.request)
	for i := 0; i < maxSlots; i += len(m.flight.slots) { // those that would lie in the same slot
		seq := p.seq + uint16(i)
		old := m.holders[seq]
		if old == nil {
			continue
		}
		if old.state == sending || old.state == waiting {
			m.Fatalf("probe %d takes the slot of probe %d, which is in flight", p.tag, old.tag)
		}
		m.dropped += uint64(len(old.held))
		old.held = nil
		delete(m.holders, seq)
	}
	m.holders[p.seq] = p
	m.probes = append(m.probes, p)
}

func (m *model) sent(p *modelProbe) {
	p.lag = min(p.lag, m.now.mono-p.launched.mono)
	m.flight.sent(p.seq, p.launched, p.lag)
	m.counts.Sent++
	p.state = waiting
	left := p.launched.mono + p.lag
	p.deadline = left + min(int64(p.timeout), math.MaxInt64-left)
	if p.owner == nil {
		p.state = expired
		m.counts.Abandoned++
	}
	if p.state != waiting || !m.flight.wire || p.departed != 0 {
		m.arriveHeld(p)
	}
}

func (m *model) failed(p *modelProbe, err error) {
	m.flight.failed(p.seq, err)
	m.counts.SendErrors++
	m.unsent(p)
	m.settled(p, outcome{tag: p.tag, err: err})
}

func (m *model) forget(p *modelProbe) {
	if forgotten := m.flight.wanted([]request{p.request}) == 0; forgotten != (p.owner == nil) {
		m.Fatalf("probe %d forgotten: %v", p.tag, forgotten)
	}
	if p.owner == nil {
		m.unsent(p)
	}
}

func (m *model) unsent(p *modelProbe) {
	m.dropped += uint64(len(p.held))
	p.held = nil
	p.state = unused
	p.vacated = true
	delete(m.holders, p.seq)
}

func (m *model) settled(p *modelProbe, o outcome) {
	if p.owner != nil {
		p.owner.want = append(p.owner.want, o)
	}
}

// drained says that all has been read.
func (m *model) drained() {
	m.flight.window.drained(m.now.mono)
	if m.flight.window.limit > 0 && m.now.mono-m.since >= windowSlice {
		m.since = m.now.mono
		m.slice++
	}
}

// accept offers a message to both.
func (m *model) accept(msg *Message, truth int64) {
	kept := Message{Addr: msg.Addr, Data: bytes.Clone(msg.Data), Time: msg.Time, TTL: msg.TTL, Err: msg.Err}
	m.flight.accept(msg, m.now)
	m.offered++
	if kept.Err != nil && !kept.Err.From.Is6() && (kept.Err.Type == icmpRedirect || kept.Err.Type == icmpSourceQuench) {
		m.counts.Advice++
		return
	}
	p, intact := m.answered(&kept)
	if p == nil {
		m.counts.Stray++
		return
	}
	in := p.owner
	if in == nil {
		in = new(modelInbox)
	}
	sent := appendEcho(nil, p.template, p.seq, p.cookie)
	n := min(cookieLen, p.size(), len(kept.Data)-headerLen)
	switch {
	case kept.Addr.Unmap() != p.dst || !bytes.Equal(kept.Data[headerLen:headerLen+n], sent[headerLen:headerLen+n]):
		m.counts.Stray++
		in.oddities.stray++
	case !intact && kept.Err == nil:
		m.counts.Corrupted++
		in.oddities.corrupted++
	default:
		a := modelArrival{read: m.now, ttl: kept.TTL, size: len(kept.Data), err: kept.Err, steps: m.steps, true: truth}
		if !kept.Time.IsZero() {
			a.wall = kept.Time.UnixNano()
		}
		m.arrive(p, a)
	}
}

// answered is the probe whose number a message has, if it is of the right kind, and whether it is just as it should be.
func (m *model) answered(msg *Message) (p *modelProbe, intact bool) {
	if len(msg.Data) < headerLen || !msg.Addr.IsValid() {
		return nil, false
	}
	types := map[bool][2]byte{false: {0, 8}, true: {129, 128}}[msg.Addr.Is6()]
	want := types[0]
	if msg.Err != nil {
		want = types[1]
	}
	if msg.Data[0] != want {
		return nil, false
	}
	if p = m.holders[uint16(msg.Data[6])<<8|uint16(msg.Data[7])]; p == nil {
		return nil, false
	}
	sent := appendEcho(nil, p.template, p.seq, p.cookie)
	return p, msg.Data[1] == 0 && bytes.Equal(msg.Data[headerLen:], sent[headerLen:])
}

func (m *model) arrive(p *modelProbe, a modelArrival) {
	switch {
	case p.state == sending || p.state == waiting && m.flight.wire && p.departed == 0:
		if len(p.held) > 0 {
			m.surplus(p, &p.heldEnd, a.err != nil)
			return
		}
		p.held = append(p.held, a)
		p.heldEnd = answered
		if a.err != nil {
			p.heldEnd = expired
		}
	case p.state == waiting:
		m.settle(p, a)
	default:
		m.surplus(p, &p.state, a.err != nil)
	}
}

// arriveHeld has the answer arrive that was held back.
func (m *model) arriveHeld(p *modelProbe) {
	held := p.held
	p.held = nil
	for _, a := range held {
		if p.state == waiting {
			m.settle(p, a)
		} else {
			m.surplus(p, &p.state, a.err != nil)
		}
		if p.heldEnd == answered {
			p.state = answered
		}
	}
}

// surplus counts what comes when the probe has ended as told.
func (m *model) surplus(p *modelProbe, end *state, refused bool) {
	in := p.owner
	if in == nil {
		in = new(modelInbox)
	}
	switch {
	case refused:
		m.counts.LateErrors++
	case *end == expired:
		*end = answered
		m.counts.Late++
		in.oddities.late++
	default:
		m.counts.Duplicates++
		in.oddities.duplicates++
	}
}

func (m *model) settle(p *modelProbe, a modelArrival) {
	left := p.launched.add(p.lag)
	start := left
	rtt, clock := roundTrip(left, a.read, a.wall)
	if wire, ok := wireRoundTrip(p.launched, a.read, p.departed, a.wall); ok {
		rtt, clock = wire, ClockWire
		start.wall = p.departed
	} else if clock == ClockUser && p.lag > 0 {
		start = p.launched
		rtt, clock = roundTrip(start, a.read, a.wall)
	}
	if a.true >= left.mono && a.steps == p.steps && (p.departed == 0 || p.departed == left.wall) {
		if rtt != a.true-left.mono || clock == ClockUser {
			m.Errorf("probe %d: RTT %d by the %v clock, in truth %d", p.tag, rtt, clock, a.true-left.mono)
		}
	}
	p.vacated = true
	o := outcome{tag: p.tag, sent: start.wall, err: ErrTimeout}
	switch {
	case rtt > int64(p.timeout):
		m.counts.Lost++
		p.state = expired
		m.surplus(p, &p.state, a.err != nil)
	case a.err != nil:
		m.counts.Lost++
		m.counts.Errors++
		p.state = expired
		o.from, o.err = a.err.From, a.err
	default:
		m.counts.Received++
		p.state = answered
		o.err, o.size = nil, a.size
	}
	if o.err != ErrTimeout {
		o.rtt, o.clock, o.ttl, o.received = rtt, clock, a.ttl, a.wall
		if clock == ClockUser {
			o.received = a.read.wall
		}
		if rtt < 0 || rtt > int64(p.timeout) {
			m.Errorf("probe %d: RTT %d, timeout %v", p.tag, rtt, p.timeout)
		}
	}
	m.settled(p, o)
}

func (m *model) expire() {
	for _, p := range m.probes {
		if p.state != waiting || p.deadline > m.now.mono {
			continue
		}
		if len(p.held) > 0 {
			m.arriveHeld(p)
			continue
		}
		p.state = expired
		m.counts.Lost++
		m.settled(p, outcome{tag: p.tag, sent: p.launched.wall + p.lag, err: ErrTimeout})
	}
}

func (m *model) noteDrops() {
	fresh := m.drops - m.flight.drops
	m.flight.noteDrops(m.drops, m.now.mono)
	if fresh > 0 {
		m.uncharged += fresh
		m.dropsAt = m.now.mono
	}
	older := 0 // that may have been the ones whose answers were dropped
	for _, p := range m.probes {
		if p.state == sending || p.state == waiting && p.launched.mono <= m.dropsAt {
			older++
		}
	}
	if got := m.flight.uncharged; got != 0 && (got != m.uncharged || older == 0) {
		m.Errorf("%d drops to be charged, want %d; %d probes", got, m.uncharged, older)
	}
	m.uncharged = m.flight.uncharged
}

func (m *model) drain() {
	for _, p := range m.probes {
		if p.state == waiting {
			p.state = expired
			m.counts.Abandoned++
			m.settled(p, outcome{tag: p.tag, err: errDrained})
		}
	}
}

func (m *model) release(i int) {
	in := m.inboxes[i]
	m.flight.release(in.inbox)
	for _, p := range m.probes {
		if p.owner != in {
			continue
		}
		if p.state == waiting {
			p.state = expired
			m.counts.Abandoned++
		}
		p.owner = nil
	}
	m.inboxes = slices.Delete(m.inboxes, i, i+1)
}

// end lets everything come to its end, and sees that nothing is left.
func (m *model) end() {
	for _, p := range m.sending() {
		m.sent(p)
	}
	m.pass(1e9)
	m.flight.expire(m.now.mono)
	m.expire()
	m.check()
	m.flight.drain(errDrained)
	m.drain()
	m.flight.settleUnstamped(func(*arrival) bool { return true })
	for _, p := range m.probes {
		m.arriveHeld(p)
	}
	m.check()
	for len(m.inboxes) > 0 {
		m.release(0)
	}
	m.check()
	f := m.flight
	if f.count != 0 || len(f.deadlines)+len(f.early)+len(f.unstamped) != 0 || !f.deserted() {
		m.Errorf("left over: %d in flight, %d deadlines, %d early, %d unstamped", f.count, len(f.deadlines), len(f.early), len(f.unstamped))
	}
}

// check holds the table against the model.
func (m *model) check() {
	f := m.flight
	var flying, wait, early, unstamped, total int
	var slices [windowSlices]int
	for _, p := range m.probes {
		if p.state == sending {
			early += len(p.held)
		} else {
			unstamped += len(p.held)
		}
		if !p.vacated && m.slice-p.slice < windowSlices {
			cost := messageCost(p.size())
			if f.wire {
				cost += messageCost(0)
			}
			total += cost
			slices[p.slice%windowSlices] += cost
		}
		if p.state != sending && p.state != waiting {
			continue
		}
		flying++
		s := f.at(p.seq)
		if s.state != p.state || s.cookie != p.cookie || s.tag != p.tag {
			m.Fatalf("probe %d is %d, the table has %+v", p.tag, p.state, s)
		}
		if p.state == waiting {
			wait++
			if d := f.deadlines[s.deadline]; d.seq != p.seq || d.at != p.deadline {
				m.Errorf("probe %d: deadline %+v, want number %d at %d", p.tag, d, p.seq, p.deadline)
			}
		}
	}
	if f.count != flying || len(f.deadlines) != wait || len(f.early) != early || len(f.unstamped) != unstamped {
		m.Errorf("%d in flight, %d deadlines, %d early, %d unstamped; want %d, %d, %d, %d", f.count, len(f.deadlines),
			len(f.early), len(f.unstamped), flying, wait, early, unstamped)
	}
	for i := range f.deadlines {
		if i > 0 && f.deadlines[i].at < f.deadlines[(i-1)/2].at {
			m.Errorf("deadline %d is before that above it", i)
		}
	}
	if f.window.now != m.slice || f.window.total != total || f.window.slices != slices {
		m.Errorf("window %+v, want %d in all, %v, at %d", f.window, total, slices, m.slice)
	}
	c := m.counts
	if f.counts != c {
		m.Errorf("counted %+v, want %+v", f.counts, c)
	}
	if c.Sent != c.Received+c.Lost+c.Abandoned+uint64(wait) {
		m.Errorf("sent is not the sum of the rest: %+v, %d in flight", c, wait)
	}
	if all := c.Received + c.Errors + c.Late + c.Duplicates + c.LateErrors + c.Corrupted + c.Stray + c.Advice + m.dropped; all+uint64(early+unstamped) != m.offered {
		m.Errorf("%d messages offered, %d accounted for, %d held back: %+v", m.offered, all, early+unstamped, c)
	}
	for _, in := range m.inboxes {
		m.checkInbox(in)
	}
}

// checkInbox sees that each probe of an inbox has told how it ended, once, and that it still knows the others.
func (m *model) checkInbox(in *modelInbox) {
	f := m.flight
	charged := uint64(0)
	for i := range in.outcomes {
		if o := &in.outcomes[i]; o.err == ErrLocalDrop {
			if m.probes[o.tag].launched.mono > m.dropsAt {
				m.Errorf("probe %d, sent after the last drop, is charged with it", o.tag)
			}
			charged++
			o.err = ErrTimeout
		}
	}
	if charged > m.uncharged || m.uncharged-charged < f.uncharged {
		m.Errorf("%d probes charged with %d drops, %d left", charged, m.uncharged, f.uncharged)
	}
	m.uncharged -= charged
	byTag := func(a, b outcome) int { return cmp.Compare(a.tag, b.tag) }
	slices.SortFunc(in.outcomes, byTag)
	slices.SortFunc(in.want, byTag)
	if !slices.Equal(in.outcomes, in.want) {
		m.Errorf("outcomes %+v, want %+v", in.outcomes, in.want)
	}
	in.outcomes, in.want = in.outcomes[:0], in.want[:0]
	if in.inbox.oddities != in.oddities {
		m.Errorf("oddities %+v, want %+v", in.inbox.oddities, in.oddities)
	}
	listed := map[uint16]bool{}
	last := int32(-1)
	for seq := in.first; seq >= 0; seq = f.at(uint16(seq)).next {
		if listed[uint16(seq)] || f.at(uint16(seq)).prev != last {
			m.Fatalf("the list of an inbox is broken at number %d", seq)
		}
		listed[uint16(seq)] = true
		last = seq
	}
	for _, p := range m.probes {
		if p.owner == in && (p.state == sending || p.state == waiting) {
			if !listed[p.seq] {
				m.Errorf("probe %d is not in its inbox's list", p.tag)
			}
			delete(listed, p.seq)
		}
	}
	if len(listed) > 0 {
		m.Errorf("numbers %v are in the list of an inbox to which they do not belong", listed)
	}
}
