package pingprom_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	pingprom "github.com/icmpsock/ping/integrations/prometheus"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

type (
	metricFamily = dto.MetricFamily
	labelPair    = dto.LabelPair
)

// The buckets are those that Prometheus's own histogram puts the same RTTs in.
func TestHistogram(t *testing.T) {
	var rtts []time.Duration
	own := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                         "own",
		Buckets:                      prometheus.ExponentialBuckets(math.Exp2(-15), 2, 18),
		NativeHistogramBucketFactor:  1.42,
		NativeHistogramZeroThreshold: math.Exp2(-15),
	})
	for exponent := -16.; exponent < 2.5; exponent += 0.25 {
		bound := time.Duration(1e9 * math.Exp2(exponent))
		for range 1 + len(rtts)%3 {
			rtts = append(rtts, bound-1, bound, bound+1)
		}
	}
	for _, rtt := range rtts {
		own.Observe(rtt.Seconds())
	}
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		next := 0
		n.Host("192.0.2.1", pingtest.RTTFrom(func(*rand.Rand) time.Duration {
			if next == len(rtts) {
				return time.Hour
			}
			next++
			return rtts[next-1]
		}))
		const interval = 10 * time.Second
		m := running(t, n, monitor.Target{Host: "192.0.2.1", Interval: interval, Timeout: interval})
		g, err := pingprom.NewGatherer(m, pingprom.WithHistogram(pingprom.BothHistograms))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(len(rtts)+1) * interval)
		got := histogram(t, g)
		if next != len(rtts) {
			t.Fatalf("%d probes, want %d", next, len(rtts))
		}
		var metric dto.Metric
		if err := own.Write(&metric); err != nil {
			t.Fatal(err)
		}
		want := metric.Histogram
		if got.GetSchema() != want.GetSchema() || got.GetZeroThreshold() != want.GetZeroThreshold() ||
			got.GetZeroCount() != want.GetZeroCount() || got.GetSampleCount() != want.GetSampleCount() ||
			math.Abs(got.GetSampleSum()-want.GetSampleSum()) > 1e-6 {
			t.Errorf("%v, want %v", got, want)
		}
		a, b := spread(got), spread(want)
		for i := range int32(70) {
			if i -= 35; a[i] != b[i] {
				t.Errorf("bucket %d, to %v s, has %d, want %d", i, math.Exp2(float64(i)/2), a[i], b[i])
			}
		}
		for i, bucket := range want.Bucket {
			if b := got.Bucket[i]; b.GetUpperBound() != bucket.GetUpperBound() ||
				b.GetCumulativeCount() != bucket.GetCumulativeCount() {
				t.Errorf("bucket %v, want %v", b, bucket)
			}
		}
		if len(got.Bucket) != 18 || len(a) < 34 {
			t.Errorf("%d classic buckets, and %d native ones", len(got.Bucket), len(a))
		}
	})
}

// A target that was never answered has a native histogram all the same.
func TestEmptyHistogram(t *testing.T) {
	m := monitor.New(pingtest.NewNetwork().Pinger(t))
	add(t, m, monitor.Target{Host: "192.0.2.1"})
	g, err := pingprom.NewGatherer(m)
	if err != nil {
		t.Fatal(err)
	}
	if h := histogram(t, g); h.GetZeroThreshold() == 0 || h.Schema == nil || len(h.PositiveSpan) > 0 {
		t.Errorf("%v", h)
	}
}

// histogram returns the histogram of the only target.
func histogram(t *testing.T, g *pingprom.Gatherer) *dto.Histogram {
	t.Helper()
	told, _, err := g.Gather() // and never done, so that it stays as it is
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range told {
		if f.GetName() == "ping_rtt_seconds" && len(f.Metric) == 1 {
			return f.Metric[0].Histogram
		}
	}
	t.Fatal("there is no histogram")
	return nil
}

// spread returns how many a native histogram has in each bucket.
func spread(h *dto.Histogram) map[int32]int64 {
	buckets := make(map[int32]int64)
	index, count, deltas := int32(0), int64(0), h.PositiveDelta
	for _, s := range h.PositiveSpan {
		index += s.GetOffset()
		for range s.GetLength() {
			count += deltas[0]
			deltas = deltas[1:]
			buckets[index] = count
			index++
		}
	}
	return buckets
}
