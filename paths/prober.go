package paths

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

// A probe is an echo request of a flow whose TTL or hop limit is a distance.
type probe struct {
	distance int // from 1
	flow     int // from 1
}

// A result is what became of a probe.
type result struct {
	probe
	reply ping.Reply
}

// A planner says what is sent, and when. It is told the time, and does no I/O.
type planner interface {
	// next returns the probe that is to leave next, and when: now or later. It is the zero probe, later, where nothing is
	// to leave and the planner wants to be asked again then. It returns false if all depends on what is in flight.
	next(now time.Time) (p probe, at time.Time, ok bool)
	// sent says that a probe leaves.
	sent(p probe, now time.Time)
	// settled says what became of one.
	settled(r result)
	// take tells the caller what there is to tell. It returns false when all is done.
	take(now time.Time) bool
}

// A prober sends probes to one host. Each has a goroutine while it is in flight, and no longer.
type prober struct {
	pinger *ping.Pinger
	target netip.Addr
	probe  []ping.ProbeOption
}

// newProber finds the host's address.
func newProber(ctx context.Context, p *ping.Pinger, host string, opts []ping.ProbeOption) (*prober, error) {
	target, err := p.Resolve(ctx, host, opts...)
	if err != nil {
		return nil, err
	}
	return &prober{pinger: p, target: target, probe: opts}, nil
}

// run does as the planner says until that is done, a probe cannot even be made, or ctx ends. The planner is told at the
// end of what is in flight then.
func (b *prober) run(ctx context.Context, pl planner) error {
	ctx, cancel := context.WithCancel(ctx)
	inFlight := 0
	results := make(chan result)
	defer func() {
		for cancel(); inFlight > 0; inFlight-- {
			pl.settled(<-results)
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for now := time.Now(); pl.take(now); now = time.Now() {
		var wait <-chan time.Time
		if p, at, ok := pl.next(now); ok && at.After(now) {
			timer.Reset(at.Sub(now))
			wait = timer.C
		} else if ok {
			pl.sent(p, now)
			inFlight++
			go func() { results <- result{p, b.send(ctx, p)} }()
			wait = ready
		}
		select {
		case r := <-results:
			inFlight--
			pl.settled(r)
			if !r.reply.Target.IsValid() || ping.ErrorKind(r.reply.Err) == "closed" {
				return r.reply.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
	return nil
}

// ready never blocks.
var ready = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// send sends one probe, and waits for what becomes of it.
func (b *prober) send(ctx context.Context, p probe) ping.Reply {
	opts := append(slices.Clip(b.probe), ping.WithTTL(p.distance))
	if p.flow > 0 {
		opts = append(opts, ping.WithFlow(p.flow))
	}
	reply, _ := b.pinger.Ping(ctx, b.target.String(), opts...)
	return reply
}

// judge says who answered a probe: the router where its TTL ran out, or the target. refusal is not nil if somebody said
// that it lets the probe go no farther; who that is, is no matter of the distance.
func judge(r ping.Reply) (from netip.Addr, refusal *ping.ICMPError) {
	e := icmpError(r)
	switch {
	case r.Err == nil:
		return r.From, nil
	case e == nil:
		return netip.Addr{}, nil
	}
	exceeded := 11 // RFC 792
	if e.From.Is6() {
		exceeded = 3 // RFC 4443 section 3.3
	}
	if e.Type == exceeded && e.Code == 0 { // code 1 is the target's, of fragments
		return e.From, nil
	}
	return netip.Addr{}, e
}

// tooBig reports whether a refusal says that the probe is too big for a link of the way. The system knows that then,
// and sends the next one in fragments if it may.
func tooBig(e *ping.ICMPError) bool {
	if e.From.Is6() {
		return e.Type == 2 // RFC 4443 section 3.2
	}
	return e.Type == 3 && e.Code == 4 // RFC 792
}

// unsent is why a probe could not be sent; nil: it was.
func unsent(r ping.Reply) error {
	if r.Sent.IsZero() && ping.ErrorKind(r.Err) == "not_sent" {
		return r.Err
	}
	return nil
}

// icmpError is the ICMP error that ended a probe; nil: none did.
func icmpError(r ping.Reply) (e *ping.ICMPError) {
	errors.As(r.Err, &e)
	return e
}
