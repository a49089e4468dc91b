package monitor

import (
	"iter"
	"net/netip"
	"runtime"
	"time"
)

// A Status is how a target is, without its window.
type Status struct {
	// Target is as it was added, with its defaults.
	Target Target
	State  State
	// Since is when the State began; for Unknown, also when the target was added.
	Since time.Time
	// Suspect says that a probe was not answered, and is being confirmed. The State is what it was.
	Suspect bool
	// Ignored says that the target answers the second Pinger, and not the first. The probes that count are those of
	// the second then.
	Ignored bool
	// Reason is why the target is down, suspect or unknown; Err the last error, of a probe or a lookup, that says so.
	// Both are empty for a target that is up and as it should be.
	Reason Reason
	Err    error
	// Addr is the address that is watched; of several the first. Invalid: there is none.
	Addr netip.Addr
	// Addrs is each of the addresses, where several may be watched; else nil.
	Addrs []AddrStatus
	// LastRTT is that of the last answer, which came at LastAnswer; zero: there was none.
	LastRTT    time.Duration
	LastAnswer time.Time
	// OutageSince is when the first probe left of those that were not answered since the last answer, of whatever
	// address; zero: the last one was.
	OutageSince time.Time
	// Counts are of all its addresses.
	Counts Counts
}

// An AddrStatus is how one of several addresses is.
type AddrStatus struct {
	Addr   netip.Addr `json:"addr"`
	State  State      `json:"state"`
	Since  time.Time  `json:"since"`
	Reason Reason     `json:"reason,omitempty"`
}

// A Snapshot is how a target is, with what became of its last probes. It does not change any more.
type Snapshot struct {
	Status
	views []view
}

// Loss is that of [Window.Loss] over the last d, or over all that is kept if d is 0 or less.
func (s Snapshot) Loss(d time.Duration) float64 {
	var w Window
	for i := range s.views {
		for _, c := range s.views[i].last(d) {
			w.count(c)
		}
	}
	return w.Loss()
}

// Percentile is that of [Window.Percentile] over the last d, or over all that is kept if d is 0 or less.
func (s Snapshot) Percentile(d time.Duration, q float64) time.Duration {
	return s.Window(d).Percentile(q)
}

// Window sums up the probes of the last d, or all that are kept if d is 0 or less; those of several addresses
// together.
func (s Snapshot) Window(d time.Duration) Window { return newWindow(s.views, d) }

// Sparkline draws the RTTs of the last d, or of all that is kept if d is 0 or less, in so many characters, 4,096 at
// most, or in fewer if there are not so many instants: the mean RTT of each part, from the lowest to the highest of
// them, × where no probe was answered, and a space where there was none. Of several addresses it is the first's.
func (s Snapshot) Sparkline(d time.Duration, width int) string {
	if len(s.views) == 0 {
		return ""
	}
	return s.views[0].sparkline(d, width)
}

// Get returns how the target with a name is now, and whether there is one.
func (m *Monitor) Get(name string) (Snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.targets[name]
	if t == nil {
		return Snapshot{}, false
	}
	return m.snapshot(t), true
}

// All yields how each target is, in order of their names: as it is when its turn comes.
func (m *Monitor) All() iter.Seq[Snapshot] { return each(m, m.snapshot) }

// Statuses is [Monitor.All] without the windows, which are most of what a Snapshot costs.
func (m *Monitor) Statuses() iter.Seq[Status] {
	return each(m, m.status)
}

// atOnce is how many targets are looked at before others have the processor: some 30 us.
const atOnce = 16

// each yields what f makes of each target, with m.mu held only while it does so. That is not enough for who waits for
// m.mu: a goroutine that has been woken for a sync.Mutex finds it locked again by who is running, until it has waited
// for 1 ms, and so would each answer that comes meanwhile.
func each[T any](m *Monitor, f func(*target) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i, n := range m.inOrder() {
			if i%atOnce == 0 {
				runtime.Gosched()
			}
			t := n.target
			m.mu.Lock()
			gone := m.targets[n.name] != t
			var one T
			if !gone {
				one = f(t)
			}
			m.mu.Unlock()
			if !gone && !yield(one) {
				return
			}
		}
	}
}

// status is how the target is. The caller holds mu, as for snapshot.
func (m *Monitor) status(t *target) Status {
	s := Status{
		Target:     t.spec,
		State:      t.state,
		Since:      t.since,
		LastRTT:    t.lastRTT,
		LastAnswer: m.time(t.lastAnswer),
		Counts:     t.counts,
	}
	if len(t.paths) == 0 {
		s.Reason, s.Err = t.unresolved()
		return s
	}
	s.Addr = t.paths[0].addr
	outage, answers := int64(0), false
	for _, p := range t.paths {
		s.Suspect = s.Suspect || p.suspect
		s.Ignored = s.Ignored || p.ignored
		if outage = max(outage, p.outage); p.outage == 0 {
			answers = true
		}
		if p.reason != ReasonNone && (s.Reason == ReasonNone || p.state == Down) {
			s.Reason, s.Err = p.reason, p.err
		}
		if t.spec.Addresses != FirstAddress {
			s.Addrs = append(s.Addrs, AddrStatus{p.addr, p.state, p.since, p.reason})
		}
	}
	if !answers {
		s.OutageSince = m.time(outage)
	}
	if s.Err == nil {
		s.Err = t.lookupErr
	}
	return s
}

// snapshot is status, with the windows.
func (m *Monitor) snapshot(t *target) Snapshot {
	s := Snapshot{Status: m.status(t), views: make([]view, len(t.paths))}
	now := m.at(time.Now())
	for i, p := range t.paths {
		s.views[i] = p.view(now, 0, nil)
	}
	return s
}

// view copies what is kept from an instant on, into room if that is large enough.
func (p *path) view(now, from int64, room []code) view {
	codes := p.ring.appendLast(room[:0], from)
	return view{codes: codes, end: p.ring.end, now: p.instant(now), interval: p.interval}
}
