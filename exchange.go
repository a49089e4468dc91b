package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// An exchange is one call's echoes with one target. Pingers keep them for the next call.
type exchange struct {
	pinger *Pinger
	conn   *conn
	config *probeConfig
	in     *inbox
	target netip.Addr
	ask    request
}

// prepare finds the target and the conn to it. The exchange must be ended.
func (p *Pinger) prepare(ctx context.Context, host string, opts []ProbeOption) (*exchange, error) {
	config, err := p.config.probe.with(opts)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target, err := p.resolve(ctx, host, config.network)
	if err != nil {
		return nil, err
	}
	v6 := target.Is6()
	conn, err := p.conn(v6, config.dontFragment, 0)
	if err != nil {
		return nil, err
	}
	template, err := p.template(v6, config.size)
	if err != nil {
		return nil, err
	}
	e := p.exchanges.Get().(*exchange)
	for !conn.register(e.in) { // Reopen has come in between
		if conn, err = p.conn(v6, config.dontFragment, 0); err != nil {
			return nil, err
		}
	}
	e.conn, e.config, e.target = conn, config, target
	e.ask = request{
		dst:          p.numbered(target),
		template:     template,
		timeout:      config.timeout,
		ttl:          config.ttl,
		trafficClass: config.trafficClass,
		dontFragment: config.dontFragment,
		flow:         config.flow,
		flowLabel:    flowLabel(v6, config.flow),
	}
	return e, nil
}

// template returns an echo request with size bytes of payload.
func (p *Pinger) template(v6 bool, size int) ([]byte, error) {
	if !v6 && size > maxPayload4 {
		return nil, fmt.Errorf("WithSize(%d): IPv4 takes 0 to %d", size, maxPayload4)
	}
	if t := p.templates[family(v6)]; len(t) == headerLen+size {
		return t, nil
	}
	return newTemplate(v6, size)
}

// end drops what is still in flight. The exchange may not be used any more.
func (e *exchange) end() {
	e.conn.release(e.in)
	e.in.reset()
	e.pinger.exchanges.Put(e)
}

// move goes on over the Pinger's present sockets. Nothing is in flight.
func (e *exchange) move() error {
	conn, err := e.pinger.conn(e.target.Is6(), e.config.dontFragment, 0)
	if err != nil {
		return err
	}
	in := newInbox()
	in.oddities = e.conn.oddities(e.in)
	if !conn.register(in) {
		return nil // Reopen has come in between: the next time
	}
	e.conn.release(e.in)
	e.conn, e.in = conn, in
	return nil
}

// send sends the probe seq, and looks whether its answer is there already.
func (e *exchange) send(ctx context.Context, seq int) error {
	if err := e.pinger.turn(ctx); err != nil {
		return err
	}
	e.ask.tag = int64(seq)
	if err := e.conn.launch(ctx, e.in, e.ask); err != nil {
		return err
	}
	e.conn.glanceForOne()
	return nil
}

// run sends n echo requests (0: without end), an interval apart, and hands each to yield as it is settled, until
// yield returns false.
func (e *exchange) run(ctx context.Context, n int, yield func(Reply) bool) error {
	timer := time.NewTimer(e.config.timeout)
	defer timer.Stop()
	schedule := schedule{interval: e.config.interval, next: time.Now()}
	schedule.spread(int(e.pinger.calls.Add(1)-1), e.pinger.epoch)
	defer e.pinger.calls.Add(-1)
	var settled []outcome
	for sent, flying := 0, 0; ; {
		settled = e.conn.collect(e.in, settled[:0])
		flying -= len(settled)
		for i := range settled {
			if err := settled[i].err; err != nil && errors.Is(err, net.ErrClosed) {
				return err
			}
			if !yield(settled[i].reply(e.target)) {
				return nil
			}
		}
		more := n == 0 || sent < n
		if !more && flying == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var due <-chan time.Time
		retired := e.conn.retired.Load()
		if retired && flying == 0 {
			if err := e.move(); err != nil {
				return err
			}
			continue
		}
		if more && !retired {
			wait, ok := schedule.wait(time.Now(), flying)
			if ok && wait <= 0 {
				if err := e.send(ctx, sent); err != nil {
					return err
				}
				schedule.sent(time.Now())
				sent++
				flying++
				continue
			}
			if ok {
				timer.Reset(wait)
				due = timer.C
			}
		}
		if flying > 0 {
			e.conn.listen()
		}
		select {
		case <-e.in.wake:
		case <-due:
		case <-ctx.Done():
		}
	}
}
