package engine

import (
	"math"
	"slices"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

// A block is why no more probes could be taken into the table.
type block int

const (
	nothing    block = iota
	noRoom           // in the receive buffer, for the moment
	noBulkRoom       // for more bulk, in the receive buffer or the table
	noPlace          // in the table, for who knows how long
	crowded          // as noBulkRoom, and it is the table that has none
)

// take puts those of the call's probes that are due at now into the table, and schedules the next. The caller holds
// mu, and sends what is taken.
func (c *Conn) take(call *Call, batch []flight.Probe, now int64) (n int, blocked block) {
	for n < len(batch) {
		p := &batch[n]
		at, ok := call.source.Next(now, p)
		if !ok {
			c.stopWaiting(call)
			c.unschedule(call)
			return n, nothing
		}
		if at > now {
			c.stopWaiting(call)
			c.schedule(call, at)
			return n, nothing
		}
		if c.table.Full(p.Shape.Bulk) {
			switch {
			case p.Shape.Bulk:
				return n, noBulkRoom
			case c.table.Packed():
				return n, noPlace
			}
			return n, noRoom
		}
		if !c.table.HasNumber(p.Shape) {
			c.awaitNumber(call, p.Shape, now)
			return n, nothing
		}
		if c.limiter != nil && !c.mayLeave(call, p.Shape.Bulk, now) {
			c.schedule(call, call.leave)
			return n, nothing
		}
		c.stopWaiting(call)
		c.table.Take(call.in, p)
		set(&c.idle, false)
		call.source.Sent(now)
		n++
	}
	return n, nothing
}

// mayLeave reports whether it is the call's turn. If not, call.leave is when it will be. The caller holds mu.
func (c *Conn) mayLeave(call *Call, bulk bool, now int64) bool {
	if now-call.leave > plan.Slack {
		call.turns = 0 // lost: nobody was there to take them
	}
	if call.turns == 0 {
		call.turns = 1
		if bulk {
			call.turns = min(c.limiter.Burst(), BatchSize)
		}
		call.turn = c.limiter.Reserve(now, call.turns)
		call.leave = call.turn
	}
	if call.leave > now {
		return false
	}
	call.turns--
	call.turn += c.limiter.Interval()
	return true
}

// awaitNumber has the timekeeper look after the call again in a moment, for all numbers that its probe may have are in
// use, and gives up the probe when it has found none for as long as its timeout. The caller holds mu.
func (c *Conn) awaitNumber(call *Call, shape *flight.Shape, now int64) {
	if call.giveUp == 0 {
		call.giveUp = now + min(int64(shape.Timeout), math.MaxInt64-now)
	}
	if call.giveUp <= now {
		c.turnAway(call, now)
		return
	}
	c.schedule(call, min(now+int64(retryAfter), call.giveUp))
}

// await sees to it that the call goes on when there is room: bulk by its caller's goroutine, others by the
// timekeeper. The caller holds mu.
func (c *Conn) await(call *Call, blocked block, now int64) {
	if blocked == noBulkRoom {
		c.unschedule(call)
		if !slices.Contains(c.lanes, call) {
			c.lanes = append(c.lanes, call)
		}
	} else {
		c.stalled = true
		c.schedule(call, now)
	}
	c.armNext()
}

// sendDue sends the probes that have fallen due. It is the timekeeper's.
func (c *Conn) sendDue() {
	c.clearUp(c.mono())
	for range turnBatches {
		c.mu.Lock()
		due := c.takeDue(c.mono())
		c.mu.Unlock()
		if len(due) == 0 {
			break
		}
		if c.dispatch(due) {
			c.glance(glanceBatches)
		}
	}
	if !c.idle.Load() {
		c.listen()
	}
}

// takeDue puts some of the probes that are due at now into the table, as far as it has room. The caller holds mu.
func (c *Conn) takeDue(now int64) []flight.Probe {
	due := c.due[:0]
	for c.cause == nil && len(due) < cap(due) {
		if first := c.queue.Front(); first != nil && !c.table.Packed() {
			call := c.unqueue(first.Value.(*Call))
			c.schedule(call, 0) // before all that has fallen due
		}
		if len(c.agenda) == 0 || c.agenda[0].at > now || c.stalled {
			break
		}
		call := c.agenda[0].Call
		switch {
		case call.busy:
			c.unschedule(call)
			continue
		case call.giveUp != 0 && call.giveUp <= now && c.table.Packed():
			c.turnAway(call, now)
			continue
		}
		n, blocked := c.take(call, due[len(due):cap(due)], now)
		due = due[:len(due)+n]
		if len(due) == cap(due) {
			c.reschedule(call, now)
		}
		switch blocked {
		case noRoom, noBulkRoom:
			c.await(call, blocked, now)
		case noPlace: // for who knows how long: the caller is to look for another Conn
			c.unschedule(call)
			call.Wake()
		}
	}
	return due
}

// reschedule has the call wait for its next probe's turn among the others. One that is due already waits for those that
// have fallen due by now: a call that has always something due would leave them none. The caller holds mu.
func (c *Conn) reschedule(call *Call, now int64) {
	if at, ok := call.source.Next(now, &c.next); ok {
		c.schedule(call, max(at, now))
	} else {
		c.unschedule(call)
	}
}

// turnAway gives up the next probe of a call that has waited for a place, or a number, for as long as its timeout. The
// caller holds mu.
func (c *Conn) turnAway(call *Call, now int64) {
	c.stopWaiting(call)
	c.unschedule(call)
	if at, ok := call.source.Next(now, &c.next); ok && at <= now {
		call.source.Sent(now)
		c.table.TurnAway(call.in, c.next.Tag)
	}
	call.Wake()
}
