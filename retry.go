package ping

import (
	"math"
	"time"
)

const (
	// retryAfter is when a message that the transport had no room for is tried again.
	retryAfter = time.Millisecond
	// turnRefusals is how many of those may be refused again before the rest waits for the next time.
	turnRefusals = 16
)

// park leaves it to the timekeeper to go on sending, at once.
func (c *conn) park() {
	c.out.Lock()
	c.out.parked = true
	c.out.Unlock()
	c.mu.Lock()
	closed := c.closed != nil
	if !closed {
		c.arm(c.now().mono)
	}
	c.mu.Unlock()
	if closed {
		c.resume()
	}
}

// resume goes on with what was parked.
func (c *conn) resume() {
	c.out.Lock()
	parked := c.out.parked
	c.out.parked = false
	c.out.Unlock()
	if parked {
		c.flush()
	}
}

// retry tries what there was no room for again, except for what nobody waits for any more, until too many of them are
// refused anew. What is fresh goes before, up to turnBatches. It is the timekeeper's.
func (c *conn) retry() {
	c.out.Lock()
	mine := !c.out.busy || c.out.parked // what is parked is the timekeeper's to send
	if mine {
		c.out.busy, c.out.parked = true, false
	}
	c.out.Unlock()
	if !mine { // who is sending is let go soon
		c.mu.Lock()
		c.retryLater()
		c.mu.Unlock()
		return
	}
	refused, fresh := 0, 0
	for left := c.out.refused.len(); left > 0 && refused < turnRefusals; {
		if fresh < turnBatches {
			if n := c.takeFresh(false); n > 0 {
				fresh++
				c.transmit(c.out.batch[:n])
				continue
			}
		}
		n := c.out.refused.take(c.out.batch[:min(left, batchSize)])
		if n == 0 {
			break
		}
		left -= n
		c.mu.Lock()
		n = c.flight.wanted(c.out.batch[:n])
		c.makeRoom()
		c.mu.Unlock()
		before := c.out.refused.len()
		c.transmit(c.out.batch[:n])
		refused += c.out.refused.len() - before
	}
	if c.out.refused.len() > 0 {
		c.mu.Lock()
		c.retryLater()
		c.mu.Unlock()
	}
	c.flush()
}

// retryLater has the timekeeper call retry in a moment. The caller holds c.mu.
func (c *conn) retryLater() {
	if c.retryAt == 0 {
		c.retryAt = c.now().mono + int64(retryAfter)
		c.arm(c.retryAt)
	}
}

// abort is for when the transport's Send has not returned.
func (c *conn) abort(failed, rest []request) {
	c.mu.Lock()
	for i := range failed {
		c.flight.failed(failed[i].seq, errPanic)
	}
	c.makeRoom()
	c.mu.Unlock()
	c.out.Lock()
	c.out.fresh.push(rest...)
	c.out.Unlock()
	c.park()
}

// refuse keeps a request that there was no room for, as err says, to be tried again, unless it has been refused for as
// long as its timeout. That it has not been tried for so long, on a busy machine, is no reason. The caller holds c.mu.
func (c *conn) refuse(r request, err error) {
	now := c.now().mono
	if r.giveUp == 0 {
		r.giveUp = now + min(int64(r.timeout), math.MaxInt64-now)
	}
	if now >= r.giveUp {
		c.flight.failed(r.seq, err)
		return
	}
	c.out.refused.push(r)
	c.retryLater()
}
