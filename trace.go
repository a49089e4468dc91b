package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

const (
	// traceCount is how many probes go to each distance, unless WithCount says so.
	traceCount    = 3
	maxTraceCount = 1000
	// traceFlow is the flow of a Trace without WithFlow.
	traceFlow = 1<<16 - 1
)

// Trace finds the routers on the way to host: it sends echo requests with a TTL or hop limit of 1, 2 and so on, and
// the router where each ends answers with an ICMP error. It needs no privilege. It yields a [Hop] for each distance,
// in order, as soon as it and all nearer ones are settled, with a Reply for each of the probes sent there: WithCount,
// 3 by default and 1,000 at most.
//
// The loop ends with the hop where the target answers; with the one where some router says that it lets the packet go
// no farther, such as "unreachable" or "prohibited"; after as many silent hops in a row as WithGapLimit says; and at
// WithMaxHops, 30 by default. It begins at the distance of WithFirstHop, by default 1. An error that ends it early
// comes last, with an empty Hop: that of ctx, Close, a bad option or name, or a probe that this host would not send.
// Breaking the loop stops at once.
//
// Probes for several distances are in flight together, so that silent routers cost a timeout or two, and not one each:
// up to four distances beyond the farthest that has answered are tried at once, and one more every 30 ms of silence.
// Of the probes for one distance, each leaves when the one before is settled, or after 50 ms, and after the third
// WithInterval apart.
//
// Routers limit the ICMP errors that they send: Linux to one a second for each destination, after the first six
// (icmp_ratelimit, Documentation/networking/ip-sysctl.rst). So where a router answered some of its probes and not
// others, or a whole hop was silent while farther ones answered, one of the missing is sent again, once 1.1 s have
// passed, and one more if that is answered. The probes that the target left unanswered are not: they are lost.
//
// All probes carry the same identifier and the same ICMP checksum, and over IPv6 the same flow label, so that routers
// which share packets out among several paths send all of them one way (Paris traceroute). [WithFlow] chooses
// another. For that the payload must be 8 bytes or more. WithTTL has no effect; the other options hold for each
// probe. After Reopen the probes have another identifier, and may take another of several paths.
func (p *Pinger) Trace(ctx context.Context, host string, opts ...ProbeOption) iter.Seq2[Hop, error] {
	return func(yield func(Hop, error) bool) {
		c, err := p.prepare(ctx, onTrace, host, opts)
		if err == nil {
			defer c.end()
			more := true
			err = c.trace(ctx, func(h Hop) bool {
				more = yield(h, nil)
				return more
			})
			if !more || err == nil {
				return
			}
		}
		yield(Hop{}, &probeError{host: host, err: err})
	}
}

// trace sends probes along the way, and hands each hop to yield when it is settled, until yield returns false.
func (c *call) trace(ctx context.Context, yield func(Hop) bool) error {
	count := c.config.count
	switch {
	case count == 0:
		count = traceCount
	case count > maxTraceCount:
		return fmt.Errorf("WithCount(%d): Trace takes 1 to %d", count, maxTraceCount)
	}
	if c.config.size < wire.CookieLen {
		return fmt.Errorf("WithSize(%d): Trace takes %d or more", c.config.size, wire.CookieLen)
	}
	s := newTraceSource(c, count)
	var failure error // of sending, or Close
	err := c.run(ctx, s, func(results []flight.Result) bool {
		if len(results) == 0 {
			return true // and the timekeeper may be at the source
		}
		for i := range results {
			r := &results[i]
			if r.Kind == flight.Unsent || r.Kind == flight.Ended {
				failure = r.Err
				continue
			}
			s.settled(r, c.target)
		}
		for h, ok := s.take(); ok; h, ok = s.take() {
			if !yield(h) {
				failure = nil
				return false
			}
		}
		return failure == nil
	})
	return cmp.Or(failure, err)
}

// A traceSource is the engine.Source of a Trace.
type traceSource struct {
	*plan.Trace
	dst     netip.Addr
	shape   *flight.Shape
	shapes  map[int]*flight.Shape // the same with each distance for the TTL
	count   int
	replies map[int][]Reply // by distance, of the hops that have not been taken
}

func newTraceSource(c *call, count int) *traceSource {
	shape := *c.shape
	if shape.Flow == 0 {
		shape.Flow = traceFlow
	}
	return &traceSource{
		Trace: plan.NewTrace(count, c.config.firstHop, c.config.maxHops, c.config.gapLimit, c.config.interval),
		dst:   c.target, shape: &shape, count: count,
		shapes: make(map[int]*flight.Shape), replies: make(map[int][]Reply),
	}
}

// Next implements engine.Source.
func (s *traceSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	probe, at, ok := s.Trace.Next(now)
	if !ok {
		return 0, false
	}
	shape := s.shapes[probe.Distance]
	if shape == nil {
		own := *s.shape
		own.TTL = probe.Distance
		shape = &own
		s.shapes[probe.Distance] = shape
	}
	p.Dst, p.Tag, p.Shape = s.dst, probe.Tag(), shape
	return at, true
}

// settled takes note of what became of a probe.
func (s *traceSource) settled(r *flight.Result, target netip.Addr) {
	probe := plan.TraceProbeOf(r.Tag)
	reply := newReply(r, target)
	reply.Seq = probe.Seq
	if s.replies[probe.Distance] == nil {
		s.replies[probe.Distance] = make([]Reply, s.count)
	}
	s.replies[probe.Distance][probe.Seq] = reply
	s.Settled(probe, outcomeOf(r))
}

// outcomeOf is what became of a probe, as planners have it.
func outcomeOf(r *flight.Result) plan.Outcome {
	switch r.Kind {
	case flight.Answered:
		return plan.Answered
	case flight.Unsent, flight.Ended:
		switch {
		case errors.Is(r.Err, errTooBig):
			return plan.TooBigHere
		case errors.Is(r.Err, ErrNoRoom):
			return plan.NoRoom
		}
		return plan.Unsent
	case flight.Refused:
		switch {
		case r.ICMP.InTransit():
			return plan.InTransit
		case r.ICMP.TooBig():
			return plan.TooBig
		}
		return plan.Refused
	}
	return plan.Silent
}

// take returns the next hop, if all is known of it.
func (s *traceSource) take() (h Hop, ok bool) {
	distance, ok := s.Take()
	if !ok {
		return Hop{}, false
	}
	h = Hop{Distance: distance, Replies: s.replies[distance]}
	delete(s.replies, distance)
	return h, true
}
