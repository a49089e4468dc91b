package pingtest

import (
	"time"

	"github.com/icmpsock/ping"
)

// arrivals is what is on its way: a binary heap, the next to arrive first, and of those that arrive together the one
// that was sent first. Messages stay where they are, and their buffers are used again.
type arrivals struct {
	heap     []due
	messages []ping.Message
	free     []int // places in messages
	sent     uint64
	dropped  uint64 // of those that have arrived
}

// A due message arrives at some time.
type due struct {
	at    time.Time
	order uint64
	place int  // in messages
	drop  bool // when it arrives
}

func (d *due) before(e *due) bool {
	return d.at.Before(e.at) || d.order < e.order && d.at.Equal(e.at)
}

// add puts a copy of data on its way, in a message that is otherwise empty. The message may be changed until the next
// call. It may be dropped when it arrives.
func (a *arrivals) add(at time.Time, data []byte, drop bool) *ping.Message {
	if len(a.free) == 0 {
		a.free = append(a.free, len(a.messages))
		a.messages = append(a.messages, ping.Message{})
	}
	place := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	m := &a.messages[place]
	*m = ping.Message{Data: append(m.Data[:0], data...)}
	a.sent++
	a.heap = append(a.heap, due{at, a.sent, place, drop})
	h := a.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	return m
}

// next is when the next message arrives, if there is one.
func (a *arrivals) next() (time.Time, bool) {
	if len(a.heap) == 0 {
		return time.Time{}, false
	}
	return a.heap[0].at, true
}

// take moves the next message into m, whose Data is room for it, if it has arrived by now.
func (a *arrivals) take(now time.Time, m *ping.Message) bool {
	a.drop(now)
	if len(a.heap) == 0 || a.heap[0].at.After(now) {
		return false
	}
	place := a.pop()
	room := m.Data
	*m = a.messages[place]
	m.Data = room[:copy(room, m.Data)]
	a.messages[place].Err = nil
	return true
}

// drop drops those that are to be dropped, up to the next that is not.
func (a *arrivals) drop(now time.Time) {
	for len(a.heap) > 0 && a.heap[0].drop && !a.heap[0].at.After(now) {
		a.messages[a.pop()].Err = nil
		a.dropped++
	}
}

// pop takes the next message off the heap. Its place is free, and has its contents until the next one is added.
func (a *arrivals) pop() (place int) {
	place = a.heap[0].place
	a.free = append(a.free, place)
	last := len(a.heap) - 1
	a.heap[0] = a.heap[last]
	a.heap = a.heap[:last]
	a.sink()
	return place
}

// sink puts the first of the heap in its place.
func (a *arrivals) sink() {
	h := a.heap
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].before(&h[child]) {
			child = right
		}
		if !h[child].before(&h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
