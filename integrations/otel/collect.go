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
	rows        map[string]*row
}

func newCollector(m *monitor.Monitor, opts []Option) (*collector, error) {
	c, err := configured(m, opts)
	if err != nil {
		return nil, err
	}
	return &collector{monitor: m, config: c, rows: make(map[string]*row)}, nil
}

// A sink takes what is collected.
type sink interface {
	// value takes a value of the series of that place in all. If that is a counter, it counts since start.
	value(place int, start time.Time, attributes attribute.Set, value int64)
	// rtts takes those of a target.
	rtts(attributes attribute.Set, counts *monitor.Counts)
}

// collect tells a sink of all there is.
func (c *collector) collect(to sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collections++
	c.targets(to)
	now := func(place int, value int64, attributes ...attribute.KeyValue) {
		to.value(place, time.Time{}, attribute.NewSet(attributes...), value)
	}
	for g := range c.monitor.Groups() {
		name := attribute.String(groupName, g.Group.Name)
		now(groupMembers, int64(g.Up), name, attribute.String(stateName, monitor.Up.String()))
		now(groupMembers, int64(g.Down), name, attribute.String(stateName, monitor.Down.String()))
		now(groupMembers, int64(len(g.Group.Members)-g.Up-g.Down), name,
			attribute.String(stateName, monitor.Unknown.String()))
		now(groupNeed, int64(g.Group.Need), name)
		if g.State != monitor.Unknown {
			now(groupUp, oneIf(g.State == monitor.Up), name)
		}
	}
	_, cut := c.monitor.CutOff()
	now(cutOff, oneIf(cut))
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
		to.value(place, n.Since, attribute.Set{}, int64(value))
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
		to.value(probes, n.Since, r.plain, int64(n.Received))
		for i, value := range [len(errorTypes)]uint64{silent, n.Errors, n.LocalDrops, n.SendErrors} {
			to.value(probes, n.Since, r.failed[i], int64(value))
		}
		for i, value := range [len(kinds)]uint64{n.Late, n.Duplicates, n.Corrupted, n.Stray} {
			to.value(anomalies, n.Since, r.anomalies[i], int64(value))
		}
		to.value(downs, n.Since, r.plain, int64(n.Downs))
		to.value(ignored, n.Since, r.plain, int64(n.Ignored))
		to.rtts(r.plain, n)
		if s.State != monitor.Unknown {
			to.value(up, n.Since, r.plain, oneIf(s.State == monitor.Up))
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

// row returns what is kept of a target, made anew where its attributes are others now.
func (c *collector) row(s *monitor.Status) *row {
	r := c.rows[s.Target.Name]
	if r == nil || !r.is(s, c.config.labels) {
		r = newRow(s, c.config.labels)
		c.rows[s.Target.Name] = r
	}
	r.collection = c.collections
	return r
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
