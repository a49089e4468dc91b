package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

const (
	headerLen4 = 20 // of IPv4 without options (RFC 791 section 3.1)
	headerLen6 = 40 // of IPv6 (RFC 8200 section 3)

	// mtuTries is how often a size is tried before it counts as too big. RFC 8899 section 5.1.2 has 3, for a
	// protocol that goes on looking; here there is one chance, and with every fifth packet lost one size in
	// 3,000 is taken for too big by mistake.
	mtuTries    = 5
	maxMTUTries = 100
)

// PathMTU returns the size of the largest packet, in bytes and with the headers of IP and ICMP, that reaches host
// unfragmented: 68 to 65,535 for IPv4, 1,280 to 65,575 for IPv6. It sends echo requests of different sizes that must
// not be fragmented, and returns the largest size that the target answered: never one that did not pass. This is
// about the way there. The answer, which is as large unless the target truncates it, has to come back, but may come in
// fragments, if the target makes them or lets routers make them, as Linux does; where the way back swallows large
// packets and fragments alike, that limits what is found.
//
// The MTUs that routers name (RFC 1191, RFC 8201), or this host for its own link, are tried, and so is one byte more:
// what makes no sense, or proves wrong, is not believed. Where large packets vanish without a word, a black hole (RFC
// 8899), usual sizes are tried, then those between, 8 at a time. A size counts as too big if a router or this host says
// so, or if none of WithCount (5, 100 at most) echo requests is answered while a smaller one is that left right after
// each of them: silence says nothing where a size that passes is not answered either (RFC 8899). They leave within one
// timeout, or longer if WithRate has it so. The size found is tried once more before it is returned, because the router
// at the beginning of a tunnel may learn what fits from the first large packet, and refuse the next; where packets were
// lost, so is the smallest size that did not pass. Elsewhere than in a black hole the search takes a few round trips.
// There it takes two timeouts a round, of which there are at most 2 for a usual size and 7 for any other, and one more
// where packets are lost.
//
// Where so many echo requests in a row are not answered that it is more than plain loss, such as in an outage, or where
// the target limits how many it answers, the search slows down: to a round's sizes every 1.1 s, or every timeout where
// that is longer, then to one packet in that time, then in twice that. In a black hole behind a limit of one packet a
// second that may take minutes: ctx ends it. When that brings no answer either, after about 25 s, it gives up.
//
// The error is that of the smallest packet, where that is not answered: it wraps an *[ICMPError], [ErrTimeout], or
// why it could not be sent, and the size is 0. A size above 0 with an error is a lower bound: the largest that passed
// before the search gave up, because nothing passed any more or no size did twice, when the error wraps what became
// of the last packet, mostly ErrTimeout; or before ctx, Close or this host's refusal to send ended it.
//
// All packets have the flow that WithFlow names, or that of a Trace, so that routers which share packets out among
// several paths send them the same way. WithTTL and WithTrafficClass hold for each packet; WithSize,
// WithDontFragment and WithInterval have no effect. Where WithDontFragment is errors.ErrUnsupported, so is this: on
// other systems than Linux, and for IPv6 packets of more than 15,013 bytes from a datagram socket before Linux 6.1,
// which none but loopback and its like take. A [Transport] of your own must heed Message.DontFragment, or the result is
// wrong.
func (p *Pinger) PathMTU(ctx context.Context, host string, opts ...ProbeOption) (int, error) {
	c, err := p.prepareMTU(ctx, onPathMTU, host, opts)
	if err != nil {
		return 0, &probeError{host: host, err: err}
	}
	defer c.end()
	mtu, err := c.pathMTU(ctx)
	if err != nil {
		err = &probeError{host: host, err: err}
	}
	return mtu, err
}

// pathMTU tries sizes, round after round.
func (c *call) pathMTU(ctx context.Context) (int, error) {
	tries, err := c.mtuTries(onPathMTU)
	if err != nil {
		return 0, err
	}
	s, err := newMTUSource(c, tries)
	if err != nil {
		return 0, err
	}
	var failure, last error
	err = c.run(ctx, s, func(results []flight.Result) bool {
		for i := range results {
			r := &results[i]
			if errors.Is(r.Err, net.ErrClosed) {
				failure = r.Err
				return false
			}
			outcome, mtu := outcomeOf(r), namedMTU(r)
			if outcome != plan.Answered {
				last = errorOf(r)
			}
			if s.Settled(r.Tag, outcome, mtu) {
				failure = last
				return false
			}
		}
		return true
	})
	found := s.Found()
	switch err := cmp.Or(failure, err); {
	case err != nil:
		return found, err
	case found == 0: // and nothing else was tried than the smallest packet
		return 0, last
	case s.Bound():
		return found, fmt.Errorf("the path MTU is %d or more: %w", found, last)
	}
	return found, nil
}

// namedMTU is what a probe was told would have fit, by the router that refused it or by this host; 0 for none.
func namedMTU(r *flight.Result) int {
	var here *wire.TooBigError
	switch {
	case r.Kind == flight.Refused && r.ICMP.TooBig():
		return r.ICMP.MTU
	case r.Kind == flight.Unsent && errors.As(r.Err, &here):
		return here.MTU
	}
	return 0
}

// mtuTries is how often a size is tried.
func (c *call) mtuTries(on callSet) (int, error) {
	switch n := c.config.count; {
	case n == 0:
		return mtuTries, nil
	case n > maxMTUTries:
		return 0, fmt.Errorf("WithCount(%d): %v takes 1 to %d", n, on, maxMTUTries)
	default:
		return n, nil
	}
}

// prepareMTU prepares a call of packets that must not be fragmented.
func (p *Pinger) prepareMTU(ctx context.Context, on callSet, host string, opts []ProbeOption) (*call, error) {
	c, err := p.prepare(ctx, on, host, append(slices.Clip(opts), WithDontFragment(true), WithSize(usualSize)))
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("%v: %w", on, err)
	}
	return c, err
}

// An mtuSource is the engine.Source of a PathMTU.
type mtuSource struct {
	*plan.MTU
	mtuShapes
}

func newMTUSource(c *call, tries int) (*mtuSource, error) {
	shapes, err := newMTUShapes(c)
	return &mtuSource{plan.NewMTU(shapes.v6, tries, c.config.timeout), shapes}, err
}

// Next implements engine.Source.
func (s *mtuSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	size, tag, at, ok := s.MTU.Next(now)
	if ok {
		p.Dst, p.Tag, p.Shape = s.dst, tag, s.of(size, s.shape.TTL)
	}
	return at, ok
}

// mtuShapes are the shapes of packets to one target, all of one flow.
type mtuShapes struct {
	dst      netip.Addr
	v6       bool
	headers  int // bytes of a packet before the payload
	shape    *flight.Shape
	template []byte // of the largest packet; that of any other is the beginning of it
	shapes   map[mtuShape]*flight.Shape
}

type mtuShape struct{ size, ttl int } // of the packet

func newMTUShapes(c *call) (mtuShapes, error) {
	v6 := c.target.Is6()
	headers, most := headerLen4+wire.HeaderLen, plan.MaxPacket4
	if v6 {
		headers, most = headerLen6+wire.HeaderLen, plan.MaxPacket6
	}
	template, err := wire.NewTemplate(v6, most-headers)
	shape := *c.shape
	if shape.Flow == 0 {
		shape.Flow = traceFlow
	}
	return mtuShapes{
		dst: c.target, v6: v6, headers: headers, shape: &shape, template: template,
		shapes: make(map[mtuShape]*flight.Shape),
	}, err
}

// of is the shape of packets of a size, with a TTL or hop limit; 0 is the system's.
func (s *mtuShapes) of(size, ttl int) *flight.Shape {
	shape := s.shapes[mtuShape{size, ttl}]
	if shape == nil {
		own := *s.shape
		own.Template = s.template[:size-s.headers+wire.HeaderLen]
		own.Flow = s.flow(len(own.Template))
		own.TTL = ttl
		shape = &own
		s.shapes[mtuShape{size, ttl}] = shape
	}
	return shape
}

// flow is the flow for an ICMP message of so many bytes, such that its checksum is that of one of the usual size with
// the flow asked for: all sizes take the same of several paths, each of which may have an MTU of its own.
func (s *mtuShapes) flow(length int) uint16 {
	sum := func(length int) uint32 { // of what depends on the length
		sum := uint32(^wire.Checksum(s.template[wire.HeaderLen+wire.CookieLen : length]))
		if s.v6 {
			sum += uint32(length) // in the pseudo-header (RFC 8200 section 8.1)
		}
		return sum
	}
	flow := (uint32(s.shape.Flow) + sum(wire.HeaderLen+usualSize) + 2*0xffff - sum(length)) % 0xffff
	if flow == 0 {
		return 0xffff // the same; 0 is none
	}
	return uint16(flow)
}
