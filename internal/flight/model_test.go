package flight

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/icmpsock/ping/internal/wire"
)

// A model is what the table of probes should do, too slow to be used and too plain to be wrong: a list of all probes
// that there ever were. It is told all that the table is told, and then held against it.
type model struct {
	*testing.T
	table   *Table
	now     Stamp
	steps   int // of the wall clock so far
	probes  []*modelProbe
	holders map[uint16]*modelProbe // the last probe in each slot, by its number, unless it was not sent
	inboxes []*modelInbox
	counts  Counts
	offered uint64 // messages
	dropped uint64 // answers to what was not sent after all, or to what has been forgotten
	slice   uint32 // of the window
	since   int64  // when that began

	flow       uint16 // of all probes
	incurious  bool   // no inbox asks for anomalies
	registered int    // inboxes so far

	drops, uncharged uint64
	dropsAt          int64
}

type modelInbox struct {
	*Inbox
	settling  []Result // that are to have come since they were last collected
	anomalies []Result // likewise, until the inbox is full
	full      bool     // of anomalies
	met       Oddities
}

type modelProbe struct {
	Probe
	owner    *modelInbox // nil when it is no longer interested
	state    state
	launched Stamp // it left lag later
	lag      int64
	steps    int   // of the wall clock when it was launched
	departed int64 // as reported
	slice    uint32
	vacated  bool           // it needs no room any more
	held     []modelArrival // the answer that waits for the end of sending, or for the report of the departure
	heldEnd  state          // what that answer, and those that came after it, make of the probe
	deadline int64
	impostor netip.Addr // who knew the cookie, and was not asked
}

type modelArrival struct {
	wall      int64
	read      Stamp
	ttl       int
	size      int
	truncated bool
	from      netip.Addr // invalid: the target
	icmp      *wire.Error

	steps int
	true  int64 // when it came, on the monotonic clock; 0: the stamp is false
}

// family is 0 for IPv4, and 1 for IPv6.
func family(addr netip.Addr) int {
	if addr.Is6() {
		return 1
	}
	return 0
}

func (m *model) pass(d int64) { m.now = m.now.Add(d) }

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
	if in == nil || m.table.Full(false) {
		return
	}
	p := &modelProbe{owner: in, state: sending, launched: m.now, steps: m.steps, slice: m.slice}
	addr := pick(s, modelAddrs)
	p.Probe = Probe{
		Dst: addr,
		Tag: int64(len(m.probes)),
		Shape: &Shape{
			Template: pick(s, modelTemplates)[family(addr)],
			Timeout:  pick(s, modelTimeouts),
			Flow:     m.flow,
		},
	}
	p.lag = []int64{0, 0, 500, 4e6}[s.next()%4]
	m.table.Take(in.Inbox, &p.Probe)
	for i := 0; i < maxSlots; i += len(m.table.slots) { // those that would lie in the same slot
		seq := p.Seq + uint16(i)
		old := m.holders[seq]
		if old == nil {
			continue
		}
		if old.state == sending || old.state == waiting {
			m.Fatalf("probe %d takes the slot of probe %d, which is in flight", p.Tag, old.Tag)
		}
		m.dropped += uint64(len(old.held))
		old.held = nil
		delete(m.holders, seq)
	}
	m.holders[p.Seq] = p
	m.probes = append(m.probes, p)
}

func (m *model) sent(p *modelProbe) {
	p.lag = min(p.lag, m.now.Mono-p.launched.Mono)
	m.table.Sent(&p.Probe, p.launched, p.lag)
	m.counts.Sent++
	p.state = waiting
	left := p.launched.Mono + p.lag
	p.deadline = left + min(int64(p.Shape.Timeout), math.MaxInt64-left)
	if p.owner == nil {
		p.state = expired
		m.counts.Abandoned++
	}
	if p.state != waiting || !m.table.reports || p.departed != 0 {
		m.arriveHeld(p)
	}
}

func (m *model) failed(p *modelProbe, err error) {
	m.table.Failed(&p.Probe, err)
	m.counts.SendErrors++
	m.unsent(p)
	m.settled(p, Result{Tag: p.Tag, Kind: Unsent, Err: err})
}

func (m *model) forget(p *modelProbe) {
	if forgotten := m.table.Wanted([]Probe{p.Probe}) == 0; forgotten != (p.owner == nil) {
		m.Fatalf("probe %d forgotten: %v", p.Tag, forgotten)
	}
	if p.owner == nil {
		m.unsent(p)
	}
}

func (m *model) unsent(p *modelProbe) {
	m.dropped += uint64(len(p.held))
	p.held = nil
	p.state = vacant
	p.vacated = true
	delete(m.holders, p.Seq)
}

func (m *model) settled(p *modelProbe, r Result) {
	if p.owner != nil {
		p.owner.settling = append(p.owner.settling, r)
	}
}

// drained says that all has been read.
func (m *model) drained() {
	m.table.Drained(m.now.Mono)
	if m.table.window.limit > 0 && m.now.Mono-m.since >= windowSlice {
		m.since = m.now.Mono
		m.slice++
	}
}

// accept offers a message to both.
func (m *model) accept(msg *wire.Packet, truth int64) {
	kept := wire.Packet{Addr: msg.Addr, Data: bytes.Clone(msg.Data), Time: msg.Time, TTL: msg.TTL, Err: msg.Err}
	m.table.Accept(msg, m.now)
	m.offered++
	if e := kept.Err; e != nil && !e.From.Is6() && (e.Type == wire.Redirect4 || e.Type == wire.SourceQuench4) {
		m.counts.Advice++
		return
	}
	p := m.answered(&kept)
	if p == nil {
		m.counts.Stray++
		return
	}
	a := modelArrival{
		read: m.now, ttl: kept.TTL, size: len(kept.Data), icmp: kept.Err, steps: m.steps, true: truth,
	}
	if !kept.Time.IsZero() {
		a.wall = kept.Time.UnixNano()
	}
	switch m.judge(p, &kept, &a) {
	case Stray:
		m.counts.Stray++
		m.anomaly(p, Stray, a)
	case Corrupted:
		m.counts.Corrupted++
		m.anomaly(p, Corrupted, a)
	default:
		m.arrive(p, a)
	}
}

// judge says what a message is to the probe whose number it has: Answered, Corrupted or Stray.
func (m *model) judge(p *modelProbe, msg *wire.Packet, a *modelArrival) Kind {
	sent := wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)[wire.HeaderLen:]
	got := msg.Data[wire.HeaderLen:]
	n := min(wire.CookieLen, len(sent), len(got))
	known, whole := bytes.Equal(got[:n], sent[:n]), n == wire.CookieLen
	asked := msg.Addr == p.Dst
	if msg.Err != nil {
		a.from = msg.Err.From
		n := min(len(sent), len(got))
		faithful := n > wire.CookieLen && bytes.Equal(got[wire.CookieLen:n], sent[wire.CookieLen:n])
		if known && whole && family(msg.Addr) == family(p.Dst) || asked && (known || !faithful) {
			return Answered
		}
		return Stray
	}
	strict := !whole || p.Dst.Is4() || msg.Addr.Is4()
	if !asked {
		a.from = msg.Addr
		if known && whole && strict {
			p.impostor = msg.Addr
		}
	}
	switch {
	case !known, !asked && strict:
		return Stray
	case msg.Data[1] != 0, !bytes.HasPrefix(sent, got), len(got) < len(sent) && !whole:
		return Corrupted
	}
	a.truncated = len(got) < len(sent)
	return Answered
}

// answered is the probe whose number a message has, if it is of the right kind.
func (m *model) answered(msg *wire.Packet) *modelProbe {
	if len(msg.Data) < wire.HeaderLen || !msg.Addr.IsValid() {
		return nil
	}
	types := map[bool][2]byte{false: {0, 8}, true: {129, 128}}[msg.Addr.Is6()]
	want := types[0]
	if msg.Err != nil {
		want = types[1]
	}
	if msg.Data[0] != want {
		return nil
	}
	return m.holders[uint16(msg.Data[6])<<8|uint16(msg.Data[7])]
}

func (m *model) arrive(p *modelProbe, a modelArrival) {
	switch {
	case p.state == sending || p.state == waiting && m.table.reports && p.departed == 0:
		if len(p.held) > 0 {
			m.surplus(p, &p.heldEnd, a)
			return
		}
		p.held = append(p.held, a)
		p.heldEnd = answered
		if a.icmp != nil {
			p.heldEnd = expired
		}
	case p.state == waiting:
		m.settle(p, a)
	default:
		m.surplus(p, &p.state, a)
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
			m.surplus(p, &p.state, a)
		}
		if p.heldEnd == answered {
			p.state = answered
		}
	}
}

// surplus counts what comes when the probe has ended as told.
func (m *model) surplus(p *modelProbe, end *state, a modelArrival) {
	switch {
	case a.icmp != nil:
		m.counts.LateErrors++
	case *end == expired:
		*end = answered
		m.counts.Late++
		m.anomaly(p, Late, a)
	default:
		m.counts.Duplicates++
		m.anomaly(p, Duplicate, a)
	}
}

// anomaly has the probe's owner know of what settles nothing.
func (m *model) anomaly(p *modelProbe, kind Kind, a modelArrival) {
	in := p.owner
	if in == nil {
		return
	}
	*map[Kind]*int{
		Late: &in.met.Late, Duplicate: &in.met.Duplicates, Corrupted: &in.met.Corrupted, Stray: &in.met.Stray,
	}[kind]++
	if !in.Anomalies || in.full {
		return
	}
	r := m.measure(p, a)
	if kind == Corrupted || kind == Stray {
		r.RTT, r.Clock, r.Truncated = 0, User, false
	}
	r.Kind = kind
	in.anomalies = append(in.anomalies, r)
}

// measure is what a reply tells, whatever it is to the probe.
func (m *model) measure(p *modelProbe, a modelArrival) Result {
	r := Result{Tag: p.Tag, TTL: a.ttl, Size: a.size, Truncated: a.truncated, From: a.from, Received: a.wall}
	if p.state == sending { // when it left is still to be told
		if a.wall == 0 {
			r.Received = a.read.Wall
		}
		return r
	}
	left := p.launched.Add(p.lag)
	start := left
	r.RTT, r.Clock = roundTrip(left, a.read, a.wall)
	if rtt, ok := wireRoundTrip(p.launched, a.read, p.departed, a.wall); ok {
		r.RTT, r.Clock = rtt, Wire
		start.Wall = p.departed
	} else if r.Clock == User && p.lag > 0 {
		start = p.launched
		r.RTT, r.Clock = roundTrip(start, a.read, a.wall)
	}
	if a.true >= left.Mono && a.steps == p.steps && (p.departed == 0 || p.departed == left.Wall) {
		if r.RTT != a.true-left.Mono || r.Clock == User {
			m.Errorf("probe %d: RTT %d by clock %d, in truth %d", p.Tag, r.RTT, r.Clock, a.true-left.Mono)
		}
	}
	r.Sent = start.Wall
	if r.Clock == User {
		r.Received = a.read.Wall
	}
	return r
}

func (m *model) settle(p *modelProbe, a modelArrival) {
	r := m.measure(p, a)
	p.vacated = true
	if r.RTT > int64(p.Shape.Timeout) {
		m.counts.Lost++
		p.state = expired
		m.settled(p, Result{Tag: p.Tag, Kind: TimedOut, Sent: r.Sent, From: p.impostor})
		m.surplus(p, &p.state, a)
		return
	}
	if r.RTT < 0 {
		m.Errorf("probe %d: RTT %d", p.Tag, r.RTT)
	}
	if a.icmp != nil {
		m.counts.Lost++
		m.counts.Errors++
		p.state = expired
		r.Kind, r.ICMP, r.Size = Refused, a.icmp, 0
	} else {
		m.counts.Received++
		p.state = answered
	}
	m.settled(p, r)
}

func (m *model) expire() {
	for _, p := range m.probes {
		if p.state != waiting || p.deadline > m.now.Mono {
			continue
		}
		if len(p.held) > 0 {
			m.arriveHeld(p)
			continue
		}
		p.state = expired
		m.counts.Lost++
		m.settled(p, Result{Tag: p.Tag, Kind: TimedOut, Sent: p.launched.Wall + p.lag, From: p.impostor})
	}
}

func (m *model) noteDrops() {
	fresh := m.drops - m.table.drops
	m.table.NoteDrops(m.drops, m.now.Mono)
	if fresh > 0 {
		m.uncharged += fresh
		m.dropsAt = m.now.Mono
	}
	older := 0 // that may have been the ones whose answers were dropped
	for _, p := range m.probes {
		if p.state == sending || p.state == waiting && p.launched.Mono <= m.dropsAt {
			older++
		}
	}
	if got := m.table.uncharged; got != 0 && (got != m.uncharged || older == 0) {
		m.Errorf("%d drops to be charged, want %d; %d probes", got, m.uncharged, older)
	}
	m.uncharged = m.table.uncharged
}

func (m *model) drain() {
	for _, p := range m.probes {
		if p.state == waiting {
			p.state = expired
			m.counts.Abandoned++
			m.settled(p, Result{Tag: p.Tag, Kind: Ended, Err: errDrained})
		}
	}
}

func (m *model) release(i int) {
	in := m.inboxes[i]
	sent := m.table.Release(in.Inbox)
	for _, p := range m.probes {
		if p.owner != in {
			continue
		}
		if p.state == waiting {
			sent--
			p.state = expired
			m.counts.Abandoned++
		}
		p.owner = nil
	}
	if sent != 0 {
		m.Errorf("%d more in flight for an inbox than there were", sent)
	}
	m.inboxes = slices.Delete(m.inboxes, i, i+1)
}

// end lets everything come to its end, and sees that nothing is left.
func (m *model) end() {
	for _, p := range m.sending() {
		m.sent(p)
	}
	m.pass(1e9)
	m.table.Expire(m.now.Mono)
	m.expire()
	m.check()
	m.table.Drain(errDrained)
	m.drain()
	m.table.SettleUnstamped()
	for _, p := range m.probes {
		m.arriveHeld(p)
	}
	m.check()
	for len(m.inboxes) > 0 {
		m.release(0)
	}
	m.check()
	f := m.table
	if f.inFlight != 0 || f.deadlines.len()+len(f.early)+len(f.unstamped) != 0 || !f.Deserted() {
		m.Errorf("left over: %d in flight, %d deadlines, %d early, %d unstamped",
			f.inFlight, f.deadlines.len(), len(f.early), len(f.unstamped))
	}
}
