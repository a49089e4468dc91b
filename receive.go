package ping

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// How many batches are read in one go, so that no flood keeps a caller, or the timekeeper, for ever.
const (
	glanceBatches  = 4
	receiveBatches = 64
	tickBatches    = 1 << 14
)

// receive settles what comes, until the transport ends.
func (c *conn) receive() {
	for some := false; ; {
		var err error
		if c.poller != nil {
			if !some {
				c.rest()
			}
			if err = c.poller.wait(); err == nil {
				c.in.Lock()
				some, err = c.poll(c.in.messages, false, receiveBatches, 0)
				c.in.Unlock()
			}
		} else {
			err = c.receiveOnce()
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
func (c *conn) rest() {
	c.mu.Lock()
	idle := c.flight.count == 0
	if idle {
		c.listening.Store(false)
	}
	c.mu.Unlock()
	if idle {
		select {
		case <-c.rouse:
		case <-c.done:
		}
	}
}

// listen sees to it that what comes is read. A caller that waits for an answer calls it first.
func (c *conn) listen() {
	if !c.listening.Load() && c.listening.CompareAndSwap(false, true) {
		c.rouse <- struct{}{}
	}
}

// receiveOnce waits for messages and settles them. Nobody else reads a transport that cannot be polled.
func (c *conn) receiveOnce() error {
	c.makeBuffers(c.in.messages)
	n, err := c.transport.Receive(c.in.messages)
	if n < 0 || n > len(c.in.messages) {
		return fmt.Errorf("the transport says that it received %d messages of %d at most", n, len(c.in.messages))
	}
	c.in.Lock()
	c.settle(c.in.messages[:n], false)
	c.in.Unlock()
	return err
}

// poll settles what is there to be read, with all ICMP errors if asked to, but no more than so many batches, and if
// until is not 0 no more than until it has met, in each queue, a message that came after that, on the wall clock. It
// reports whether there was any. A batch is what messages, the first of c.in's, have room for. The caller holds c.in.
func (c *conn) poll(messages []Message, all bool, batches int, until int64) (some bool, err error) {
	var seen lastSeen
	idle := c.idle.Load()
	for range batches {
		c.makeBuffers(messages)
		n, more, err := c.poller.tryReceive(messages, all)
		if until != 0 {
			seen.note(messages[:n])
		}
		drained := more == backlog{}
		unstamped := c.settle(messages[:n], drained)
		some = some || n > 0
		switch {
		case err == nil && until == 0 && !idle && c.idle.Load():
			return some, nil // all has been answered; what may be left can wait
		case err == nil && !drained && until != 0 && seen.passed(until, more):
			return some, nil
		case err == nil && (!drained || unstamped && n > 0):
			continue
		}
		// The report of a departure was there before the answer that waits for it, so it has come by the
		// time that there is nothing left to read, or never will.
		if unstamped {
			c.mu.Lock()
			c.flight.settleUnstamped(func(*arrival) bool { return true })
			c.makeRoom()
			c.mu.Unlock()
		}
		return some, err
	}
	return some, nil
}

// lastSeen is when the latest message of each of a poller's queues came, on the wall clock.
type lastSeen struct{ reply, report int64 }

func (l *lastSeen) note(messages []Message) {
	for i := range messages {
		m, last := &messages[i], &l.reply
		if m.Err != nil || m.departed {
			last = &l.report
		}
		*last = max(*last, m.Time.UnixNano())
	}
}

// passed reports whether what is left came after until.
func (l *lastSeen) passed(until int64, left backlog) bool {
	return (!left.replies || l.reply > until) && (!left.reports || l.report > until)
}

// glance settles what is there to be read, unless another goroutine is at it. A host on this machine has
// answered before the system call that sends returns, and its answer need not go through another goroutine.
func (c *conn) glance(batches int) {
	if c.poller != nil && c.in.TryLock() {
		c.poll(c.in.messages, false, batches, 0) // an error comes to receive as well
		c.in.Unlock()
	}
}

// glanceForOne is glance of a caller that has sent one message, and looks for one: if another comes first, it has to
// wait.
func (c *conn) glanceForOne() {
	if c.wire {
		c.glance(glanceBatches)
	} else if c.poller != nil && c.in.TryLock() {
		c.poll(c.in.messages[:1], false, 1, 0)
		c.in.Unlock()
	}
}

// makeBuffers gives each message room for the longest reply that may come.
func (c *conn) makeBuffers(messages []Message) {
	size := int(c.largest.Load())
	if size > c.in.size {
		c.in.size = size
		c.in.buffer = make([]byte, size*len(c.in.messages))
	}
	for i := range messages {
		messages[i] = Message{Data: c.in.buffer[i*c.in.size : (i+1)*c.in.size : (i+1)*c.in.size]}
	}
}

// settle has the table look at messages, and tells it if there are no more to be read. It reports whether answers wait
// for the report of a departure.
func (c *conn) settle(messages []Message, drained bool) (unstamped bool) {
	read := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil { // and its counters are final as soon as all has been settled
		return false
	}
	read = c.steady(read)
	for i := range messages {
		m, at := &messages[i], read
		if isReading(m.Time) {
			at = stampOf(m.Time, c.epoch)
			at.mono = min(at.mono, read.mono)
			m.Time = time.Time{}
		}
		c.flight.accept(m, at)
	}
	if drained {
		c.flight.window.drained(read.mono)
	}
	c.makeRoom()
	return len(c.flight.unstamped) > 0
}
