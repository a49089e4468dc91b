package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

// A call is one caller's probes to one target. Pingers keep them for the next call.
type call struct {
	*engine.Call
	pinger *Pinger
	home   func() (*engine.Conn, error) // a Conn for it: one that has room, if there is one
	config *probeConfig
	target netip.Addr
	shape  *flight.Shape
	began  int64 // on the Pinger's clock
	series series
}

func (p *Pinger) newCall() any {
	c := &call{Call: engine.NewCall(engine.Options{Epoch: p.epoch}), pinger: p}
	c.home = func() (*engine.Conn, error) {
		return p.sockets.Roomy(c.target.Is6(), c.config.dontFragment)
	}
	return c
}

// prepare finds the target, and how its probes are to be, for a call of some kind. The call must be ended.
func (p *Pinger) prepare(ctx context.Context, kind callSet, host string, opts []ProbeOption) (*call, error) {
	config, err := p.config.probe.with(kind, opts)
	if err != nil {
		return nil, err
	}
	age, err := p.usable()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target, literal, err := p.resolve(ctx, host, config.network)
	if err != nil {
		return nil, err
	}
	shape, err := p.shape(target.Is6(), config)
	if err != nil {
		return nil, err
	}
	if !literal { // to look it up took its time
		age = p.age()
	}
	c := p.callPool.Get().(*call)
	c.config, c.target, c.shape, c.began = config, target, shape, age
	return c, nil
}

// run has the source's probes sent, and deliver told of the results, until the source is done or deliver returns false.
func (c *call) run(ctx context.Context, source engine.Source, deliver func([]flight.Result) bool) error {
	c.Start(source, c.home)
	return engine.Run(ctx, func(_ int, results []flight.Result) bool { return deliver(results) }, c.Call)
}

// end drops what is still in flight, and returns how much that is. The call may not be used any more.
func (c *call) end() (pending int, o flight.Oddities) {
	pending, o = c.End()
	c.series = series{}
	c.pinger.callPool.Put(c)
	return pending, o
}

// shape is what the probes of a call have in common. That of calls without options is made once.
func (p *Pinger) shape(v6 bool, config *probeConfig) (*flight.Shape, error) {
	i := family(v6)
	if config == &p.config.probe && p.shapes[i] != nil {
		return p.shapes[i], nil
	}
	if !v6 && config.size > wire.MaxPayload4 {
		return nil, fmt.Errorf("WithSize(%d): IPv4 takes 0 to %d", config.size, wire.MaxPayload4)
	}
	var template []byte
	if usual := p.shapes[i]; usual != nil && usual.Size() == config.size {
		template = usual.Template
	} else {
		var err error
		if template, err = wire.NewTemplate(v6, config.size); err != nil {
			return nil, err
		}
	}
	return &flight.Shape{
		Template:     template,
		Timeout:      config.timeout,
		TTL:          config.ttl,
		TrafficClass: config.trafficClass,
		DontFragment: config.dontFragment,
		Flow:         config.flow,
		FlowLabel:    wire.FlowLabel(v6, config.flow),
	}, nil
}

// shapedAs reports whether probes have the same shape by c as by d.
func (c *probeConfig) shapedAs(d *probeConfig) bool {
	return c.timeout == d.timeout && c.size == d.size && c.ttl == d.ttl && c.trafficClass == d.trafficClass &&
		c.dontFragment == d.dontFragment && c.flow == d.flow
}

// A series is the engine.Source of probes to one target, an interval apart.
type series struct {
	plan.Series
	dst   netip.Addr
	shape *flight.Shape
}

// Next implements engine.Source.
func (s *series) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	seq, at, ok := s.Series.Next(now)
	if ok {
		p.Dst, p.Tag, p.Shape = s.dst, int64(seq), s.shape
	}
	return at, ok
}

// runSeries sends n echo requests (0: without end), an interval apart, and ends the call, which must not be used any
// more. If the socket ends, that is the error. pending is how many were in flight at the end.
func (c *call) runSeries(
	ctx context.Context, n int, deliver func(*flight.Result) bool,
) (pending int, o flight.Oddities, err error) {
	defer func() {
		left, met := c.end()
		pending, o = pending+left, met
	}()
	c.series = series{plan.NewSeries(c.config.interval, n, c.began), c.target, c.shape}
	if n != 1 {
		others := c.pinger.series.Add(1) - 1
		defer c.pinger.series.Add(-1)
		if others >= spreadAfter {
			c.series.Spread(c.pinger.spread.Add(1))
		}
	}
	var ended error
	err = c.run(ctx, &c.series, func(results []flight.Result) bool {
		for i := range results {
			r := &results[i]
			if errors.Is(r.Err, net.ErrClosed) {
				ended = r.Err
				if r.Kind == flight.Ended {
					pending++
				}
				continue
			}
			if r.Kind.Settles() {
				c.series.Settled()
			}
			if !deliver(r) {
				return false
			}
		}
		return ended == nil
	})
	return pending, o, cmp.Or(ended, err)
}

// spreadAfter is how many series at a time are not shifted: who makes but a few would wonder.
const spreadAfter = 8
