package engine

import (
	"container/heap"

	"github.com/icmpsock/ping/internal/flight"
)

// turnBatches is how many batches one goroutine sends in a row before others get their turn.
const turnBatches = 64

// An agenda is the calls of which a probe is still to be sent, the earliest first: a heap.Interface. Each Call knows
// its index, so that it can be moved.
type agenda []entry

// An entry has the instant beside the call, because the calls of many callers are not in the processor's cache.
type entry struct {
	at int64 // when the timekeeper looks after the call, on the monotonic clock
	*Call
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push implements heap.Interface.
func (a *agenda) Push(x any) {
	e := x.(entry)
	e.index = len(*a)
	*a = append(*a, e)
}

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = entry{}
	*a = (*a)[:last]
	e.index = -1
	return e
}

// schedule has the timekeeper look after the call at an instant. The caller holds mu.
func (c *Conn) schedule(call *Call, at int64) {
	switch {
	case call.index < 0:
		c.agenda = append(c.agenda, entry{at, call}) // as heap.Push would, without an allocation
		call.index = len(c.agenda) - 1
		heap.Fix(&c.agenda, call.index)
	case c.agenda[call.index].at != at:
		c.agenda[call.index].at = at
		heap.Fix(&c.agenda, call.index)
	}
	if !c.stalled {
		c.arm(at)
	}
}

// unschedule takes the call off the agenda. The caller holds mu.
func (c *Conn) unschedule(call *Call) {
	if i := call.index; i >= 0 {
		last := len(c.agenda) - 1
		if i != last {
			c.agenda.Swap(i, last)
		}
		c.agenda[last] = entry{}
		c.agenda = c.agenda[:last]
		call.index = -1
		if i != last {
			heap.Fix(&c.agenda, i)
		}
	}
}

// sendDue sends the probes that have fallen due. It is the timekeeper's.
func (c *Conn) sendDue() {
	c.clearUp(c.now().Mono)
	for range turnBatches {
		c.mu.Lock()
		due := c.takeDue(c.now().Mono)
		c.mu.Unlock()
		if len(due) == 0 {
			break
		}
		c.dispatch(due)
		c.glance(glanceBatches)
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

// turnAway gives up the next probe of a call that has waited for a place for as long as its timeout. The caller
// holds mu.
func (c *Conn) turnAway(call *Call, now int64) {
	c.stopWaiting(call)
	c.unschedule(call)
	if at, ok := call.source.Next(now, &c.next); ok && at <= now {
		call.source.Sent(now)
		c.table.TurnAway(call.in, c.next.Tag)
	}
	call.Wake()
}

// stopWaiting is for when the call's probe waits for a place no more. The caller holds mu.
func (c *Conn) stopWaiting(call *Call) {
	c.unqueue(call)
	call.giveUp = 0
}

// unqueue takes a call from those that wait for a place in the table. The caller holds mu.
func (c *Conn) unqueue(call *Call) *Call {
	if call.queued != nil {
		c.queue.Remove(call.queued)
		call.queued = nil
	}
	return call
}
