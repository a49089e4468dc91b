package pingprom_test

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

var benchTargets = flag.Int("targets", 10_000, "benchmarks: how many targets")

// formats are those that a scrape is measured in: text, and what Prometheus asks for where it wants native histograms.
var formats = map[string]expfmt.Format{
	"text":     expfmt.NewFormat(expfmt.TypeTextPlain),
	"protobuf": expfmt.NewFormat(expfmt.TypeProtoDelim),
}

// BenchmarkScrape is one scrape of many targets by a Gatherer, with the encoding.
func BenchmarkScrape(b *testing.B) {
	for h := pingprom.NativeHistogram; h <= pingprom.NoHistogram; h++ {
		for name, format := range formats {
			b.Run("histogram="+h.String()+"/"+name, func(b *testing.B) {
				g, err := pingprom.NewGatherer(watched(b), pingprom.WithHistogram(h))
				if err != nil {
					b.Fatal(err)
				}
				scrape(b, g, format)
			})
		}
	}
}

// BenchmarkRegistry is the same by a Registry, which makes all anew.
func BenchmarkRegistry(b *testing.B) {
	for _, h := range []pingprom.Histogram{pingprom.NoHistogram, pingprom.ClassicHistogram} {
		b.Run("histogram="+h.String()+"/text", func(b *testing.B) {
			c, err := pingprom.NewCollector(watched(b), pingprom.WithHistogram(h))
			if err != nil {
				b.Fatal(err)
			}
			r := prometheus.NewRegistry()
			r.MustRegister(c)
			scrape(b, prometheus.ToTransactionalGatherer(r), formats["text"])
		})
	}
}

// BenchmarkGather is a scrape without the encoding.
func BenchmarkGather(b *testing.B) {
	g, err := pingprom.NewGatherer(watched(b), pingprom.WithHistogram(pingprom.BothHistograms))
	if err != nil {
		b.Fatal(err)
	}
	gather := func() {
		_, done, _ := g.Gather()
		done()
	}
	gather()
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		gather()
	}
}

// BenchmarkHandler is a scrape by HTTP, with gzip as Prometheus asks for it.
func BenchmarkHandler(b *testing.B) {
	g, err := pingprom.NewGatherer(watched(b), pingprom.WithHistogram(pingprom.NoHistogram))
	if err != nil {
		b.Fatal(err)
	}
	handler := promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{})
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	defer reportCPU(b)()
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func scrape(b *testing.B, g prometheus.TransactionalGatherer, format expfmt.Format) {
	size := new(counted)
	encode(b, g, expfmt.NewEncoder(size, format)) // the first makes what is kept
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		*size = 0
		encode(b, g, expfmt.NewEncoder(size, format))
	}
	b.ReportMetric(float64(*size)/1e6, "MB")
}

func encode(tb testing.TB, g prometheus.TransactionalGatherer, e expfmt.Encoder) {
	told, done, err := g.Gather()
	defer done()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range told {
		if err := e.Encode(f); err != nil {
			tb.Fatal(err)
		}
	}
}

// A counted is how much was written to it.
type counted int64

var _ io.Writer = (*counted)(nil)

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// watched returns a Monitor of many targets that has run for some seconds, over a network in memory.
var watched = func() func(b *testing.B) *monitor.Monitor {
	var m *monitor.Monitor
	return func(b *testing.B) *monitor.Monitor {
		if m != nil {
			return m
		}
		n := pingtest.NewNetwork().KeepRecords(0)
		p, err := ping.New(n.Options()...)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		m = monitor.New(p, monitor.WithSecondPinger(p))
		for i := range *benchTargets {
			n.Host(address(i), pingtest.RTTBetween(ms/10, 200*ms), pingtest.Loss(0.05))
			add(b, m, monitor.Target{Host: address(i)})
		}
		ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
		defer cancel()
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
		return m
	}
}()

// reportCPU begins to measure what the process uses of the processors; the function that it returns reports that. On a
// busy machine it says more than the time that passes.
func reportCPU(b *testing.B) func() {
	before := processTime(b)
	return func() {
		b.ReportMetric(float64((processTime(b)-before).Microseconds())/1e3/float64(b.N), "cpu-ms/op")
	}
}

func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
