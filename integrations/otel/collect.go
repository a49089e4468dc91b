package pingotel

import (
	"sync"
	"time"

	"github.com/icmpsock/ping/monitor"
	"go.opentelemetry.io/otel/attribute"
)

// A collector tells how a Monitor is. It is safe for concurrent use.
type collector struct {
	monitor *monitor.Monitor
	config  config

	mu          sync.Mutex
	collections uint64
	last        time.Time // when the last collection was; at first, when the collector was made
	rows        map[string]*row
}

func newCollector(m *monitor.Monitor, opts []Option) (*collector, error) {
	c, err := configured(m, opts)
	if err != nil {
		return nil, err
	}
	return &collector{monitor: m, config: c, last: time.Now(), rows: make(map[string]*row)}, nil
}

// A sink takes what is collected.
type sink interface {
	// value takes a value of the series of that place in all, which counts since start.
	value(place int, start time.Time, attributes attribute.Set, value int64)
	// rtts takes those of a target.
	rtts(start time.Time, attributes attribute.Set, counts *monitor.Counts)
}

// collect tells a sink of all there is.
func (c *collector) collect(begun, now time.Time, to sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collections++
	c.targets(to)
	c.last = now
	for g := range c.monitor.Groups() {
		name := text(groupName, g.Group.Name)
		in := func(state monitor.State, n int) {
			to.value(groupMembers, begun, attribute.NewSet(name, attribute.String(stateName, state.String())), int64(n))
		}
		in(monitor.Up, g.Up)
		in(monitor.Down, g.Down)
		in(monitor.Unknown, len(g.Group.Members)-g.Up-g.Down)
		to.value(groupNeed, begun, attribute.NewSet(name), int64(g.Group.Need))
		if g.State != monitor.Unknown {
			to.value(groupUp, begun, attribute.NewSet(name), oneIf(g.State == monitor.Up))
		}
	}
	_, cut := c.monitor.CutOff()
	to.value(cutOff, begun, attribute.Set{}, oneIf(cut))
	n := c.monitor.Counters()
	for place, value := range map[int]uint64{
		changes:       n.Changes,
		changesMissed: n.Missed,
		confirming:    n.Confirming,
		cutOffs:       n.CutOffs,
		lookups:       n.Lookups,
		lookupErrors:  n.LookupErrors,
		reopened:      n.Reopened,
		suspicions:    n.Suspicions,
	} {
		to.value(place, begun, attribute.Set{}, int64(value))
	}
}

func (c *collector) targets(to sink) {
	var states [monitor.Down + 1]int64
	seen := 0
	for s := range c.monitor.Statuses() {
		r := c.row(&s)
		states[s.State]++
		seen++
		// Counters must only grow: that a probe's answer came late is known after it is lost, so that a late one stays
		// among those without an answer.
		n := &s.Counts
		silent := n.Lost - n.Errors - n.LocalDrops
		to.value(probes, r.start, r.plain, int64(n.Received))
		for i, value := range [len(errorTypes)]uint64{silent, n.Errors, n.LocalDrops, n.SendErrors} {
			to.value(probes, r.start, r.failed[i], int64(value))
		}
		for i, value := range [len(kinds)]uint64{n.Late, n.Duplicates, n.Corrupted, n.Stray} {
			to.value(anomalies, r.start, r.anomalies[i], int64(value))
		}
		to.value(downs, r.start, r.plain, int64(n.Downs))
		to.value(ignored, r.start, r.plain, int64(n.Ignored))
		to.rtts(r.start, r.plain, n)
		if s.State != monitor.Unknown {
			to.value(up, r.start, r.plain, oneIf(s.State == monitor.Up))
		}
	}
	for state, n := range states {
		attributes := attribute.NewSet(attribute.String(stateName, monitor.State(state).String()))
		to.value(targets, time.Time{}, attributes, n)
	}
	if len(c.rows) == seen {
		return
	}
	for name, r := range c.rows {
		if r.collection != c.collections {
			delete(c.rows, name)
		}
	}
}

// row returns what is kept of a target. Where it is new, or has been added again, its counters begin after the last
// collection.
func (c *collector) row(s *monitor.Status) *row {
	r := c.rows[s.Target.Name]
	sent := s.Counts.Sent + s.Counts.SendErrors
	if r == nil || !r.is(s, c.config.labels) {
		r = newRow(s, c.config.labels)
		r.start = c.last
		c.rows[s.Target.Name] = r
	}
	if sent < r.sent {
		r.start = c.last
	}
	r.collection, r.sent = c.collections, sent
	return r
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
