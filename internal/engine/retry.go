package engine

import (
	"cmp"
	"errors"
	"math"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

const (
	// retryAfter is when a packet that the link had no room for is tried again, and patientRetryAfter when that is if
	// it may wait for longer than its timeout.
	retryAfter        = time.Millisecond
	patientRetryAfter = 16 * time.Millisecond
	// turnRefusals is how many of those may be refused again before the rest waits for the next time.
	turnRefusals = 16
)

var errPanic = errors.New("the transport panicked")

// refuse keeps a probe that there was no room for, as err says, to be tried again, unless it has been refused for as
// long as it may be. That it has not been tried for so long, on a busy machine, is no reason. The caller holds
// out.sending and mu.
func (c *Conn) refuse(p flight.Probe, err error) {
	now := c.mono()
	if p.GiveUp == 0 {
		patience := cmp.Or(p.Shape.Patience, p.Shape.Timeout)
		p.GiveUp = now + min(int64(patience), math.MaxInt64-now)
	}
	if now >= p.GiveUp {
		c.table.Failed(&p, err)
		return
	}
	c.out.refused.push(p)
	if p.Shape.Patience > 0 {
		c.retryLater(patientRetryAfter)
	} else {
		c.retryLater(retryAfter)
	}
}

// retryLater has the timekeeper call retry after a pause. The caller holds mu.
func (c *Conn) retryLater(pause time.Duration) {
	at := c.mono() + int64(pause)
	if c.retryAt == 0 || at < c.retryAt {
		c.retryAt = at
		c.arm(at)
	}
}

// retry tries what there was no room for again, except for what nobody waits for any more, until too many of them are
// refused anew. What is fresh goes before, up to turnBatches. It is the timekeeper's, which holds out.sending, and
// lets go of it.
func (c *Conn) retry() {
	refused, fresh := 0, 0
	for left := c.out.refused.len(); left > 0 && refused < turnRefusals; {
		if fresh < turnBatches && c.out.queue.some.Load() {
			fresh++
			c.transmit(c.out.batch[:c.pop()])
			continue
		}
		n := c.out.refused.pop(c.out.batch[:min(left, BatchSize)])
		if n == 0 {
			break
		}
		left -= n
		c.mu.Lock()
		if c.cause == nil { // else all of them count as not sent
			n = c.table.Wanted(c.out.batch[:n])
		}
		c.makeRoom()
		c.mu.Unlock()
		before := c.out.refused.len()
		c.transmit(c.out.batch[:n])
		refused += c.out.refused.len() - before
	}
	if c.out.refused.len() > 0 {
		c.mu.Lock()
		c.retryLater(patientRetryAfter) // sooner, if one that has just been refused asks for it
		c.mu.Unlock()
	}
	c.flush()
}

// abort is for when the link's Send has not returned. It lets go of out.sending.
func (c *Conn) abort(failed, rest []flight.Probe) {
	c.mu.Lock()
	for i := range failed {
		c.table.Failed(&failed[i], errPanic)
	}
	c.makeRoom()
	c.mu.Unlock()
	c.push(rest)
	if !c.handOver() {
		c.flush()
	}
}
