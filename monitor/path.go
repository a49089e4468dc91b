package monitor

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// pathBits are those of a path's id that say where it is; the others tell it from those that were there before.
const pathBits = 24

// A path is an address of a target, with a schedule and a state of its own. What each answer touches comes first, and
// takes two lines of a processor's cache: with 10,000 targets those are most of what an answer costs.
type path struct {
	target   *target
	id       int64
	origin   int64 // of the instants' numbers
	interval time.Duration
	ring     ring
	machine
	asked    asking // what the confirmer does for it
	round    bool   // a probe of this round, beside the schedule, has been counted
	isBarred bool
	troubled bool  // one of the next three is set
	outage   int64 // when the first probe left since the last answer
	unsent   int64 // the first probe that could not be sent, since the last that could
	err      error // of the last probe, if that was not answered

	addr  netip.Addr
	since time.Time
	phase time.Duration
	level int64  // the instant since when the RTT is on its present level
	run   uint64 // the uplink's
}

// addPath has an address of a target watched.
func (m *Monitor) addPath(t *target, addr netip.Addr, now time.Time) error {
	if len(m.free) == 0 {
		if len(m.paths) == 1<<pathBits {
			return fmt.Errorf("a Monitor takes %d addresses", 1<<pathBits)
		}
		m.free = append(m.free, len(m.paths))
		m.paths = append(m.paths, nil)
	}
	place := m.free[len(m.free)-1]
	m.serial++
	p := &path{target: t, id: m.serial<<pathBits | int64(place), addr: addr, since: now}
	if err := m.schedule(p, now); err != nil {
		return err
	}
	m.paths[place], m.free = p, m.free[:len(m.free)-1]
	m.pathLen++
	t.paths = append(t.paths, p)
	return nil
}

// schedule has the Watcher probe an address as its target says, with a window of its own.
func (m *Monitor) schedule(p *path, now time.Time) error {
	spec := &p.target.spec
	several := p.addr
	if spec.Addresses == FirstAddress {
		several = netip.Addr{} // the instants stay when the address changes
	}
	p.interval, p.phase = spec.Interval, phase(m.seed, spec.Name, several, spec.Interval)
	p.origin = m.at(now) - (now.UnixNano()-int64(p.phase))%int64(p.interval)
	p.ring = ring{size: max(int(m.window/p.interval)+2, minRing)}
	p.level = 0
	return m.watch(p)
}

// minRing is how many probes a window has room for at least.
const minRing = 128

// watch has the Watcher probe an address, which check has found no fault with.
func (m *Monitor) watch(p *path) error {
	return errors.Unwrap(m.watcher.Add(p.id, p.addr, p.target.spec.options(p.interval, p.phase)...))
}

// reshape has an address probed as its target, which was another, says now.
func (m *Monitor) reshape(p *path, old *Target, now time.Time) error {
	spec := &p.target.spec
	if spec.sameProbes(old) {
		return nil
	}
	p.acquit()
	m.askAnew(p, now)
	if spec.Interval != old.Interval {
		return m.schedule(p, now)
	}
	return m.watch(p)
}

// dropPath has an address watched no more.
func (m *Monitor) dropPath(p *path) {
	m.watcher.Remove(p.id)
	p.asking = askNot
	m.ask(p, time.Now())
	place := int(p.id & (1<<pathBits - 1))
	m.paths[place], m.free = nil, append(m.free, place)
	m.pathLen--
	m.uplink.gone(p.run)
	if p.isBarred {
		m.barred--
	}
}

// find returns the address that a Watcher knows by an id, nil if it is watched no more. The caller holds mu, as for
// all that follows but onSchedule and beside.
func (m *Monitor) find(id int64) *path {
	if p := m.paths[id&(1<<pathBits-1)]; p != nil && p.id == id {
		return p
	}
	return nil
}
