package pingprom

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/icmpsock/ping/monitor"
)

// An Option configures a [Collector] or a [Gatherer].
type Option func(*config) error

type config struct {
	labels    []string
	histogram Histogram
}

// A Histogram says in which form ping_rtt_seconds is exported.
type Histogram uint8

const (
	// NativeHistogram has buckets from 31 us to 5.7 s, each 1.41 times the one before (schema 1). What is shorter is
	// in the zero bucket, what is longer in the last. Prometheus takes it where its setting scrape_native_histograms
	// is on; of the text format it is the sum and the count alone. It is the default.
	NativeHistogram Histogram = iota
	// ClassicHistogram has 18 buckets, from 31 us to 4 s, each twice the one before.
	ClassicHistogram
	// BothHistograms is a native and a classic one, under one name.
	BothHistograms
	// NoHistogram is a summary without quantiles: the sum and the count.
	NoHistogram
)

// String returns "native", "classic", "both" or "none".
func (h Histogram) String() string {
	switch h {
	case NativeHistogram:
		return "native"
	case ClassicHistogram:
		return "classic"
	case BothHistograms:
		return "both"
	case NoHistogram:
		return "none"
	}
	return fmt.Sprintf("Histogram(%d)", uint8(h))
}

// WithHistogram sets in which form the RTTs are exported: NativeHistogram by default.
func WithHistogram(h Histogram) Option {
	return func(c *config) error {
		if h > NoHistogram {
			return fmt.Errorf("WithHistogram(%v): want NativeHistogram, ClassicHistogram, BothHistograms or NoHistogram", h)
		}
		c.histogram = h
		return nil
	}
}

// WithLabels names the Labels of targets that become labels of their metrics: none by default. A target without one of
// them has an empty label there, which to Prometheus is none. What is not named is left out, so that no target that is
// added later can spoil a scrape.
//
// A name has letters, digits and underscores, with no digit first and no two underscores. It may not be one that the
// metrics have already: address, host, kind, le, quantile, result, target.
func WithLabels(names ...string) Option {
	return func(c *config) error {
		for _, name := range names {
			switch {
			case !validLabel(name):
				return fmt.Errorf("WithLabels(%q): no name of a label: want letters, digits and _, with no digit first", name)
			case strings.HasPrefix(name, "__"):
				return fmt.Errorf("WithLabels(%q): Prometheus keeps names that begin with __ to itself", name)
			case slices.Contains(ownLabels, name):
				return fmt.Errorf("WithLabels(%q): the metrics have a label of that name: want another than %s",
					name, strings.Join(ownLabels, ", "))
			case slices.Contains(c.labels, name):
				return fmt.Errorf("WithLabels(%q): named twice", name)
			}
			c.labels = append(c.labels, name)
		}
		return nil
	}
}

// ownLabels are those of the metrics of targets, and those that Prometheus gives a meaning in them.
var ownLabels = []string{"address", "host", "kind", "le", "quantile", "result", "target"}

// validLabel reports whether all of Prometheus's formats can have a label with a name, unquoted.
// See https://prometheus.io/docs/concepts/data_model/.
func validLabel(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// configured returns the configuration, or what is wrong with it.
func configured(m *monitor.Monitor, opts []Option) (config, error) {
	var c config
	if m == nil {
		return c, errors.New("pingprom: want a Monitor, not nil")
	}
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("pingprom: option %d is nil", i)
		}
		if err := o(&c); err != nil {
			return c, fmt.Errorf("pingprom: %w", err)
		}
	}
	return c, nil
}
