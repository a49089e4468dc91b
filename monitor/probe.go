package monitor

import (
	"errors"
	"net"
	"time"

	"github.com/icmpsock/ping"
)

// An outcome is what became of a probe: its code, and what it tells of the address.
type outcome struct {
	code
	evidence
}

// outcomeOf sorts a probe's outcome.
func outcomeOf(r *ping.Reply) outcome {
	switch {
	case r.Err == nil:
		return outcome{codeOf(r.RTT), answered}
	case r.Err == ping.ErrTimeout:
		return outcome{codeLost, ReasonTimeout}
	case errors.Is(r.Err, ping.ErrLocalDrop):
		return outcome{codeDropped, blind}
	case errors.Is(r.Err, ping.ErrTimeout):
		return outcome{codeLost, ReasonTimeout}
	case errors.As(r.Err, new(*ping.ICMPError)):
		return outcome{codeRefused, ReasonRefused}
	case errors.Is(r.Err, ping.ErrNoRoom):
		return outcome{codeNotSent, blind}
	case errors.Is(r.Err, net.ErrClosed) && !r.Sent.IsZero(): // in flight when a socket came to its end
		return outcome{codeNone, blind}
	}
	return outcome{codeNotSent, ReasonNotSent}
}

// instant is the number of the instant of the schedule at a time: from a quarter of the interval before it on.
func (p *path) instant(at int64) int64 {
	return (at - p.origin + int64(p.interval)/4) / int64(p.interval)
}

// leftAt is when a probe that is settled now left, or could not: a step of the wall clock meanwhile puts it off by no
// more than the probe may take.
func (m *Monitor) leftAt(p *path, r *ping.Reply, now time.Time) int64 {
	if r.Sent.IsZero() {
		return m.at(now)
	}
	age := max(now.Sub(r.Sent), r.RTT)
	if age > time.Second {
		age = min(age, max(p.target.spec.Timeout, r.RTT)+time.Second)
	}
	return m.at(now) - int64(age)
}

// onSchedule takes note of what became of a probe on its address's schedule.
func (m *Monitor) onSchedule(id int64, r *ping.Reply) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil {
		return
	}
	at := m.leftAt(p, r, now)
	if r.Err != nil && p.noteAnomaly(r.Err, at) {
		return
	}
	o := outcomeOf(r)
	if !p.ignored || o.evidence == answered {
		m.note(p, o, r, at, now)
	}
	learnt := m.learn(p, o, r, at, now)
	if o.evidence == answered && p.calm() {
		return
	}
	p.round = false
	if o.evidence != answered && o.evidence != blind && p.outage == 0 {
		p.outage = at
	}
	if learnt {
		was := p.machine
		p.scheduled(o.evidence, m.rulesFor(p), m.unsentCounts(p))
		m.follow(p, &was, now)
	}
}

// beside takes note of what became of a probe beside the schedule.
func (m *Monitor) beside(id int64, r *ping.Reply) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.find(id)
	if p == nil {
		return
	}
	m.counters.Confirming++
	at, o := m.leftAt(p, r, now), outcomeOf(r)
	if p.ignored && !p.round {
		p.round = true
		m.note(p, o, r, at, now)
	}
	if m.learn(p, o, r, at, now) {
		was := p.machine
		p.confirmed(o.evidence, m.rulesFor(p), m.unsentCounts(p))
		m.follow(p, &was, now)
	}
}

// noteAnomaly takes note of what came beside the outcome of a probe that left at a time, and reports whether it is
// that.
func (p *path) noteAnomaly(err error, at int64) bool {
	c := &p.target.counts
	switch err {
	default:
		return false
	case ping.ErrLate:
		if p.ring.amend(p.instant(at), codeLost, codeLate) {
			c.Late++
			p.late()
		}
	case ping.ErrDuplicate:
		c.Duplicates++
	case ping.ErrCorrupted:
		c.Corrupted++
	case ping.ErrStray:
		c.Stray++
	}
	return true
}

// note counts an outcome, and keeps it in the window.
func (m *Monitor) note(p *path, o outcome, r *ping.Reply, at int64, now time.Time) {
	t := p.target
	p.ring.put(p.instant(at), o.code)
	t.counts.add(o.code)
	if o.evidence == answered {
		t.counts.addRTT(r.RTT)
		t.lastRTT, t.lastAnswer = r.RTT, m.at(now)
	}
}

// learn takes from the outcome of a probe that left at a time what it tells of this host, and reports whether it tells
// something of the address too.
func (m *Monitor) learn(p *path, o outcome, r *ping.Reply, at int64, now time.Time) bool {
	switch {
	case o.evidence != answered:
		p.troubled, p.err = true, r.Err
	case p.troubled:
		p.troubled, p.err, p.outage = false, nil, 0
	}
	if o.code != codeNotSent {
		p.unsent = 0
		if !r.Sent.IsZero() && m.uplink.left(at) {
			m.tell(Change{Time: now, Kind: Restored})
		}
	} else { // for want of room, too: a link that is down has none
		if p.unsent == 0 {
			p.unsent = at
		}
		if !p.isBarred && m.uplink.notSent(at, &p.run, m.pathLen-m.barred) {
			m.cutOff(r.Err, now)
		}
	}
	return !m.uplink.cut || o.evidence == answered
}

// cutOff takes note that this host can send nothing to anybody: nobody is suspect for that.
func (m *Monitor) cutOff(err error, now time.Time) {
	m.counters.CutOffs++
	for _, p := range m.paths {
		if p != nil {
			p.acquit()
			m.ask(p, now)
		}
	}
	m.tell(Change{Time: now, Kind: CutOff, Reason: ReasonNotSent, Err: err})
}

// rulesFor are what an address's machine goes by.
func (m *Monitor) rulesFor(p *path) rules {
	return rules{
		rise:  int32(p.target.spec.Rise),
		fall:  int32(p.target.spec.Fall),
		apart: m.asked.apart,
		alone: p.asking != askNot && p.asked == askNot,
	}
}

// unsentCounts reports whether it counts if probes to an address could not be sent: those to others have left since.
func (m *Monitor) unsentCounts(p *path) bool { return m.pathLen == 1 || m.uplink.lastLeft > p.unsent }

// follow does what an address's machine, which was another, asks for.
func (m *Monitor) follow(p *path, was *machine, now time.Time) {
	if p.suspect && !was.suspect {
		m.counters.Suspicions++
	}
	if p.ignored && !was.ignored {
		m.counters.Ignored++
		p.target.counts.Ignored++
		m.stale = true
		m.tell(Change{Time: now, Kind: IdentifierIgnored, Target: p.target.spec, Addr: p.addr})
	}
	if barred := p.state == Down && p.reason == ReasonNotSent; barred != p.isBarred {
		p.isBarred = barred
		if barred {
			m.barred++
		} else {
			m.barred--
		}
	}
	m.ask(p, now)
	if p.state != was.state {
		p.since = now
		m.judge(p.target, now)
	}
}
