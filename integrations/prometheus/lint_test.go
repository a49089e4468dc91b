package pingprom_test

import (
	"testing"

	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// The names, types, units and labels are as Prometheus wants them: https://prometheus.io/docs/practices/naming/.
func TestLint(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	add(t, m, monitor.Target{Host: "192.0.2.1"})
	if err := m.AddGroup(monitor.Group{Name: "g", Members: []string{"192.0.2.1"}}); err != nil {
		t.Fatal(err)
	}
	for h := pingprom.NativeHistogram; h <= pingprom.NoHistogram; h++ {
		g, err := pingprom.NewGatherer(m, pingprom.WithHistogram(h))
		if err != nil {
			t.Fatal(err)
		}
		told, done, err := g.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(told).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v: %v, %v", h, problems, err)
		}
		done()
	}
}
