package pingprom

import (
	"sync"

	"github.com/icmpsock/ping/monitor"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A Gatherer exports a Monitor of many targets. It keeps the metrics from one scrape to the next, 5 to 7 KB a target,
// and sets their values. It is safe for concurrent use: scrapes do not wait for each other, and one that begins while
// another is under way has metrics of its own.
type Gatherer struct {
	monitor *monitor.Monitor
	config  config

	mu   sync.Mutex
	idle *set // of the last scrape that has ended
}

var _ prometheus.TransactionalGatherer = (*Gatherer)(nil)

// NewGatherer returns a Gatherer of a Monitor. The error names an option that is wrong.
func NewGatherer(m *monitor.Monitor, opts ...Option) (*Gatherer, error) {
	c, err := configured(m, opts)
	if err != nil {
		return nil, err
	}
	return &Gatherer{monitor: m, config: c}, nil
}

// Gather implements [prometheus.TransactionalGatherer]: how things are now, in order of the metrics' names and of the
// targets'. What it returns must not be written to, and not be used any more after done has been called. The error is
// nil always.
func (g *Gatherer) Gather() (told []*dto.MetricFamily, done func(), err error) {
	g.mu.Lock()
	s := g.idle
	g.idle = nil
	g.mu.Unlock()
	if s == nil {
		s = newSet(g.monitor, &g.config)
	}
	s.fill()
	return s.told, sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.idle = s
	}), nil
}
