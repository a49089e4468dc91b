package pingprom_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
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

// text gathers once, and returns the lines that begin with one of the prefixes; without one, all lines.
func text(t *testing.T, g prometheus.TransactionalGatherer, prefixes ...string) string {
	t.Helper()
	told, done, err := g.Gather()
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, told, prefixes...)
}

func encoded(t *testing.T, told []*dto.MetricFamily, prefixes ...string) string {
	t.Helper()
	var all strings.Builder
	for _, f := range told {
		if _, err := expfmt.MetricFamilyToText(&all, f); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for line := range strings.Lines(all.String()) {
		begins := func(prefix string) bool { return strings.HasPrefix(line, prefix) }
		if len(prefixes) == 0 || slices.ContainsFunc(prefixes, begins) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// address is one of very many.
func address(i int) string {
	return netip.AddrFrom4([4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)}).String()
}
