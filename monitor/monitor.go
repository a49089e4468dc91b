package monitor

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

// A Monitor watches targets: whether they are up or down, and how well they answer. [New] makes one, and Run has it
// work. All its methods are safe for concurrent use, before, while and after it runs.
type Monitor struct {
	pinger *ping.Pinger
	epoch  time.Time // of its clock, which counts nanoseconds
	config
	err     error         // what is wrong with it
	watcher *ping.Watcher // of the targets on their schedules
	checker *ping.Watcher // never runs: it says what is wrong with a target
	shift   chan struct{} // wakes who looks up names

	// mu is held for moments only: no lookup, system call or function of the user's runs under it. It may be held
	// while a Watcher is called.
	mu       sync.Mutex
	targets  map[string]*target
	edits    uint64  // counts the targets that came and went
	ordered  []named // in order of their names; nil: to be made again
	paths    []*path // by the low bits of their ids; nil: free
	free     []int   // which are
	serial   int64   // of the last path that was made
	pathLen  int     // how many paths there are
	barred   int     // how many of them are down because nothing can be sent to them
	queues   map[*queue]struct{}
	counters Counters
	uplink   uplink
	names    lookups
	asked    confirmer
	groups   map[string]*group
	running  bool
	stale    bool // the sockets are to be opened anew
	reopened time.Time
}

// Counters is what a whole Monitor has seen since New.
type Counters struct {
	Since        time.Time `json:"since"`         // when New was called
	Changes      uint64    `json:"changes"`       // that were told
	Missed       uint64    `json:"missed"`        // of those, how often one found no room in a queue
	Suspicions   uint64    `json:"suspicions"`    // how often an address became suspect
	Confirming   uint64    `json:"confirming"`    // probes beside the schedule that are settled
	Ignored      uint64    `json:"ignored"`       // how often a target was found to answer the second Pinger alone
	Reopened     uint64    `json:"reopened"`      // how often the first Pinger's sockets were opened anew for that
	CutOffs      uint64    `json:"cut_offs"`      // how often this host could not send at all
	Lookups      uint64    `json:"lookups"`       // of names
	LookupErrors uint64    `json:"lookup_errors"` // those of them that failed
}

// A target is what a Monitor keeps of one.
type target struct {
	lastRTT    time.Duration
	lastAnswer int64 // when it came; 0: never
	counts     Counts

	spec   Target
	paths  []*path
	state  State
	since  time.Time
	groups []*group
	name   *lookup // nil: Host is an address
	// lookupErr is why the last lookup failed.
	lookupErr error
}

// New returns a Monitor without targets, over a Pinger, which the caller closes after Run has returned. What a Target
// says goes before what the Pinger has for its calls. What is wrong with an option is the error of Add and Run.
func New(p *ping.Pinger, opts ...Option) *Monitor {
	now := time.Now()
	m := &Monitor{
		pinger:   p,
		epoch:    now.Add(-time.Second), // so that no time is 0
		shift:    make(chan struct{}, 1),
		targets:  make(map[string]*target),
		queues:   make(map[*queue]struct{}),
		counters: Counters{Since: now},
		groups:   make(map[string]*group),
	}
	m.config, m.err = newConfig(opts)
	if m.err == nil && p == nil {
		m.err = errors.New("New(nil): want a Pinger")
	}
	if m.resolver == nil {
		m.resolver = p
	}
	if m.err == nil {
		m.watcher, m.err = p.NewWatcher(ping.WithInterval(defaultInterval), ping.WithTimeout(defaultTimeout),
			ping.WithAnomalies(true))
	}
	if m.err == nil {
		m.checker, m.err = p.NewWatcher(ping.WithInterval(defaultInterval))
	}
	if m.err != nil {
		m.err = fmt.Errorf("monitor: %w", m.err)
	}
	return m
}

// Add adds a target, or changes the one with that name. What stays the same goes on as it was: other Labels, Rise,
// Fall or Addresses touch no probe; another Timeout or Size keeps the instants, the state and all counts, and another
// Interval all but the window, which begins anew. Another Host or Network makes it another target.
//
// A name is looked up as soon as the Monitor runs. The error names a field that is wrong.
func (m *Monitor) Add(t Target) error {
	if m.err != nil {
		return m.err
	}
	spec, err := t.checked(m.window)
	if err == nil {
		err = m.add(spec)
	}
	if err != nil {
		return fmt.Errorf("monitor: target %q: %w", spec.Name, err)
	}
	return nil
}

func (m *Monitor) add(spec Target) error {
	if err := m.check(&spec); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	t := m.targets[spec.Name]
	if t != nil && (t.spec.Host != spec.Host || t.spec.Network != spec.Network) {
		m.forget(t)
		t = nil
	}
	if t == nil {
		t = &target{spec: spec, since: now, counts: Counts{Since: now}}
		if addr, ok := spec.literal(); !ok {
			t.name = m.names.add(t, now)
			signal(m.shift)
		} else if err := m.addPath(t, addr, now); err != nil {
			return err
		}
		m.targets[spec.Name] = t
		m.edited()
		m.enlist(t)
		return nil
	}
	old := t.spec
	t.spec = spec
	for _, p := range t.paths {
		if err := m.reshape(p, &old, now); err != nil {
			return err
		}
	}
	if t.name != nil && old.Addresses != spec.Addresses {
		m.names.hasten(t.name, now)
		signal(m.shift)
	}
	m.judge(t, now)
	return nil
}

// check refuses what the Pinger would, with nothing changed. A Watcher's words for a target are a number, which would
// say nothing to the user: they are left out.
func (m *Monitor) check(spec *Target) error {
	addr, ok := spec.literal()
	if !ok {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // in place of one that is to be looked up
		if spec.Network == "ip6" {
			addr = netip.IPv6Loopback()
		}
	}
	return errors.Unwrap(m.checker.Add(0, addr, spec.options(spec.Interval, 0)...))
}

// Remove removes the target with a name, if there is one. The others are not concerned.
func (m *Monitor) Remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.targets[name]; t != nil {
		m.forget(t)
	}
}

// forget removes a target. The caller holds mu, as for all that follows.
func (m *Monitor) forget(t *target) {
	for _, p := range t.paths {
		m.dropPath(p)
	}
	if t.name != nil {
		m.names.remove(t.name)
	}
	delete(m.targets, t.spec.Name)
	m.edited()
	m.delist(t, time.Now())
}

// edited takes note that a target came or went.
func (m *Monitor) edited() {
	m.edits++
	m.ordered = nil
}

// A named is a target, and its name, which is the same for good.
type named struct {
	name   string
	target *target
}

// inOrder returns the targets in order of their names. The caller does not hold mu, and must not write to the list.
func (m *Monitor) inOrder() []named {
	m.mu.Lock()
	list, edits := m.ordered, m.edits
	if list == nil {
		list = make([]named, 0, len(m.targets))
		for name, t := range m.targets {
			list = append(list, named{name, t})
		}
	}
	sorted := m.ordered != nil
	m.mu.Unlock()
	if sorted {
		return list
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.name, b.name) }) // which may take its time
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.edits == edits {
		m.ordered = list
	}
	return list
}

// Counters returns what the Monitor has seen since New.
func (m *Monitor) Counters() Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counters
}

// CutOff returns since when this host can send nothing to anybody, and whether that is so.
func (m *Monitor) CutOff() (since time.Time, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.uplink.cut {
		return time.Time{}, false
	}
	return m.time(m.uplink.first), true
}

// at is a time on the Monitor's clock, and time the opposite. 0 is none.
func (m *Monitor) at(t time.Time) int64 { return int64(t.Sub(m.epoch)) }

func (m *Monitor) time(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return m.epoch.Add(time.Duration(at))
}

// judge makes of the states of a target's addresses that of the target, and tells of it. Of several that differ, why
// is the first's that has that state.
func (m *Monitor) judge(t *target, now time.Time) {
	up, down := 0, 0
	for _, p := range t.paths {
		switch p.state {
		case Up:
			up++
		case Down:
			down++
		}
	}
	need := 1
	if t.spec.Addresses == EachAddress {
		need = len(t.paths)
	}
	state := vote(up, down, len(t.paths), need)
	if len(t.paths) == 0 {
		state = Unknown
	}
	if state == t.state {
		return
	}
	c := Change{Time: now, Kind: StateChanged, Target: t.spec, From: t.state, To: state}
	if len(t.paths) == 0 {
		c.Reason, c.Err = t.unresolved()
	}
	for _, p := range t.paths {
		if p.state == state {
			c.Addr, c.Reason = p.addr, p.reason
			if p.reason != ReasonNone {
				c.Err = p.err
			}
			break
		}
	}
	for _, g := range t.groups {
		g.count(t.state, -1)
		g.count(state, 1)
	}
	t.state, t.since = state, now
	if state == Down {
		t.counts.Downs++
		if t.name != nil {
			m.names.hasten(t.name, now)
			signal(m.shift)
		}
	}
	m.tell(c)
	for _, g := range t.groups {
		m.judgeGroup(g, now)
	}
}

// vote is the state of n of which need must be up.
func vote(up, down, n, need int) State {
	switch {
	case up >= need:
		return Up
	case n-down < need:
		return Down
	}
	return Unknown
}
