package pingotel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/icmpsock/ping/monitor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// scope is what the metrics say they come from.
const scope = "github.com/icmpsock/ping/integrations/otel"

// Register makes asynchronous instruments, through which the readers of a MeterProvider ask a Monitor, until the
// Registration that it returns is unregistered. The error names an option that is wrong, or is the provider's.
//
// With more than 400 targets the SDK must be told to keep their attributes, five sets of them for each
// (metric.WithCardinalityLimit of the SDK): see [Producer].
func Register(p metric.MeterProvider, m *monitor.Monitor, opts ...Option) (metric.Registration, error) {
	c, err := newCollector(m, opts)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errors.New("pingotel: want a MeterProvider, not nil")
	}
	made, err := newInstruments(p.Meter(scope))
	if err != nil {
		return nil, fmt.Errorf("pingotel: %w", err)
	}
	all := []metric.Observable{made.sum}
	for _, i := range made.whole {
		all = append(all, i)
	}
	r, err := p.Meter(scope).RegisterCallback(func(_ context.Context, o metric.Observer) error {
		c.collect(observed{o, made})
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("pingotel: %w", err)
	}
	return r, nil
}

// instruments are all of Register.
type instruments struct {
	whole [count]metric.Int64Observable
	sum   metric.Float64ObservableCounter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	var made instruments
	var err error
	for i, s := range all {
		if s.counter {
			made.whole[i], err = m.Int64ObservableCounter(s.name, metric.WithUnit(s.unit),
				metric.WithDescription(s.description))
		} else {
			made.whole[i], err = m.Int64ObservableGauge(s.name, metric.WithUnit(s.unit),
				metric.WithDescription(s.description))
		}
		if err != nil {
			return nil, err
		}
	}
	made.sum, err = m.Float64ObservableCounter(rttSum.name, metric.WithUnit(rttSum.unit),
		metric.WithDescription(rttSum.description))
	return &made, err
}

// observed is the sink of Register.
type observed struct {
	metric.Observer
	*instruments
}

func (o observed) value(place int, _ time.Time, attributes attribute.Set, value int64) {
	o.ObserveInt64(o.whole[place], value, metric.WithAttributeSet(attributes))
}

func (o observed) rtts(attributes attribute.Set, c *monitor.Counts) {
	o.ObserveFloat64(o.sum, c.RTTSum.Seconds(), metric.WithAttributeSet(attributes))
}
