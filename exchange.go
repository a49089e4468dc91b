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
	target netip.Addr
	plan
}

// prepare finds the target and the conn to it. The exchange must be ended.
func (p *Pinger) prepare(ctx context.Context, host string, opts []ProbeOption) (*exchange, error) {
	config, err := p.config.probe.with(opts)
	if err != nil {
		return nil, err
	}
	age, err := p.usable()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target, literal, err := p.resolve(ctx, host, config.network)
	if err != nil {
		return nil, err
	}
	v6 := target.Is6()
	conn, err := p.roomy(v6, config.dontFragment)
	if err != nil {
		return nil, err
	}
	template, err := p.template(v6, config.size)
	if err != nil {
		return nil, err
	}
	e := p.exchanges.Get().(*exchange)
	for !conn.register(e.in) { // Reopen has come in between
		if conn, err = p.roomy(v6, config.dontFragment); err != nil {
			p.exchanges.Put(e)
			return nil, err
		}
	}
	e.conn, e.config, e.target = conn, config, target
	if !literal { // to look it up took its time
		age = conn.now().mono
	}
	conn.clearUp(age)
	e.plan = plan{in: e.in, place: -1}
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

// move goes on over the Pinger's present sockets, one that has room. Nothing is in flight.
func (e *exchange) move() error {
	conn, err := e.pinger.roomy(e.target.Is6(), e.config.dontFragment)
	if err != nil || conn == e.conn {
		return err
	}
	in := newInbox()
	in.oddities = e.conn.oddities(e.in)
	if !conn.register(in) {
		return nil // Reopen has come in between: the next time
	}
	e.conn.release(e.in)
	e.conn, e.in = conn, in
	conn.expect(int64(e.ask.size() + spareRoom))
	return nil
}

// send sends what e.ask asks for, and looks whether its answer is there already.
func (e *exchange) send(ctx context.Context) error {
	if err := e.pinger.turn(ctx, e.conn); err != nil {
		return err
	}
	if err := e.conn.launch(ctx, e.in, e.ask); err != nil {
		return err
	}
	e.conn.glanceForOne()
	return nil
}

// await waits for an outcome, for what is due, or for the end of ctx. The end of the conn is an error.
func (e *exchange) await(ctx context.Context, due <-chan time.Time) error {
	e.conn.listen()
	select {
	case <-e.in.wake:
	case <-due:
	case <-ctx.Done():
	case <-e.conn.done:
		return e.conn.cause()
	}
	return nil
}

// run sends n echo requests (0: without end), an interval apart, and hands each to yield as it is settled, until
// yield returns false.
func (e *exchange) run(ctx context.Context, n int, yield func(Reply) bool) error {
	p := &e.plan
	p.count = n
	p.schedule = schedule{interval: min(int64(e.config.interval), maxInterval), next: int64(time.Since(e.pinger.epoch))}
	calls := int(e.pinger.calls.Add(1) - 1)
	defer e.pinger.calls.Add(-1)
	if calls >= spreadAfter {
		p.schedule.spread(e.pinger.spread.Add(1))
	}
	p.own = calls < spreadAfter || p.schedule.interval == 0
	defer func() { e.conn.cancel(p) }()
	e.conn.expect(int64(p.ask.size() + spareRoom))
	for {
		step, o, err := e.conn.next(p)
		if err == nil && step != stepTell && step != stepDone {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		switch step {
		case stepTell:
			if o.err != nil && errors.Is(o.err, net.ErrClosed) {
				return o.err
			}
			if !yield(o.reply(e.target)) {
				return nil
			}
		case stepSend:
			e.conn.clearUp(e.conn.now().mono)
			if e.conn.crowded.Load() && p.flying == 1 { // this one alone
				if err := e.move(); err != nil {
					return err
				}
			}
			if err := e.send(ctx); err != nil {
				return err
			}
			p.left(e.conn.now().mono)
		case stepWait:
			select {
			case <-p.in.wake:
			case <-ctx.Done():
			}
		case stepMove:
			if err := e.move(); err != nil {
				return err
			}
		case stepDone:
			return nil
		}
	}
}
