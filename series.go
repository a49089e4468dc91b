package ping

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"

	"github.com/icmpsock/ping/internal/flight"
)

// PingN sends n echo requests to host, WithInterval apart, and returns when all are settled. Losses are data, not
// errors: err says that the run could not be made, or was cut short, by ctx or by Close; the statistics of what
// was settled until then come with it, even if that is nothing yet. They are nil only if the run could not begin: a
// bad option, n below 1, a name that cannot be resolved, an address that cannot be pinged.
func (p *Pinger) PingN(ctx context.Context, host string, n int, opts ...ProbeOption) (*Statistics, error) {
	if n < 1 {
		return nil, &probeError{host: host, err: fmt.Errorf("PingN: n is %d, want 1 or more", n)}
	}
	c, err := p.prepare(ctx, onPingN, host, opts)
	if err != nil {
		var s *Statistics
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			s = new(Statistics)
		}
		return s, &probeError{host: host, err: err}
	}
	s := &Statistics{Target: c.target}
	pending, oddities, err := c.runSeries(ctx, n, func(r *flight.Result) bool {
		reply := newReply(r, s.Target)
		s.Add(reply)
		s.Replies = append(s.Replies, reply)
		return true
	})
	s.finish(pending, oddities)
	if err != nil {
		err = &probeError{host: host, err: err}
	}
	return s, err
}

// Stream sends echo requests to host, WithInterval apart, until ctx ends, the loop breaks, or as many as WithCount
// says are settled (by default without end), in constant memory. It
// yields each Reply as it is settled, a lost probe's with its Err: with a timeout above the interval not always in
// order of Seq. An error that ends the stream comes last, with an empty Reply; it knows how many probes were in flight
// then, see [Statistics.Add]. A probe that falls due while the body of the loop is at work waits for that; no RTT is
// distorted by it.
func (p *Pinger) Stream(ctx context.Context, host string, opts ...ProbeOption) iter.Seq2[Reply, error] {
	return func(yield func(Reply, error) bool) {
		c, err := p.prepare(ctx, onStream, host, opts)
		pending := 0
		if err == nil {
			pending, err = c.stream(ctx, yield)
		}
		if err != nil {
			yield(Reply{}, &probeError{host, err, pending})
		}
	}
}

// stream yields what becomes of the probes, and ends the call. It returns why, which is nil if that was no error or
// the loop broke, and how many were in flight then.
func (c *call) stream(ctx context.Context, yield func(Reply, error) bool) (pending int, err error) {
	c.Anomalies(c.config.anomalies)
	target, more := c.target, true
	pending, _, err = c.runSeries(ctx, c.config.count, func(r *flight.Result) bool {
		more = yield(newReply(r, target), nil)
		return more
	})
	if !more {
		err = nil
	}
	return pending, err
}

// Reachable sends up to WithCount (3) echo requests to host, WithInterval apart, and returns nil as soon as one is
// answered. If none is, the error wraps the *[ICMPError] that one of them met, else [ErrTimeout], or why none could
// be sent.
func (p *Pinger) Reachable(ctx context.Context, host string, opts ...ProbeOption) error {
	_, err := p.firstReply(ctx, onReachable, host, opts)
	return err
}

// FirstReply is Reachable that returns the first echo reply, as soon as it comes. Without one the error, which is also
// the Reply's Err, is that of Reachable, and the Reply is otherwise that of the probe that the error is about.
func (p *Pinger) FirstReply(ctx context.Context, host string, opts ...ProbeOption) (Reply, error) {
	return p.firstReply(ctx, onFirstReply, host, opts)
}

func (p *Pinger) firstReply(ctx context.Context, kind callSet, host string, opts []ProbeOption) (Reply, error) {
	c, err := p.prepare(ctx, kind, host, opts)
	if err != nil {
		err = &probeError{host: host, err: err}
		return Reply{Err: err}, err
	}
	target, n := c.target, c.config.count
	if n == 0 {
		n = 3
	}
	var reply Reply // the most telling
	told := 0       // how much it tells
	_, _, err = c.runSeries(ctx, n, func(r *flight.Result) bool {
		tells := 1
		switch r.Kind {
		case flight.Answered:
			tells = 4
		case flight.Refused:
			tells = 3
		case flight.TimedOut, flight.Dropped:
			tells = 2
		}
		if tells >= told {
			told, reply = tells, newReply(r, target)
		}
		return r.Kind != flight.Answered
	})
	switch {
	case told > 0 && reply.Err == nil:
		return reply, nil
	case err != nil:
		reply = Reply{Target: target}
	default:
		err = fmt.Errorf("none of %d echo requests answered: %w", n, reply.Err)
	}
	reply.Err = &probeError{host: host, err: err}
	return reply, reply.Err
}
