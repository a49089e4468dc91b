package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

// An MTUHop is what a [Pinger.TraceMTU] found out about one distance.
type MTUHop struct {
	// Distance is how many hops away it is. 0 is this host, the first router is at 1.
	Distance int `json:"distance"`
	// Router is who answered there, a router or the target. Invalid for silence, and for this host.
	Router netip.Addr `json:"router,omitzero"`
	// Reached says that the target itself answered.
	Reached bool `json:"reached"`
	// MTU is the largest packet that gets there unfragmented, in bytes and with the headers of IP and ICMP. At 0 it
	// is that of this host's own link. 0: not known, because nobody answers there, or no more.
	MTU int `json:"mtu,omitempty"`
	// NamedBy is the router that named the MTU, in an ICMP error about a larger packet, where the MTU is less than
	// before. Invalid where it is not less, and where nobody named it, as in a black hole.
	NamedBy netip.Addr `json:"named_by,omitzero"`
	// RTT is the time to the first answer from there. 0 for silence.
	RTT time.Duration `json:"rtt_ns,omitempty"`
	// NAT and Quoted are those of that answer, where it is an *[ICMPError].
	NAT    bool       `json:"nat,omitempty"`
	Quoted netip.Addr `json:"quoted,omitzero"`
}

// TraceMTU finds where on the way to host the path MTU becomes less, and which router says so. It needs no privilege.
// It yields an [MTUHop] for each distance, in order, as soon as all is known of it: first one for this host, with the
// MTU of the link over which it sends, then one for each router, and at last one for the target, whose MTU is what
// [Pinger.PathMTU] finds.
//
// To each distance it sends echo requests that must not be fragmented, with that TTL or hop limit: one as large as got
// to the distance before, and where that is refused or not answered, others, as PathMTU does; all that is said there
// holds here for the packets to one distance. The distances are probed one after another. One that answers nothing
// costs up to two timeouts, and its MTU is not known: where the path narrows just before it, the next one that
// answers shows that. A router that limits the ICMP errors that it sends costs some seconds, and more if packets
// vanish there.
//
// The loop ends with the hop where the target answers, after as many silent hops in a row as WithGapLimit says, or at
// WithMaxHops, 30 by default. An error that ends it early comes last, with an empty MTUHop: that of ctx, Close, a bad
// option or name, or a probe that this host would not send; an *[ICMPError] of a router that twice lets packets go no
// farther; and that of PathMTU where the target's MTU is a lower bound. Breaking the loop stops at once.
//
// WithCount says how often a size is tried, 5 by default and 100 at most. WithSize, WithTTL, WithInterval and
// WithDontFragment have no effect. Where PathMTU or Trace is errors.ErrUnsupported, so is this.
func (p *Pinger) TraceMTU(ctx context.Context, host string, opts ...ProbeOption) iter.Seq2[MTUHop, error] {
	return func(yield func(MTUHop, error) bool) {
		c, err := p.prepareMTU(ctx, onTraceMTU, host, opts)
		if err == nil {
			defer c.end()
			more := true
			err = c.traceMTU(ctx, func(h MTUHop) bool {
				more = yield(h, nil)
				return more
			})
			if !more || err == nil {
				return
			}
		}
		yield(MTUHop{}, &probeError{host: host, err: err})
	}
}

// traceMTU hands each hop to yield when all is known of it, until yield returns false.
func (c *call) traceMTU(ctx context.Context, yield func(MTUHop) bool) error {
	tries, err := c.mtuTries(onTraceMTU)
	if err != nil {
		return err
	}
	if err := c.seesErrors(); err != nil {
		return err
	}
	shapes, err := newMTUShapes(c)
	if err != nil {
		return err
	}
	s := &mtuTraceSource{
		MTUTrace:  plan.NewMTUTrace(shapes.v6, tries, c.config.maxHops, c.config.gapLimit, c.config.timeout),
		mtuShapes: shapes,
	}
	var failure, last error
	err = c.run(ctx, s, func(results []flight.Result) bool {
		for i := range results {
			r := &results[i]
			if errors.Is(r.Err, net.ErrClosed) {
				failure = r.Err
				return false
			}
			if r.Kind != flight.Answered {
				last = errorOf(r)
			}
			if s.settled(r, c.target) {
				failure = last
				return false
			}
			for step, ok := s.Take(); ok; step, ok = s.Take() {
				if !yield(s.hop(step)) {
					return false
				}
				switch {
				case step.Refused:
					failure = last
				case step.Reached && step.Bound:
					failure = fmt.Errorf("the path MTU is %d or more: %w", step.MTU, last)
				}
			}
		}
		return failure == nil
	})
	return cmp.Or(failure, err)
}

// An mtuTraceSource is the engine.Source of a TraceMTU.
type mtuTraceSource struct {
	*plan.MTUTrace
	mtuShapes
	mtu   int          // the last that is known
	here  MTUHop       // what is known of the distance that is probed
	by    plan.Outcome // of the probe that here.Router answered
	named map[int]netip.Addr
}

// Next implements engine.Source.
func (s *mtuTraceSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	size, ttl, tag, at, ok := s.MTUTrace.Next(now)
	if ok {
		p.Dst, p.Tag, p.Shape = s.dst, tag, s.of(size, ttl)
	}
	return at, ok
}

// settled takes note of what became of a probe.
func (s *mtuTraceSource) settled(r *flight.Result, target netip.Addr) (fatal bool) {
	outcome := outcomeOf(r)
	if distance := plan.MTUTraceDistance(r.Tag); distance > 0 && distance == s.here.Distance {
		switch outcome {
		case plan.TooBig:
			s.named[r.ICMP.MTU] = r.From
		case plan.Answered, plan.InTransit, plan.Refused:
			if !s.here.Router.IsValid() || s.by == plan.Refused && outcome != plan.Refused {
				reply := newReply(r, target)
				s.here.Router, s.here.RTT, s.by = reply.From, reply.RTT, outcome
				s.here.NAT, s.here.Quoted = false, netip.Addr{}
				if e := r.ICMP; e != nil {
					s.here.NAT, s.here.Quoted = e.NAT, e.Quoted
				}
			}
		}
	}
	return s.Settled(r.Tag, outcome, namedMTU(r))
}

// hop is what was found in a step.
func (s *mtuTraceSource) hop(step plan.MTUStep) MTUHop {
	h := s.here
	h.Distance, h.Reached = step.Distance, step.Reached
	if !step.Bound || step.Reached {
		h.MTU = step.MTU
	}
	if h.MTU != 0 && h.MTU < s.mtu {
		h.NamedBy = s.named[h.MTU]
	}
	s.mtu = cmp.Or(h.MTU, s.mtu)
	s.here, s.named = MTUHop{Distance: step.Distance + 1}, make(map[int]netip.Addr)
	return h
}
