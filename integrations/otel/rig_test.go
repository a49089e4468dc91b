package pingotel_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// running returns a Monitor of targets that runs over a network in memory until the test ends.
func running(t *testing.T, n *pingtest.Network, targets ...monitor.Target) *monitor.Monitor {
	t.Helper()
	m := monitor.New(n.Pinger(t), monitor.WithSeed(1), monitor.WithResolver(n), monitor.WithSecondPinger(n.Pinger(t)))
	add(t, m, targets...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

// add adds targets.
func add(t testing.TB, m *monitor.Monitor, targets ...monitor.Target) {
	t.Helper()
	for _, target := range targets {
		if err := m.Add(target); err != nil {
			t.Fatal(err)
		}
	}
}

// collected is what a reader collects.
func collected(t testing.TB, r metric.Reader) []metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.ScopeMetrics) != 1 || all.ScopeMetrics[0].Scope.Name != "github.com/icmpsock/ping/integrations/otel" {
		t.Fatalf("the scopes are %v", all.ScopeMetrics)
	}
	return all.ScopeMetrics[0].Metrics
}

// text has a line for each data point of whole numbers, in order.
func text(metrics []metricdata.Metrics) string {
	var lines []string
	for _, m := range metrics {
		line := func(kind string, attributes attribute.Set, value any) {
			lines = append(lines, fmt.Sprintf("%s %s %s{%s} %v\n", kind, m.Unit, m.Name,
				attributes.Encoded(attribute.DefaultEncoder()), value))
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				line("counter", p.Attributes, p.Value)
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				line("gauge", p.Attributes, p.Value)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// find returns the data of a metric.
func find[T metricdata.Aggregation](t testing.TB, metrics []metricdata.Metrics, name string) T {
	t.Helper()
	for _, m := range metrics {
		if m.Name == name {
			data, ok := m.Data.(T)
			if !ok {
				t.Fatalf("%s is a %T", name, m.Data)
			}
			return data
		}
	}
	t.Fatalf("there is no %s", name)
	panic("unreachable")
}

// address is one of very many.
func address(i int) string {
	return netip.AddrFrom4([4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)}).String()
}
