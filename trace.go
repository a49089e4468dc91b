package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

const (
	// traceCount is how many probes go to each distance, unless WithCount says so.
	traceCount    = 3
	maxTraceCount = 1000
	// limitBurst is how many ICMP errors a router of Linux's sends to one destination at a time, before they are
	// limited to one each limitPeriod (XRLIM_BURST_FACTOR and icmp_ratelimit, net/ipv4/icmp.c).
	limitBurst  = 6
	limitPeriod = int64(time.Second)
	// traceFlow is the flow of a Trace without WithFlow.
	traceFlow = 1<<16 - 1
)

// Trace finds the routers on the way to host: it sends echo requests with a TTL or hop limit of 1, 2 and so on, and
// the router where each ends answers with an ICMP error. It needs no privilege. It yields a [Hop] for each distance,
// in order, as soon as it and all nearer ones are settled, with a Reply for each of the probes sent there: WithCount,
// 3 by default and 1,000 at most.
//
// The loop ends with the hop where the target answers; with the one where some router says that it lets the packet go
// no farther, such as "unreachable" or "prohibited", unless something answers from there or beyond; after as many
// silent hops in a row as WithGapLimit says; and at WithMaxHops, 30 by default. The last Hop says which, as its End.
// It begins at the distance of WithFirstHop, by default 1. An error that ends it early comes last, with an empty Hop:
// that of ctx, Close, a bad option or name, or a probe that this host would not send. Before it come the hops up to
// the farthest that has answered, where what is still in flight has that error for its Err. Breaking the loop stops at
// once.
//
// Probes for several distances are in flight together, so that silent routers cost a timeout or two, and not one each:
// up to four distances beyond the farthest that has answered are tried at once, and one more every 30 ms of silence.
// Of the probes for one distance, each leaves when the one before is settled, or after 50 ms, and after the third
// WithInterval apart.
//
// A probe waits for WithTimeout, with two exceptions. Where nothing farther has answered, it waits for 3.5 s, or 3.5
// times a timeout of less than 1 s: Linux takes 3 s to find that a host on its link is missing, and to say "host
// unreachable". And once all that is left is to wait for silent probes that others have answered from farther away,
// these are given up after ten times the longest RTT, or 25 ms if that is more, as traceroute(8) does by its option
// -w.
//
// Routers limit the ICMP errors that they send: Linux to one a second for each destination, after the first six
// (icmp_ratelimit, Documentation/networking/ip-sysctl.rst). So where a router answered some of its probes and not
// others, one of the missing is sent again, once 1.1 s have passed, and one more if that is answered. The same goes
// for a hop that was silent while farther ones answered, if the Trace takes so long for other reasons, or the Pinger
// has asked routers for more than six in the last seconds. The probes that the target left unanswered are not sent
// again: they are lost. A probe that is too big for a link of the way is sent once more, in fragments, unless
// WithDontFragment forbids them.
//
// All probes carry the same identifier and the same ICMP checksum, and over IPv6 the same flow label, so that routers
// which share packets out among several paths send all of them one way (Paris traceroute). [WithFlow] chooses
// another. For that the payload must be 8 bytes or more. WithTTL has no effect; the other options hold for each
// probe. After Reopen the probes have another identifier, and may take another of several paths.
//
// Where the system does not let sockets see ICMP errors, as some sandboxes do not, the error is errors.ErrUnsupported.
func (p *Pinger) Trace(ctx context.Context, host string, opts ...ProbeOption) iter.Seq2[Hop, error] {
	return func(yield func(Hop, error) bool) {
		err := p.trace(ctx, host, opts, func(h Hop) bool { return yield(h, nil) })
		if err != nil {
			yield(Hop{}, &probeError{host: host, err: err})
		}
	}
}

// trace hands the hops of the way to host to yield, until that returns false. An error comes after all that is known.
func (p *Pinger) trace(
	ctx context.Context, host string, opts []ProbeOption, yield func(Hop) bool,
) error {
	c, err := p.prepare(ctx, onTrace, host, opts)
	if err != nil {
		return err
	}
	s, err := c.trace(ctx, yield)
	if err == nil || s == nil {
		return err
	}
	s.Cut()
	for h, ok := s.take(); ok; h, ok = s.take() {
		if h.cut(err); !yield(h) {
			return nil
		}
	}
	return err
}

// trace sends probes along the way, hands each hop to yield when it is settled, until yield returns false, and ends
// the call. Where an error keeps it from going on, the source, if there is one, has the hops that are left.
func (c *call) trace(ctx context.Context, yield func(Hop) bool) (*traceSource, error) {
	defer c.end()
	count := c.config.count
	switch {
	case count == 0:
		count = traceCount
	case count > maxTraceCount:
		return nil, fmt.Errorf("WithCount(%d): Trace takes 1 to %d", count, maxTraceCount)
	}
	if c.config.size < wire.CookieLen {
		return nil, fmt.Errorf("WithSize(%d): Trace takes %d or more", c.config.size, wire.CookieLen)
	}
	if err := c.seesErrors(); err != nil {
		return nil, err
	}
	s := newTraceSource(c, count)
	s.Patient = c.pinger.strain(count)
	var failure error // of sending, or Close
	broken := false
	err := c.run(ctx, s, func(results []flight.Result) bool {
		if len(results) == 0 {
			return true // and the timekeeper may be at the source
		}
		for i := range results {
			if r := &results[i]; !s.settled(r) {
				failure = r.Err
			}
		}
		for h, ok := s.take(); ok; h, ok = s.take() {
			if broken = !yield(h); broken {
				return false
			}
		}
		waits := s.Waits()
		c.Shorten(func(tag int64) time.Duration { return waits(plan.TraceProbeOf(tag).Distance) })
		return failure == nil
	})
	if broken {
		return nil, nil
	}
	return s, cmp.Or(failure, err)
}

// strain counts a Trace of so many probes to each distance, and reports whether routers may have so many from this
// Pinger now that they leave some unanswered.
func (p *Pinger) strain(count int) bool {
	for {
		was, now := p.strained.Load(), p.age()
		rested := max(was, now) + int64(count)*limitPeriod
		if p.strained.CompareAndSwap(was, rested) {
			return rested-now > limitBurst*limitPeriod
		}
	}
}

// seesErrors says why the ICMP errors of routers cannot be seen, which a trace is made of; nil: they can.
func (c *call) seesErrors() error {
	deaf := c.pinger.sockets.Deaf(c.target.Is6())
	if deaf == nil {
		return nil
	}
	return fmt.Errorf("the ICMP errors that a trace is made of cannot be seen: %w: %w", deaf, errors.ErrUnsupported)
}

// A traceSource is the engine.Source of a Trace.
type traceSource struct {
	*plan.Trace
	target  netip.Addr
	next    plan.TraceProbe // as Next has it
	shape   *flight.Shape
	shapes  map[int]*flight.Shape // the same with each distance for the TTL
	replies map[int][]Reply       // by distance, of the hops that have not been taken; of what is in flight without Err
}

func newTraceSource(c *call, count int) *traceSource {
	shape := *c.shape
	shape.Patience = shape.Timeout // however long it waits for the answer
	if shape.Flow == 0 {
		shape.Flow = traceFlow
	}
	return &traceSource{
		Trace: plan.NewTrace(
			count, c.config.firstHop, c.config.maxHops, c.config.gapLimit, c.config.interval, c.config.timeout),
		target: c.target, shape: &shape,
		shapes: make(map[int]*flight.Shape), replies: make(map[int][]Reply),
	}
}

// Next implements engine.Source.
func (s *traceSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	probe, at, ok := s.Trace.Next(now)
	if !ok {
		return 0, false
	}
	s.next = probe
	wait := s.Waits()(probe.Distance)
	shape := s.shapes[probe.Distance]
	if shape == nil || shape.Timeout != wait {
		own := *s.shape
		own.TTL, own.Timeout = probe.Distance, wait
		shape = &own
		s.shapes[probe.Distance] = shape
	}
	p.Dst, p.Tag, p.Shape = s.target, probe.Tag(), shape
	return at, true
}

// Sent implements engine.Source.
func (s *traceSource) Sent(now int64) {
	s.Trace.Sent(now)
	if list := s.replies[s.next.Distance]; s.next.Seq == len(list) {
		s.replies[s.next.Distance] = append(list, Reply{Seq: s.next.Seq, Target: s.target, Sent: time.Now().Round(0)})
	}
}

// settled takes note of what became of a probe. It reports false if that ends the Trace.
func (s *traceSource) settled(r *flight.Result) bool {
	probe := plan.TraceProbeOf(r.Tag)
	outcome := outcomeOf(r)
	if outcome == plan.TooBig && !s.shape.DontFragment && s.InPieces(probe) {
		return true
	}
	reply := newReply(r, s.target)
	reply.Seq = probe.Seq
	if r.Kind == flight.Ended { // and has left
		reply.Sent = s.replies[probe.Distance][probe.Seq].Sent
	}
	s.replies[probe.Distance][probe.Seq] = reply
	if r.Kind == flight.Unsent || r.Kind == flight.Ended {
		return false
	}
	s.Settled(probe, outcome, r.RTT)
	return true
}

// take returns the next hop, if all is known of it.
func (s *traceSource) take() (h Hop, ok bool) {
	distance, ok := s.Take()
	if !ok {
		return Hop{}, false
	}
	h = Hop{Distance: distance, Replies: s.replies[distance], End: traceEnds[s.End()]}
	delete(s.replies, distance)
	return h, true
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
