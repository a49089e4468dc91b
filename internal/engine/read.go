package engine

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// How many batches are read in one go, so that no flood keeps a caller, or the timekeeper, for ever.
const (
	glanceBatches = 4
	readBatches   = 64
	tickBatches   = 1 << 14
)

// read has the table see what comes, until the link ends.
func (c *Conn) read() {
	if c.link.Polls() {
		c.awaitRouse()
	}
	for some := true; ; {
		if !some {
			c.rest()
		}
		err := c.link.Wait()
		if err == nil {
			c.in.Lock()
			some, err = c.poll(c.in.packets, false, readBatches, 0)
			c.in.Unlock()
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				err = fmt.Errorf("%w: %w", net.ErrClosed, err)
			}
			c.end(err)
			return
		}
	}
}

// rest is for when callers read their answers themselves, so that to be woken for each would be a waste, and for
// sockets that nobody uses: as long as one goroutine waits for a socket, the runtime has a thread do so, and that
// wakes for whatever comes on any other. Where nothing is in flight, it waits until listen is called.
func (c *Conn) rest() {
	if !c.link.Polls() {
		return
	}
	c.mu.Lock()
	idle := c.table.Idle()
	if idle {
		c.listening.Store(false)
	}
	c.mu.Unlock()
	if idle {
		c.awaitRouse()
	}
}

// awaitRouse returns when listen has been called, or the link has ended.
func (c *Conn) awaitRouse() {
	select {
	case <-c.rouse:
	case <-c.done:
	}
}

// listen sees to it that what comes is read. A caller that waits for an answer calls it first.
func (c *Conn) listen() {
	if !c.listening.Load() && c.listening.CompareAndSwap(false, true) {
		c.rouse <- struct{}{}
	}
}

// poll has the table see what is there to be read, with all ICMP errors if asked to, but no more than so many
// batches, and if until is not 0 no more than until it has met, in each queue, a packet that came after that, on the
// wall clock. It reports whether there was any. A batch is what packets, the first of c.in's, have room for. The
// caller holds c.in.
func (c *Conn) poll(packets []wire.Packet, all bool, batches int, until int64) (some bool, err error) {
	var seen lastSeen
	idle := c.idle.Load()
	for range batches {
		c.makeBuffers(packets)
		n, more, err := c.link.TryReceive(packets, all)
		if until != 0 {
			seen.note(packets[:n])
		}
		drained := more == wire.Backlog{}
		unstamped := c.accept(packets[:n], drained, err != nil || drained && n == 0)
		some = some || n > 0
		switch {
		case err != nil:
			return some, err
		case until == 0 && !idle && c.idle.Load():
			return some, nil // all has been answered; what may be left can wait
		case until != 0 && !drained && seen.passed(until, more):
			return some, nil
		case drained && !unstamped:
			return some, nil
		}
	}
	return some, nil
}

// lastSeen is when the latest packet of each of a link's queues came, on the wall clock.
type lastSeen struct{ reply, report int64 }

func (l *lastSeen) note(packets []wire.Packet) {
	for i := range packets {
		p, last := &packets[i], &l.reply
		if p.Err != nil || p.Departed {
			last = &l.report
		}
		*last = max(*last, p.Time.UnixNano())
	}
}

// passed reports whether what is left came after until.
func (l *lastSeen) passed(until int64, left wire.Backlog) bool {
	return (!left.Replies || l.reply > until) && (!left.Reports || l.report > until)
}

// glance has the table see what is there to be read, unless another goroutine is at it. A host on this machine has
// answered before the system call that sends returns, and its answer need not go through another goroutine.
func (c *Conn) glance(batches int) {
	if c.in.TryLock() {
		c.poll(c.in.packets, false, batches, 0) // an error comes to the reader as well
		c.in.Unlock()
	}
}

// glanceFor is glance of a caller that has sent n probes, and looks for as many answers: of one, no more than a
// single packet is read, so if another comes first, it has to wait.
func (c *Conn) glanceFor(n int) {
	if n > 1 || c.link.Departures() {
		c.glance(glanceBatches)
	} else if c.in.TryLock() {
		c.poll(c.in.packets[:1], false, 1, 0)
		c.in.Unlock()
	}
}

// makeBuffers gives each packet room for the longest reply that may come.
func (c *Conn) makeBuffers(packets []wire.Packet) {
	size := int(c.largest.Load())
	if size > c.in.size {
		c.in.size = size
		c.in.buffer = make([]byte, size*len(c.in.packets))
	}
	for i := range packets {
		packets[i] = wire.Packet{Data: c.in.buffer[i*c.in.size : (i+1)*c.in.size : (i+1)*c.in.size]}
	}
}

// accept has the table look at packets, and tells it if there are no more to be read. It reports whether answers wait
// for the report of a departure. That was there before the answer, so it has come by the time that nothing more is
// read, or never will.
func (c *Conn) accept(packets []wire.Packet, drained, nothingMore bool) (unstamped bool) {
	read := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil { // and its counts are final as soon as all has been settled
		return false
	}
	read = c.steady(read)
	for i := range packets {
		p, at := &packets[i], read
		if flight.IsReading(p.Time) {
			at = flight.StampOf(p.Time, c.epoch)
			at.Mono = min(at.Mono, read.Mono)
			p.Time = time.Time{}
		}
		c.table.Accept(p, at)
	}
	if drained {
		c.table.Drained(read.Mono)
	}
	if nothingMore {
		c.table.SettleUnstamped()
	}
	c.makeRoom()
	return c.table.Unstamped()
}
