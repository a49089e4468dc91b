package pingprom

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/icmpsock/ping/monitor"
	dto "github.com/prometheus/client_model/go"
)

// A number is the metric of a counter or a gauge, with all that it points to.
type number struct {
	metric  dto.Metric
	counter dto.Counter
	gauge   dto.Gauge
	value   float64
}

func (n *number) be(kind dto.MetricType, labels []*dto.LabelPair) *number {
	n.metric.Label = labels
	if kind == counter {
		n.metric.Counter, n.counter.Value = &n.counter, &n.value
	} else {
		n.metric.Gauge, n.gauge.Value = &n.gauge, &n.value
	}
	return n
}

// results are what becomes of a probe. Each probe has one, for good: a late answer does not change it.
var results = [...]*dto.LabelPair{
	label("result", "answered"),
	label("result", "timeout"),
	label("result", "refused"),
	label("result", "local_drop"),
	label("result", "not_sent"),
}

// kinds are those of anomalies.
var kinds = [...]*dto.LabelPair{
	label("kind", "late"),
	label("kind", "duplicate"),
	label("kind", "corrupted"),
	label("kind", "stray"),
}

// A row is the metrics of a target, which are kept from one scrape to the next. They point to each other.
type row struct {
	scrape uint64 // the last that told of it
	host   string
	addr   netip.Addr
	values []string // of the labels that are the user's

	up, info, downs, ignored number
	probes                   [len(results)]number
	anomalies                [len(kinds)]number
	rtts                     distribution
}

// newRow returns the metrics of a target, without their values.
func newRow(s *monitor.Status, c *config) *row {
	r := &row{host: s.Target.Host, addr: s.Addr, values: make([]string, len(c.labels))}
	labels := []*dto.LabelPair{label("target", s.Target.Name)}
	for i, name := range c.labels {
		r.values[i] = s.Target.Labels[name]
		labels = append(labels, label(name, r.values[i]))
	}
	with := func(more ...*dto.LabelPair) []*dto.LabelPair { return inOrder(append(more, labels...)) }
	address := ""
	if s.Addr.IsValid() {
		address = s.Addr.String()
	}
	r.info.be(gauge, with(label("address", address), label("host", r.host))).value = 1
	for i := range r.probes {
		r.probes[i].be(counter, with(results[i]))
	}
	for i := range r.anomalies {
		r.anomalies[i].be(counter, with(kinds[i]))
	}
	labels = with()
	r.up.be(gauge, labels)
	r.downs.be(counter, labels)
	r.ignored.be(counter, labels)
	r.rtts.be(c.histogram, labels)
	return r
}

// is reports whether the labels of the row are still those of the target.
func (r *row) is(s *monitor.Status, c *config) bool {
	for i, name := range c.labels {
		if r.values[i] != s.Target.Labels[name] {
			return false
		}
	}
	return r.host == s.Target.Host && r.addr == s.Addr
}

// set sets the values. Counters must only grow: that a probe's answer came late is known after it is lost, so that a
// late one stays among those without an answer.
func (r *row) set(s *monitor.Status) {
	n := &s.Counts
	silent := n.Lost - n.Errors - n.LocalDrops
	for i, count := range [len(results)]uint64{n.Received, silent, n.Errors, n.LocalDrops, n.SendErrors} {
		r.probes[i].value = float64(count)
	}
	for i, count := range [len(kinds)]uint64{n.Late, n.Duplicates, n.Corrupted, n.Stray} {
		r.anomalies[i].value = float64(count)
	}
	r.downs.value = float64(n.Downs)
	r.ignored.value = float64(n.Ignored)
	r.rtts.set(n)
	r.up.value = oneIf(s.State == monitor.Up)
}

// label returns a label, whose value is made valid UTF-8: Prometheus refuses a whole scrape for one that is not.
func label(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// inOrder sorts labels by name, and returns them.
func inOrder(labels []*dto.LabelPair) []*dto.LabelPair {
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return cmp.Compare(*a.Name, *b.Name) })
	return labels
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
