package pingprom

import (
	"github.com/icmpsock/ping/monitor"
	dto "github.com/prometheus/client_model/go"
)

// A set is what one scrape is told, and what of it is kept for the next. It is for one scrape at a time.
type set struct {
	monitor  *monitor.Monitor
	config   *config
	scrape   uint64
	rows     map[string]*row // by the target's name
	families []*dto.MetricFamily
	told     []*dto.MetricFamily // those that have metrics
}

func newSet(m *monitor.Monitor, c *config) *set {
	s := &set{monitor: m, config: c, rows: make(map[string]*row)}
	for i := range families {
		f := &families[i]
		s.families = append(s.families, &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: c.kindOf(f).Enum()})
	}
	return s
}

// fill has the set tell how things are now.
func (s *set) fill() {
	s.scrape++
	for _, f := range s.families {
		clear(f.Metric) // of targets that have been removed since, nothing is kept
		f.Metric = f.Metric[:0]
	}
	s.fillTargets()
	s.fillGroups()
	s.fillMonitor()
	s.told = s.told[:0]
	for _, f := range s.families {
		if len(f.Metric) > 0 {
			s.told = append(s.told, f)
		}
	}
}

func (s *set) add(family int, m *dto.Metric) {
	s.families[family].Metric = append(s.families[family].Metric, m)
}

// addValue adds a metric that is made anew.
func (s *set) addValue(family int, value float64, labels ...*dto.LabelPair) {
	n := new(number).be(families[family].kind, labels)
	n.value = value
	s.add(family, &n.metric)
}

func (s *set) fillTargets() {
	var states [monitor.Down + 1]int
	seen := 0
	for status := range s.monitor.Statuses() {
		r := s.rows[status.Target.Name]
		if r == nil || !r.is(&status, s.config) {
			r = newRow(&status, s.config)
			s.rows[status.Target.Name] = r
		}
		r.scrape = s.scrape
		r.set(&status)
		seen++
		states[status.State]++
		for i := range r.anomalies {
			s.add(anomalies, &r.anomalies[i].metric)
		}
		for i := range r.probes {
			s.add(probes, &r.probes[i].metric)
		}
		s.add(ignored, &r.ignored.metric)
		s.add(rtts, &r.rtts.metric)
		s.add(downs, &r.downs.metric)
		s.add(info, &r.info.metric)
		if status.State != monitor.Unknown {
			s.add(up, &r.up.metric)
		}
	}
	for state, n := range states {
		s.addValue(targets, float64(n), label("state", monitor.State(state).String()))
	}
	if len(s.rows) == seen {
		return
	}
	for name, r := range s.rows {
		if r.scrape != s.scrape {
			delete(s.rows, name)
		}
	}
}

func (s *set) fillGroups() {
	for g := range s.monitor.Groups() {
		name := label("group", g.Group.Name)
		s.addValue(groupMembers, float64(g.Down), name, label("state", monitor.Down.String()))
		s.addValue(groupMembers, float64(len(g.Group.Members)-g.Up-g.Down), name, label("state", monitor.Unknown.String()))
		s.addValue(groupMembers, float64(g.Up), name, label("state", monitor.Up.String()))
		s.addValue(groupNeed, float64(g.Group.Need), name)
		if g.State != monitor.Unknown {
			s.addValue(groupUp, oneIf(g.State == monitor.Up), name)
		}
	}
}

func (s *set) fillMonitor() {
	c := s.monitor.Counters()
	for family, n := range map[int]uint64{
		changes:       c.Changes,
		changesMissed: c.Missed,
		confirming:    c.Confirming,
		cutOffs:       c.CutOffs,
		lookupErrors:  c.LookupErrors,
		lookups:       c.Lookups,
		reopened:      c.Reopened,
		suspicions:    c.Suspicions,
	} {
		s.addValue(family, float64(n))
	}
	_, cut := s.monitor.CutOff()
	s.addValue(cutOff, oneIf(cut))
}
