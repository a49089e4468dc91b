package pingotel_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/icmpsock/ping"
	pingotel "github.com/icmpsock/ping/integrations/otel"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// watching has a Monitor watch a target, over a network in memory, until it is up. A program has ping.New() for its
// Pinger.
func watching() (m *monitor.Monitor, stop func()) {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(3*time.Millisecond))
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	m = monitor.New(p)
	err = m.Add(monitor.Target{
		Name:     "db1",
		Host:     "192.0.2.1",
		Labels:   map[string]string{"site": "fra"},
		Interval: 20 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	changes := m.Changes(ctx)
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	for range changes {
		break
	}
	return m, func() {
		cancel()
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
		p.Close()
	}
}

// show prints a gauge, as an exporter has it from a reader.
func show(r metric.Reader, name string) {
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name == name {
			for _, p := range m.Data.(metricdata.Gauge[int64]).DataPoints {
				site, _ := p.Attributes.Value("site")
				fmt.Println(name, site.AsString(), p.Value)
			}
		}
	}
}

// Any number of targets, with the histogram of their RTTs. A program has metric.NewPeriodicReader(exporter) for its
// reader.
func ExampleProducer() {
	m, stop := watching()
	defer stop()
	p, err := pingotel.NewProducer(m, pingotel.WithLabels("site"))
	if err != nil {
		log.Fatal(err)
	}
	reader := metric.NewManualReader(metric.WithProducer(p))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())
	show(reader, "ping.target.up")
	// Output: ping.target.up fra 1
}

// A few targets, by a MeterProvider that is there already.
func ExampleRegister() {
	m, stop := watching()
	defer stop()
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer provider.Shutdown(context.Background())
	r, err := pingotel.Register(provider, m, pingotel.WithLabels("site"))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Unregister()
	show(reader, "ping.target.up")
	// Output: ping.target.up fra 1
}
