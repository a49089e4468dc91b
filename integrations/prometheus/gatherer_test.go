package pingprom_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// many returns a Monitor of many targets, which does not run, and a Gatherer of it.
func many(t testing.TB, targets int, opts ...pingprom.Option) (*monitor.Monitor, *pingprom.Gatherer) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	for i := range targets {
		add(t, m, monitor.Target{Host: address(i), Labels: map[string]string{"site": "a"}})
	}
	g, err := pingprom.NewGatherer(m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m, g
}

// What is kept is not made anew: a scrape of many targets allocates no more than one of few.
func TestKept(t *testing.T) {
	allocs := func(targets int) float64 {
		_, g := many(t, targets, pingprom.WithLabels("site"), pingprom.WithHistogram(pingprom.BothHistograms))
		return testing.AllocsPerRun(5, func() {
			_, done, _ := g.Gather()
			done()
		})
	}
	if few, most := allocs(10), allocs(1000); most > few {
		t.Errorf("a scrape of 1,000 targets allocates %v times, and one of 10 %v times", most, few)
	}
}

// Scrapes that overlap have metrics of their own, and done may be called twice.
func TestOverlappingScrapes(t *testing.T) {
	_, g := many(t, 1)
	metric := func() (*dto.Metric, func()) {
		told, done, _ := g.Gather()
		return told[0].Metric[0], done
	}
	first, doneFirst := metric()
	second, doneSecond := metric()
	if first == second {
		t.Error("two scrapes share a metric")
	}
	doneFirst()
	doneSecond()
	third, doneThird := metric()
	if third != second {
		t.Error("the metrics of the last scrape are not used again")
	}
	doneSecond() // again: it has nothing to give back
	if fourth, done := metric(); fourth == third {
		t.Error("two scrapes share a metric")
	} else {
		done()
	}
	doneThird()
}

// Scrapes in any format, while targets come and go. The race detector looks on.
func TestConcurrentScrapes(t *testing.T) {
	m, g := many(t, 20, pingprom.WithLabels("site"), pingprom.WithHistogram(pingprom.BothHistograms))
	runtimes := prometheus.NewRegistry()
	runtimes.MustRegister(collectors.NewGoCollector())
	both := prometheus.NewMultiTRegistry(g, prometheus.ToTransactionalGatherer(runtimes))
	for _, coalesce := range []bool{false, true} {
		handler := promhttp.HandlerForTransactional(both, promhttp.HandlerOpts{
			EnableOpenMetrics: true, CoalesceGather: coalesce, ErrorHandling: promhttp.HTTPErrorOnError,
		})
		formats := map[string]string{
			"text/plain": "ping_probes_total{",
			"application/openmetrics-text; version=1.0.0":                                                  "# EOF",
			"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": "go_goroutines",
		}
		var wg sync.WaitGroup
		for format, want := range formats {
			wg.Go(func() {
				for i := range 20 {
					r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
					r.Header.Set("Accept", format)
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, want) {
						t.Errorf("%s: %d, without %q: %.200s", format, w.Code, want, body)
					}
					if i%2 == 0 {
						m.Remove(address(i))
					} else {
						add(t, m, monitor.Target{Host: address(i), Labels: map[string]string{"site": "b"}})
					}
				}
			})
		}
		wg.Wait()
	}
}

// What Prometheus decodes of protobuf, the only format with native histograms, is all targets.
func TestProtobuf(t *testing.T) {
	_, g := many(t, 3)
	handler := promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{})
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err == io.EOF {
			t.Fatal("there is no ping_rtt_seconds")
		} else if err != nil {
			t.Fatal(err)
		}
		if f.GetName() != "ping_rtt_seconds" {
			continue
		}
		if len(f.Metric) != 3 || f.Metric[2].Histogram.GetSchema() != 1 {
			t.Errorf("%v", &f)
		}
		return
	}
}
