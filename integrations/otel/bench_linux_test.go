package pingotel_test

import (
	"flag"
	"syscall"
	"testing"
	"time"

	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var benchTargets = flag.Int("targets", 10_000, "benchmarks: how many targets")

// BenchmarkCollect is one collection of many targets, without an exporter.
func BenchmarkCollect(b *testing.B) {
	m := monitor.New(pingtest.NewNetwork().Pinger(b))
	for i := range *benchTargets {
		add(b, m, monitor.Target{Host: address(i)})
	}
	instruments, _ := byInstruments(b, m)
	for name, reader := range map[string]metric.Reader{"producer": byProducer(b, m), "instruments": instruments} {
		b.Run(name, func(b *testing.B) {
			var told metricdata.ResourceMetrics
			collect := func() {
				if err := reader.Collect(b.Context(), &told); err != nil {
					b.Fatal(err)
				}
			}
			collect() // the first makes what is kept
			b.ReportAllocs()
			before := processTime(b)
			for b.Loop() {
				collect()
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
