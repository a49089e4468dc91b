package engine

import (
	"math"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// keepTime gives probes up when their time has passed, and sends those that are due, until the link ends.
func (c *Conn) keepTime() {
	for {
		select {
		case <-c.timer.C:
			c.tick()
		case <-c.done:
			c.timer.Stop()
			if c.takeSending() { // else who sends sees that the link has ended
				c.flush()
			}
			return
		}
	}
}

// tick does what is to be done by now.
func (c *Conn) tick() {
	c.mu.Lock()
	now := c.steady(c.now())
	c.armed = math.MaxInt64
	at, ok := c.table.NextDeadline()
	overdue := ok && at <= now.Mono || c.table.Unstamped() || c.stalled || len(c.lanes) > 0
	due := len(c.agenda) > 0 && c.agenda[0].at <= now.Mono || c.queue.Len() > 0
	again := c.retryAt != 0 && c.retryAt <= now.Mono
	if again {
		c.retryAt = 0
	}
	c.mu.Unlock()
	if overdue {
		c.giveUp(now)
	}
	c.sendLeft(again)
	if due {
		c.sendDue()
	}
	c.mu.Lock()
	c.armNext()
	c.mu.Unlock()
}

// sendLeft goes on with what others have left to be sent, and with what was refused, if that is to be tried again.
func (c *Conn) sendLeft(again bool) {
	if again {
		c.out.wanted.Store(true)
	}
	again = c.out.wanted.Load()
	switch {
	case !again && !c.out.queue.some.Load():
	case !c.takeSending(): // who sends hands over soon, unless it was about to let go
		c.mu.Lock()
		c.retryLater(retryAfter)
		c.mu.Unlock()
	case again:
		c.out.wanted.Store(false)
		c.retry()
	default:
		c.flush()
	}
}

// takeSending reports whether the timekeeper holds out.sending, now or already.
func (c *Conn) takeSending() bool {
	c.mu.Lock()
	handed := c.handed
	c.handed = false
	c.mu.Unlock()
	return handed || c.out.sending.TryLock()
}

// giveUp reads all that came before this instant, and then gives up what is overdue: however late the program
// gets round to it, what came in time counts.
func (c *Conn) giveUp(now flight.Stamp) {
	c.in.Lock()
	c.poll(c.in.packets, true, tickBatches, now.Wall)
	c.in.Unlock()
	c.noteDrops()
	c.mu.Lock()
	c.table.Drained(now.Mono)
	if c.link.Polls() || !c.lenient(now.Mono) {
		c.table.Expire(now.Mono)
	}
	c.makeRoom()
	if c.table.Unstamped() { // of the last moment: their reports are on the way
		c.arm(now.Mono + int64(time.Millisecond))
	}
	c.mu.Unlock()
}

const (
	// lateness is how late the timekeeper may be before the whole program is taken to have been held up.
	lateness = time.Millisecond
	// graceTime is how long a link that cannot be polled then has to hand over what came meanwhile.
	graceTime = 10 * time.Millisecond
)

// lenient reports whether what is overdue may have been answered in time all the same: the timekeeper is late, and
// the link cannot be polled. The caller holds mu.
func (c *Conn) lenient(now int64) bool {
	at, ok := c.table.NextDeadline()
	if !ok || now-at <= int64(lateness) {
		return false
	}
	if c.grace <= at {
		c.grace = now + int64(graceTime)
	}
	return now < c.grace
}
