package pingprom

import (
	"github.com/icmpsock/ping/monitor"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A Collector exports a Monitor through a [prometheus.Registry]. It is safe for concurrent use.
type Collector struct {
	monitor *monitor.Monitor
	config  config
	descs   []*prometheus.Desc // of families
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a Collector of a Monitor. The error names an option that is wrong.
func NewCollector(m *monitor.Monitor, opts ...Option) (*Collector, error) {
	config, err := configured(m, opts)
	if err != nil {
		return nil, err
	}
	c := &Collector{monitor: m, config: config}
	for _, f := range families {
		labels := f.labels
		if f.target {
			labels = append(append([]string{"target"}, labels...), config.labels...)
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, labels, nil))
	}
	return c, nil
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := newSet(c.monitor, &c.config)
	s.fill()
	for i, f := range s.families {
		for _, m := range f.Metric {
			ch <- described{c.descs[i], m}
		}
	}
}

// A described is a metric for a Registry.
type described struct {
	desc   *prometheus.Desc
	metric *dto.Metric
}

// Desc implements [prometheus.Metric].
func (d described) Desc() *prometheus.Desc { return d.desc }

// Write implements [prometheus.Metric].
func (d described) Write(to *dto.Metric) error {
	m := d.metric
	to.Label, to.Counter, to.Gauge = m.Label, m.Counter, m.Gauge
	to.Summary, to.Histogram = m.Summary, m.Histogram
	return nil
}
