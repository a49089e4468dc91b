package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
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
// no farther, such as "unreachable" or "prohibited"; and at WithMaxHops, 30 by default. An error that ends it early
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
// which share packets out among several paths send all of them one way (Paris traceroute). [WithFlow] chooses another.
// For that the payload must be 8 bytes or more. WithTTL has no effect; the other options hold for each probe. A Trace
// that is under way while Reopen is called ends over the socket with which it began.
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
	way := newCourse(count, e.config.maxHops, e.config.interval)
	var turn time.Time // where there is a limit: the call's turn to send, zero for none yet
	defer func() {
		if time.Until(turn) > 0 {
			e.pinger.limiter.giveBack(turn, 1)
		}
	}()
	for settled := []outcome(nil); ; {
		settled = e.conn.collect(e.in, settled[:0])
		failure := error(nil) // of sending, or Close
		for i := range settled {
			o := &settled[i]
			if err := o.err; err != nil && !errors.Is(err, ErrTimeout) && !errors.As(err, new(*ICMPError)) {
				failure = err
				continue
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
		if err := cmp.Or(failure, ctx.Err()); err != nil {
			return err
		}
		var due <-chan time.Time
		if next, at, ok := way.next(); ok {
			wait := time.Until(at)
			if limiter := e.pinger.limiter; limiter != nil && wait <= 0 {
				// What is settled while it waits for its turn may change which probe is next.
				if turn.IsZero() {
					turn = limiter.reserve(time.Now(), 1)
				}
				wait = time.Until(turn)
			}
			if wait <= 0 {
				turn = time.Time{}
				e.ask.ttl = next.distance
				e.ask.tag = int64(next.tag())
				if err := e.conn.launch(ctx, e.in, e.ask); err != nil {
					return err
				}
				e.conn.glanceForOne()
				way.sent(next, time.Now())
				continue
			}
			timer.Reset(wait)
			due = timer.C
		}
		if err := e.await(ctx, due); err != nil {
			return err
		}
	}
}
