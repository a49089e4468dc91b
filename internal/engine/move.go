package engine

import (
	"cmp"
	"context"
	"math"
	"net"
	"slices"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// A port is a Conn that a call takes part in.
type port struct {
	conn *Conn
	in   *flight.Inbox
}

// findPlace looks for another Conn, for the table has no place. Failing that, the call waits for one in the queue.
func (c *Call) findPlace() (step, error) {
	was := c.conn
	if err := c.move(); err == nil && c.conn != was {
		return stepAgain, nil
	}
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	if !c.conn.table.Packed() || c.conn.cause != nil {
		return stepAgain, nil
	}
	c.listens = true
	if c.queued == nil {
		c.queued = c.conn.queue.PushBack(c)
	}
	if c.giveUp == 0 {
		shape := c.batch[0].Shape
		now, patience := c.conn.mono(), int64(cmp.Or(shape.Patience, shape.Timeout))
		c.giveUp = now + min(patience, math.MaxInt64-now)
	}
	c.conn.schedule(c, c.giveUp)
	return stepWait, nil
}

// move goes over to the Conn that the call is to send over now. What is in flight stays where it is.
func (c *Call) move() error {
	conn, err := c.home()
	if err != nil || conn == c.conn {
		return err
	}
	if c.conn != nil {
		c.leaveBehind()
	}
	c.conn = conn
	return nil
}

// leaveBehind has the Conn send nothing for the call any more. What is in flight settles there.
func (c *Call) leaveBehind() {
	if !c.registered {
		c.conn = nil
		return
	}
	c.conn.mu.Lock()
	c.withdraw()
	c.conn.mu.Unlock()
	c.old = append(c.old, port{c.conn, c.in})
	in := flight.NewInbox(c.Options.Wake)
	in.Anomalies = c.in.Anomalies
	c.conn, c.in, c.registered = nil, in, false
}

// withdraw takes the call off the Conn's agenda, and out of its queue. The caller holds the Conn's lock.
func (c *Call) withdraw() {
	c.conn.unschedule(c)
	c.conn.stopWaiting(c)
	c.conn.lanes = slices.DeleteFunc(c.conn.lanes, func(lane *Call) bool { return lane == c })
	c.busy = false
}

// join finds the first Conn, once something is to leave. If ok is false, the call has come to next or err instead.
func (c *Call) join(ctx context.Context) (next step, ok bool, err error) {
	c.retryAt = math.MaxInt64
	_, some := c.source.Next(int64(time.Since(c.Epoch)), &c.batch[0])
	switch {
	case c.source.Done() && len(c.old) == 0:
		return stepDone, false, nil
	case ctx.Err() != nil:
		return stepDone, false, ctx.Err()
	case !some:
		return stepWait, false, nil
	}
	if err := c.move(); err != nil {
		next, err = c.refuse(err)
		return next, false, err
	}
	return stepAgain, true, nil
}

// refuse deals with the want of a Conn: in a call that lasts it ends the probes that are due, else the call.
func (c *Call) refuse(err error) (step, error) {
	if c.conn != nil {
		conn := c.conn
		c.leaveBehind()
		c.giveBack(conn)
	}
	if !c.Lasts {
		return stepDone, err
	}
	now := int64(time.Since(c.Epoch))
	c.results = c.results[:0]
	c.retryAt = now + int64(time.Second)
	for len(c.results) < BatchSize {
		at, ok := c.source.Next(now, &c.batch[0])
		if !ok || at > now {
			if ok {
				c.retryAt = min(at, c.retryAt)
			}
			break
		}
		c.source.Sent(now)
		c.results = append(c.results, flight.Result{Tag: c.batch[0].Tag, Kind: flight.Unsent, Err: err})
	}
	if len(c.results) > 0 {
		return stepTell, nil
	}
	return stepWait, nil
}

// collectOld takes results from the Conns that the call has left, and forgets those where nothing is in flight.
func (c *Call) collectOld() bool {
	for i := 0; i < len(c.old); i++ {
		p := c.old[i]
		p.conn.mu.Lock()
		c.results = p.in.Swap(c.results[:0])
		waiting := p.in.InFlight() > 0
		p.conn.mu.Unlock()
		if len(c.results) > 0 {
			if c.conn != nil {
				c.conn.mu.Lock()
				c.busy = true
				c.conn.mu.Unlock()
			}
			return true
		}
		if !waiting {
			c.part(p)
			c.old = slices.Delete(c.old, i, i+1)
			i--
		}
	}
	return false
}

// giveBack frees the turns of the rate that the call has, and will not use, now that it has withdrawn from the Conn.
func (c *Call) giveBack(conn *Conn) {
	if c.turns > 0 && c.turn > conn.mono() {
		conn.limiter.GiveBack(c.turn, c.turns)
	}
	c.turns = 0
}

// part leaves a Conn.
func (c *Call) part(p port) (pending int) {
	p.conn.mu.Lock()
	if p.conn == c.conn {
		c.withdraw()
	}
	pending = p.in.Settled() + p.conn.table.Release(p.in)
	c.oddities = c.oddities.Plus(p.in.Oddities())
	p.conn.makeRoom()
	last := p.conn.retired.Load() && p.conn.table.Deserted()
	p.conn.mu.Unlock()
	if last {
		p.conn.end(net.ErrClosed)
	}
	return pending
}
