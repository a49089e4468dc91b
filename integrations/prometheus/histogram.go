package pingprom

import (
	"github.com/icmpsock/ping/monitor"
	dto "github.com/prometheus/client_model/go"
)

const (
	// schema is that of a native histogram whose buckets are those of [monitor.Counts]: each bound is 2^(1/2) times
	// the one before.
	schema = 1
	// firstIndex is the index of the first bucket after the zero bucket. Bucket i goes up to 2^(i/2) s, and
	// monitor.RTTBound(1) is 2^(-29/2).
	firstIndex = -29
	// positive is how many buckets there are beside the zero bucket.
	positive = monitor.RTTBuckets - 1
	// classic is how many buckets a classic histogram has: every other one, but for the last, which goes to infinity.
	classic = monitor.RTTBuckets / 2
)

// What is the same in all histograms.
var (
	schemaValue   = int32(schema)
	zeroThreshold = monitor.RTTBound(0)
	upperBounds   = func() (b [classic]float64) {
		for i := range b {
			b[i] = monitor.RTTBound(2 * i)
		}
		return b
	}()
)

// A distribution is the metric of the RTTs of a target, with all that it points to.
type distribution struct {
	metric    dto.Metric
	histogram dto.Histogram
	summary   dto.Summary
	count     uint64
	sum       float64

	native  *native
	classic *[classic]bucket
}

// A native is what a native histogram points to.
type native struct {
	zero   uint64
	span   dto.BucketSpan
	spans  [1]*dto.BucketSpan
	offset int32
	length uint32
	deltas [positive]int64
}

// A bucket is one of a classic histogram.
type bucket struct {
	dto.Bucket
	count uint64
}

// be makes of d a metric of a form.
func (d *distribution) be(form Histogram, labels []*dto.LabelPair) {
	d.metric.Label = labels
	if form == NoHistogram {
		d.metric.Summary = &d.summary
		d.summary.SampleCount, d.summary.SampleSum = &d.count, &d.sum
		return
	}
	h := &d.histogram
	d.metric.Histogram = h
	h.SampleCount, h.SampleSum = &d.count, &d.sum
	if form != ClassicHistogram {
		n := new(native)
		n.span.Offset, n.span.Length = &n.offset, &n.length
		n.spans[0] = &n.span
		h.Schema, h.ZeroThreshold, h.ZeroCount = &schemaValue, &zeroThreshold, &n.zero
		d.native = n
	}
	if form != NativeHistogram {
		d.classic = new([classic]bucket)
		h.Bucket = make([]*dto.Bucket, classic)
		for i := range d.classic {
			b := &d.classic[i]
			b.UpperBound, b.CumulativeCount = &upperBounds[i], &b.count
			h.Bucket[i] = &b.Bucket
		}
	}
}

// set sets the values.
func (d *distribution) set(c *monitor.Counts) {
	d.count, d.sum = c.Received, c.RTTSum.Seconds()
	if d.native != nil {
		d.setNative(&c.RTTs)
	}
	if d.classic != nil {
		n := uint64(0)
		for i := range d.classic {
			if i > 0 {
				n += c.RTTs[2*i-1]
			}
			n += c.RTTs[2*i]
			d.classic[i].count = n
		}
	}
}

// setNative sets the zero bucket, and one span of all buckets from the first to the last that have something.
func (d *distribution) setNative(counts *[monitor.RTTBuckets]uint64) {
	n, h := d.native, &d.histogram
	n.zero = counts[0]
	from, to := 1, monitor.RTTBuckets
	for from < to && counts[from] == 0 {
		from++
	}
	for to > from && counts[to-1] == 0 {
		to--
	}
	if from == to {
		h.PositiveSpan, h.PositiveDelta = nil, nil
		return
	}
	n.offset, n.length = int32(firstIndex+from-1), uint32(to-from)
	last := int64(0)
	for i, count := range counts[from:to] {
		n.deltas[i] = int64(count) - last
		last = int64(count)
	}
	h.PositiveSpan, h.PositiveDelta = n.spans[:], n.deltas[:to-from]
}
