package ping

import (
	"math"
	"time"
)

func (c *conn) now() stamp { return stampOf(time.Now(), c.epoch) }

// steady is a reading of the clocks, put right if the thread lost its processor between the wall clock's and the
// monotonic one's, which would look as if the wall clock had been set. The caller holds c.mu.
func (c *conn) steady(s stamp) stamp {
	apart := func(a, b int64) bool { return a-b > stepTolerance || b-a > stepTolerance }
	if offset := s.wall - s.mono; !apart(offset, c.offset) {
		c.offset = offset
		return s
	}
	// Two readings in a row that agree are right, and tell whether the clock has been set.
	last := c.now()
	for range 10 {
		next := c.now()
		agree := !apart(next.wall-next.mono, last.wall-last.mono)
		if last = next; agree {
			break
		}
	}
	c.offset = last.wall - last.mono
	return stamp{wall: s.mono + c.offset, mono: s.mono}
}

// arm sees to it that the timekeeper wakes no later than at. The caller holds c.mu.
func (c *conn) arm(at int64) {
	if at < c.armed {
		c.armed = at
		c.timer.Reset(time.Duration(at - int64(time.Since(c.epoch))))
	}
}

// armNext arms the timer for what comes next. The caller holds c.mu.
func (c *conn) armNext() {
	if len(c.flight.deadlines) > 0 {
		c.arm(max(c.flight.deadlines[0].at, c.grace))
	}
	if c.room != nil || c.stalled { // time makes room
		c.arm(c.flight.window.next())
	}
	if len(c.agenda) > 0 && !c.stalled {
		c.arm(c.agenda[0].at)
	}
	if c.retryAt != 0 {
		c.arm(c.retryAt)
	}
}

// keepTime gives probes up when their time has passed, and sends those that are due, until the conn ends.
func (c *conn) keepTime() {
	for {
		select {
		case <-c.timer.C:
			c.tick()
		case <-c.done:
			c.timer.Stop()
			c.resume()
			c.retry()
			return
		}
	}
}

// tick does what is to be done by now.
func (c *conn) tick() {
	c.mu.Lock()
	now := c.steady(c.now())
	c.armed = math.MaxInt64
	overdue := len(c.flight.deadlines) > 0 && c.flight.deadlines[0].at <= now.mono
	overdue = overdue || len(c.flight.unstamped) > 0 || c.room != nil || c.stalled
	due := len(c.agenda) > 0 && c.agenda[0].at <= now.mono
	again := c.retryAt != 0 && c.retryAt <= now.mono
	if again {
		c.retryAt = 0
	}
	c.mu.Unlock()
	if overdue {
		c.giveUp(now)
	}
	c.resume()
	if again {
		c.retry()
	}
	if due {
		c.sendDue()
	}
	c.mu.Lock()
	c.armNext()
	c.mu.Unlock()
}

// giveUp reads all that came before this instant, and then gives up what is overdue: however late the program
// gets round to it, what came in time counts.
func (c *conn) giveUp(now stamp) {
	c.in.Lock()
	if c.poller != nil {
		c.poll(c.in.messages, true, tickBatches, now.wall)
	}
	c.in.Unlock()
	c.noteDrops()
	c.mu.Lock()
	c.flight.window.drained(now.mono)
	if c.poller != nil || !c.lenient(now.mono) {
		c.flight.expire(now.mono)
	}
	c.makeRoom()
	if len(c.flight.unstamped) > 0 { // of the last moment: their reports are on the way
		c.arm(now.mono + int64(time.Millisecond))
	}
	c.mu.Unlock()
}

const (
	// lateness is how late the timekeeper may be before the whole program is taken to have been held up.
	lateness = time.Millisecond
	// graceTime is how long a transport then has to hand over what came meanwhile.
	graceTime = 10 * time.Millisecond
)

// lenient reports whether what is overdue may have been answered in time all the same: the timekeeper is late, and
// cannot read what the transport has. The caller holds c.mu.
func (c *conn) lenient(now int64) bool {
	if len(c.flight.deadlines) == 0 {
		return false
	}
	at := c.flight.deadlines[0].at
	if now-at <= int64(lateness) {
		return false
	}
	if c.grace <= at {
		c.grace = now + int64(graceTime)
	}
	return now < c.grace
}
