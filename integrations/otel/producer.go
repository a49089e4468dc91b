package pingotel

import (
	"context"
	"time"

	"github.com/icmpsock/ping/monitor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A Producer exports a Monitor of any number of targets, and the histogram of their RTTs, through a Reader of the SDK:
// see metric.WithProducer. It goes past the SDK's instruments, and so past its views and its limit of attributes; what
// counts, counts from the time when the target was added or the Monitor was made, whatever temporality the exporter
// prefers. It is safe for concurrent use.
type Producer struct{ collector *collector }

var _ metric.Producer = (*Producer)(nil)

// NewProducer returns a Producer of a Monitor. The error names an option that is wrong.
func NewProducer(m *monitor.Monitor, opts ...Option) (*Producer, error) {
	c, err := newCollector(m, opts)
	if err != nil {
		return nil, err
	}
	return &Producer{c}, nil
}

// Produce implements metric.Producer of the SDK: how things are now. What it returns is the caller's. The error is
// that of the context, if it has ended.
func (p *Producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	made := &produced{now: time.Now()}
	p.collector.collect(made)
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: made.metrics()}}, nil
}

// produced is the sink of a Producer.
type produced struct {
	now        time.Time
	points     [count][]metricdata.DataPoint[int64]
	histograms []metricdata.ExponentialHistogramDataPoint[float64]
}

func (p *produced) value(place int, start time.Time, attributes attribute.Set, value int64) {
	if !all[place].counter {
		start = time.Time{}
	}
	p.points[place] = append(p.points[place],
		metricdata.DataPoint[int64]{Attributes: attributes, StartTime: start, Time: p.now, Value: value})
}

const (
	// scale is that of the buckets of [monitor.Counts]: each bound is 2^(1/2) times the one before.
	scale = 1
	// firstIndex is the index of the first bucket after the zero bucket, whose lower bound, RTTBound(0), is 2^(-30/2).
	firstIndex = -30
)

// rtts makes a histogram of the buckets. The first is the zero bucket, and the last, which goes to infinity, is told
// as if it were as wide as the others. Those at either end that have nothing are left out.
func (p *produced) rtts(attributes attribute.Set, c *monitor.Counts) {
	from, to := 1, monitor.RTTBuckets
	for from < to && c.RTTs[from] == 0 {
		from++
	}
	for to > from && c.RTTs[to-1] == 0 {
		to--
	}
	buckets := metricdata.ExponentialBucket{}
	if from < to {
		buckets.Offset = int32(firstIndex + from - 1)
		buckets.Counts = append(buckets.Counts, c.RTTs[from:to]...)
	}
	p.histograms = append(p.histograms, metricdata.ExponentialHistogramDataPoint[float64]{
		Attributes:     attributes,
		StartTime:      c.Since,
		Time:           p.now,
		Count:          c.Received,
		Sum:            c.RTTSum.Seconds(),
		Scale:          scale,
		ZeroCount:      c.RTTs[0],
		ZeroThreshold:  monitor.RTTBound(0),
		PositiveBucket: buckets,
	})
}

// metrics returns those that have something to tell.
func (p *produced) metrics() []metricdata.Metrics {
	var told []metricdata.Metrics
	tell := func(s *series, data metricdata.Aggregation) {
		told = append(told, metricdata.Metrics{Name: s.name, Description: s.description, Unit: s.unit, Data: data})
	}
	for i := range all {
		switch points := p.points[i]; {
		case len(points) == 0:
		case all[i].counter:
			tell(&all[i], metricdata.Sum[int64]{
				DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
			})
		default:
			tell(&all[i], metricdata.Gauge[int64]{DataPoints: points})
		}
	}
	if len(p.histograms) > 0 {
		tell(&rtts, metricdata.ExponentialHistogram[float64]{
			DataPoints: p.histograms, Temporality: metricdata.CumulativeTemporality,
		})
	}
	return told
}
