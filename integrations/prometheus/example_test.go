package pingprom_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/icmpsock/ping"
	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// watching has a Monitor watch two targets, over a network in memory, until both are known to be up or down. A program
// has ping.New() for its Pinger.
func watching() (m *monitor.Monitor, stop func()) {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.RTT(3*time.Millisecond))
	n.Host("192.0.2.2", pingtest.Silent())
	p, err := ping.New(n.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	m = monitor.New(p)
	for name, host := range map[string]string{"db1": "192.0.2.1", "db2": "192.0.2.2"} {
		err := m.Add(monitor.Target{
			Name:     name,
			Host:     host,
			Labels:   map[string]string{"site": "fra"},
			Interval: 20 * time.Millisecond,
			Timeout:  50 * time.Millisecond,
			Fall:     2,
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	changes := m.Changes(ctx)
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	known := 0
	for range changes {
		if known++; known == 2 {
			break
		}
	}
	return m, func() {
		cancel()
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
		p.Close()
	}
}

// show asks a handler as Prometheus does, and prints the lines of a metric.
func show(handler http.Handler, metric string) {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, metric) {
			fmt.Print(line)
		}
	}
}

// Many targets, beside the metrics of the program.
func ExampleGatherer() {
	m, stop := watching()
	defer stop()
	g, err := pingprom.NewGatherer(m, pingprom.WithLabels("site"))
	if err != nil {
		log.Fatal(err)
	}
	both := prometheus.NewMultiTRegistry(g, prometheus.ToTransactionalGatherer(prometheus.DefaultGatherer))
	show(promhttp.HandlerForTransactional(both, promhttp.HandlerOpts{}), "ping_target_up")
	// Output:
	// ping_target_up{site="fra",target="db1"} 1
	// ping_target_up{site="fra",target="db2"} 0
}

// A few targets, among what a program registers.
func ExampleCollector() {
	m, stop := watching()
	defer stop()
	c, err := pingprom.NewCollector(m, pingprom.WithHistogram(pingprom.ClassicHistogram))
	if err != nil {
		log.Fatal(err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	show(promhttp.HandlerFor(r, promhttp.HandlerOpts{}), "ping_target_up")
	show(promhttp.HandlerFor(r, promhttp.HandlerOpts{}), `ping_rtt_seconds_bucket{target="db1",le="0.001953125"}`)
	// Output:
	// ping_target_up{target="db1"} 1
	// ping_target_up{target="db2"} 0
	// ping_rtt_seconds_bucket{target="db1",le="0.001953125"} 0
}
