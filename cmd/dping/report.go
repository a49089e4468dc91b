package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

// A hopReport is a line of the table of -trace -c, or a hop of it with -json: of the routers at one distance, or of
// the target.
type hopReport struct {
	Distance   int                   `json:"distance"`
	Reached    bool                  `json:"reached"`
	Addrs      []netip.Addr          `json:"addrs"` // who answered
	Names      map[netip.Addr]string `json:"names,omitempty"`
	MPLS       []ping.MPLSLabel      `json:"mpls,omitempty"`    // of the last answer with some
	Refusal    string                `json:"refusal,omitempty"` // what ends the way here
	Last       time.Duration         `json:"last_ns,omitempty"`
	Statistics ping.Statistics       `json:"statistics"`
}

// newHopReport returns one of the probes to target, at a distance.
func newHopReport(distance int, target netip.Addr) *hopReport {
	return &hopReport{Distance: distance, Addrs: []netip.Addr{}, Statistics: ping.Statistics{Target: target}}
}

// settle counts the outcome of one probe to the hop. Whoever answers it, it is answered.
func (h *hopReport) settle(r ping.Reply) {
	h.Reached = h.Reached || r.Err == nil
	var refused *ping.ICMPError
	if errors.As(r.Err, &refused) {
		if !inTransit(refused) {
			h.Refusal = refused.Reason()
		}
		if len(refused.MPLS) > 0 {
			h.MPLS = refused.MPLS
		}
		r.Err = nil
	}
	if r.Err == nil {
		h.Last = r.RTT
		if !slices.Contains(h.Addrs, r.From) {
			h.Addrs = append(h.Addrs, r.From)
		}
	}
	h.Statistics.Add(r)
}

// inTransit reports whether an ICMP error is that of a router which the TTL took the probe to.
func inTransit(e *ping.ICMPError) bool {
	exceeded := 11
	if e.From.Is6() {
		exceeded = 3
	}
	return e.Type == exceeded && e.Code == 0 // code 1 is the target's, of fragments
}

// A report is the table of one host: the routers on the way, and at the end of it the target. It grows and shrinks as
// the way does.
type report struct {
	host    string
	addr    netip.Addr
	maxHops int

	// output.mu guards what follows.
	routers []*hopReport // by distance, from 1. The last is where the target is, or what ends the way there.
	target  *hopReport
	probes  []context.CancelFunc // ends the probes to each of those distances
}

// settle counts how a probe to one of the routers, or where that was, ended. It reports whether the way turns out to
// be longer.
func (r *report) settle(at *hopReport, reply ping.Reply) (longer bool) {
	if at.Distance > len(r.routers) || r.routers[at.Distance-1] != at {
		return false // the way has become shorter meanwhile
	}
	last := at.Distance == len(r.routers)
	var refused *ping.ICMPError
	switch errors.As(reply.Err, &refused); {
	case reply.Err == nil:
		r.shorten(at.Distance)
		r.target.settle(reply)
	case refused != nil && inTransit(refused) && last && at.Distance < r.maxHops:
		*at = *newHopReport(at.Distance, r.addr) // without what the target left unanswered
		at.settle(reply)
		return true
	default:
		at.settle(reply)
		if last && (refused == nil || !inTransit(refused)) {
			r.target.Statistics.Add(reply)
		}
	}
	return false
}

// shorten ends the way at a distance.
func (r *report) shorten(distance int) {
	for _, end := range r.probes[distance:] {
		end()
	}
	r.probes, r.routers = r.probes[:distance], r.routers[:distance]
}

// hops are the lines of the table as it is now.
func (r *report) hops() []hopReport {
	hops := make([]hopReport, len(r.routers))
	for i, h := range r.routers {
		hops[i] = *h
	}
	if last := &hops[len(hops)-1]; r.target.Reached {
		refusal := last.Refusal
		*last = *r.target
		last.Distance, last.Refusal = len(hops), refusal
	}
	for i := range hops {
		hops[i].Addrs = slices.Clone(hops[i].Addrs)
	}
	return hops
}

// report finds the way to host, sends probes to each hop of it, and shows what became of them when all are settled,
// or ctx ends, and on each signal from quit.
func (o *output) report(
	ctx context.Context, p *ping.Pinger, n *names, host string, addr netip.Addr, quit <-chan os.Signal,
) (reached bool, err error) {
	length, err := o.wayTo(ctx, p, addr)
	if err != nil {
		return false, err
	}
	r := &report{host: host, addr: addr, maxHops: o.config.maxHops, target: newHopReport(0, addr)}
	var running sync.WaitGroup
	var probe func(count int)
	probe = func(count int) { // the next distance, so often; the caller holds o.mu
		h := newHopReport(len(r.routers)+1, addr)
		ctx, cancel := context.WithCancel(ctx)
		r.routers, r.probes = append(r.routers, h), append(r.probes, cancel)
		running.Go(func() {
			defer cancel()
			for reply, e := range p.Stream(ctx, addr.String(), ping.WithTTL(h.Distance), ping.WithCount(count)) {
				o.mu.Lock()
				switch {
				case e != nil && ctx.Err() == nil:
					err = e
				case e != nil:
					r.settle(h, ping.Reply{Err: e}) // what was in flight
				default:
					if reply.Sent.IsZero() {
						complain(o.stderr,
							fmt.Errorf("%s: hop %d: probe %d not sent: %w", host, h.Distance, reply.Seq+1, reply.Err))
					}
					if r.settle(h, reply) {
						probe(max(count-reply.Seq-1, 1))
					}
				}
				o.mu.Unlock()
				if !o.config.numeric && reply.From.IsValid() {
					n.start(reply.From)
				}
			}
		})
	}
	o.mu.Lock()
	for range length {
		probe(o.config.count)
	}
	o.mu.Unlock()
	await(&running, quit, func() { o.showReport(n, r) })
	return r.target.Reached, err
}

// wayTo returns how many hops away the target is; if it does not answer, one more than the last hop that does.
func (o *output) wayTo(ctx context.Context, p *ping.Pinger, addr netip.Addr) (length int, err error) {
	last := 0
	for h, err := range p.Trace(ctx, addr.String(), ping.WithCount(1)) {
		if err != nil {
			return 0, err
		}
		if last = h.Distance; len(h.Addrs()) > 0 {
			length = last
		}
		if h.End == ping.EndReached || h.End == ping.EndRefused {
			return last, nil
		}
	}
	return min(length+1, last), nil
}

// showReport shows the table as it is now.
func (o *output) showReport(n *names, r *report) {
	o.mu.Lock()
	hops := r.hops()
	o.mu.Unlock()
	for i := range hops {
		hops[i].Names = o.named(n, hops[i].Addrs)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.config.json {
		o.print(table(fmt.Sprintf("TRACE %s (%v)", r.host, r.addr), hops))
		return
	}
	for i := range hops {
		o.encode(record{Host: r.host, Hop: &hops[i]})
	}
}
