package engine

import (
	"container/heap"
	"math"
)

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

// Push implements heap.Interface: x is a *Call, whose instant is not known yet.
func (a *agenda) Push(x any) {
	call := x.(*Call)
	call.index = len(*a)
	*a = append(*a, entry{math.MaxInt64, call})
}

// Pop implements heap.Interface. It returns nothing, which takes no memory.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	(*a)[last].index = -1
	(*a)[last] = entry{}
	*a = (*a)[:last]
	return nil
}

// schedule has the timekeeper look after the call at an instant. The caller holds mu.
func (c *Conn) schedule(call *Call, at int64) {
	if call.index < 0 {
		heap.Push(&c.agenda, call)
	}
	if e := &c.agenda[call.index]; e.at != at {
		e.at = at
		heap.Fix(&c.agenda, call.index)
	}
	if !c.stalled {
		c.arm(at)
	}
}

// unschedule takes the call off the agenda. The caller holds mu.
func (c *Conn) unschedule(call *Call) {
	if call.index >= 0 {
		heap.Remove(&c.agenda, call.index)
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
