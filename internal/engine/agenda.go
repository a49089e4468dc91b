package engine

import "container/heap"

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
