package ping

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Hop is what a [Pinger.Trace] met at one distance.
type Hop struct {
	// Distance is how many hops away it is: the TTL or hop limit of the probes. The first router is at 1.
	Distance int
	// Replies are what became of the probes, in order of Seq, from 0. From is the router that answered, and TTL
	// what its answer arrived with. Err is an *[ICMPError], mostly "time to live exceeded", with the router's
	// MPLS labels where it tells them; [ErrTimeout] for silence; nil where the target itself answered.
	Replies []Reply
}

// Reached reports whether the target itself answered.
func (h Hop) Reached() bool {
	return slices.ContainsFunc(h.Replies, func(r Reply) bool { return r.Err == nil })
}

// Addrs returns who answered, each once, in order of Seq. It is empty for silence. More than one mostly means that a
// router on the way sends packet for packet another way.
func (h Hop) Addrs() (list []netip.Addr) {
	for _, r := range h.Replies {
		if r.From.IsValid() && !slices.Contains(list, r.From) {
			list = append(list, r.From)
		}
	}
	return list
}

// String is a line as traceroute(8) prints it, without names: the distance, then for each probe who answered, unless it
// is the one before, and the RTT in milliseconds, or * for silence. After it !H, !N, !P, !X and so on mark
// an error that ends the path, as they do there; MPLS labels are in <>.
func (h Hop) String() string {
	b := fmt.Appendf(nil, "%2d", h.Distance)
	var last netip.Addr
	for _, r := range h.Replies {
		if !r.From.IsValid() {
			b = append(b, "  *"...)
			continue
		}
		var refused *ICMPError
		errors.As(r.Err, &refused)
		if r.From != last {
			last = r.From
			b = append(b, "  "+r.From.String()...)
			b = append(b, refused.labels()...)
		}
		b = fmt.Appendf(b, "  %.3f ms", float64(r.RTT)/float64(time.Millisecond))
		b = append(b, refused.mark()...)
	}
	return string(b)
}

// labels is the MPLS label stack as traceroute -e prints it.
func (e *ICMPError) labels() string {
	if e == nil || len(e.MPLS) == 0 {
		return ""
	}
	var list []string
	for i, l := range e.MPLS {
		bottom := 0
		if i == len(e.MPLS)-1 {
			bottom = 1
		}
		list = append(list, fmt.Sprintf("L=%d,E=%d,S=%d,T=%d", l.Label, l.TrafficClass, bottom, l.TTL))
	}
	return " <MPLS:" + strings.Join(list, "/") + ">"
}

var marks4 = map[int]string{
	0: " !N", 1: " !H", 2: " !P", 5: " !S", 6: " !N", 7: " !H", 9: " !X", 10: " !X", 13: " !X", 14: " !V", 15: " !C",
}

var marks6 = map[int]string{0: " !N", 1: " !X", 2: " !S", 3: " !H"}

// mark is traceroute's for an error that ends the path, "" for one that does not.
func (e *ICMPError) mark() string {
	if e == nil || e.onTheWay() {
		return ""
	}
	if e.tooBig() {
		if e.MTU == 0 {
			return " !F"
		}
		return " !F-" + strconv.Itoa(e.MTU)
	}
	unreachable, marks := icmpUnreachable, marks4
	if e.From.Is6() {
		unreachable, marks = icmp6Unreachable, marks6
	}
	if e.Type != unreachable {
		return fmt.Sprintf(" !<%d-%d>", e.Type, e.Code)
	}
	if m := marks[e.Code]; m != "" {
		return m
	}
	return fmt.Sprintf(" !<%d>", e.Code)
}

// onTheWay reports whether the error is that of a router which the probe's TTL took it to: time exceeded in transit.
func (e *ICMPError) onTheWay() bool {
	if e.From.Is6() {
		return e.Type == icmp6TimeExceeded && e.Code == 0
	}
	return e.Type == icmpTimeExceeded && e.Code == 0
}

const (
	// traceCount is how many probes go to each distance, unless WithCount says so.
	traceCount    = 3
	maxTraceCount = 1000
	// traceFlow is the flow of a Trace without WithFlow.
	traceFlow = 1<<16 - 1
)

// Trace finds the routers on the way to host: it sends echo requests with a TTL or hop limit of 1, 2 and so on, and the
// router where each ends answers with an ICMP error. It needs no privilege. It yields a [Hop] for each distance, in
// order, as soon as it and all nearer ones are settled, with a Reply for each of the probes sent there: WithCount, 3
// by default and 1,000 at most.
//
// The loop ends with the hop where the target answers; where some router says that it will not let the packet go on, such
// as "unreachable" or "prohibited"; and at WithMaxHops, 30 by default. An error that ends it early comes last, with an
// empty Hop: that of ctx, Close, a bad option or name, or a probe that this host would not send. Breaking the loop
// stops at once.
//
// Probes for several distances are in flight together, so that a path with silent routers takes little more than the
// timeout: the next distance but three is tried as soon as an answer comes, and one more every 30 ms of silence. Of
// the probes for one distance, each leaves when the one before is settled, or after 50 ms. Routers limit how many ICMP
// errors they send, Linux to one a second for each destination after the first six. So where a router answered some of
// its probes and others not, or a whole hop is silent while farther ones answer, one missing probe is sent
// again, no sooner than a second after the last, and another if that was answered; no more. Loss at the target is no
// such limit: its probes are not sent again.
//
// All probes carry the same identifier and the same ICMP checksum, and over IPv6 the same flow label, so that routers which
// share packets out among several paths send all of them one way (Paris traceroute; see [WithFlow], which chooses
// another). For that the payload must be 8 bytes or more. WithTTL and WithInterval have no effect; the other options
// hold for each probe. A Trace that is under way while Reopen is called ends over the socket with which it began.
func (p *Pinger) Trace(ctx context.Context, host string, opts ...ProbeOption) iter.Seq2[Hop, error] {
	return func(yield func(Hop, error) bool) {
		e, err := p.prepare(ctx, host, opts)
		if err == nil {
			defer e.end()
			more := true
			err = e.trace(ctx, func(h Hop) bool {
				more = yield(h, nil)
				return more
			})
			if !more || err == nil {
				return
			}
		}
		yield(Hop{}, &probeError{host, err})
	}
}

// trace sends probes along the way, and hands each hop to yield when it is settled, until yield returns false.
func (e *exchange) trace(ctx context.Context, yield func(Hop) bool) error {
	count := e.config.count
	switch {
	case count == 0:
		count = traceCount
	case count > maxTraceCount:
		return fmt.Errorf("WithCount(%d): Trace takes 1 to %d", count, maxTraceCount)
	}
	if e.config.size < cookieLen {
		return fmt.Errorf("WithSize(%d): Trace takes %d or more", e.config.size, cookieLen)
	}
	if e.ask.flow == 0 {
		e.ask.flow = traceFlow
	}
	timer := time.NewTimer(e.config.timeout)
	defer timer.Stop()
	way := newCourse(count, e.config.maxHops)
	for settled := []outcome(nil); ; {
		settled = e.conn.collect(e.in, settled[:0])
		for i := range settled {
			o := &settled[i]
			if err := o.err; err != nil && !errors.Is(err, ErrTimeout) && !errors.As(err, new(*ICMPError)) {
				return err
			}
			way.settle(probeOf(o.tag), o.reply(e.target))
		}
		for h, ok := way.take(); ok; h, ok = way.take() {
			if !yield(h) {
				return nil
			}
		}
		if way.ended() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var due <-chan time.Time
		if next, at, ok := way.next(); ok {
			wait := time.Until(at)
			if wait <= 0 {
				e.ask.ttl = next.distance
				e.ask.tag = int64(next.tag())
				if err := e.send(ctx); err != nil {
					return err
				}
				way.sent(next, time.Now())
				continue
			}
			timer.Reset(wait)
			due = timer.C
		}
		e.conn.listen()
		select {
		case <-e.in.wake:
		case <-due:
		case <-e.conn.done:
			return e.conn.cause()
		case <-ctx.Done():
		}
	}
}
