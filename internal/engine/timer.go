package engine

import (
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

func (c *Conn) now() flight.Stamp { return flight.StampOf(time.Now(), c.epoch) }

// mono is a reading of the monotonic clock alone, for half the price.
func (c *Conn) mono() int64 { return int64(time.Since(c.epoch)) }

// steady is a reading of the clocks, put right if the thread lost its processor between the wall clock's and the
// monotonic one's, which would look as if the wall clock had been set. The caller holds mu.
func (c *Conn) steady(s flight.Stamp) flight.Stamp {
	apart := func(a, b int64) bool { return a-b > flight.StepTolerance || b-a > flight.StepTolerance }
	if offset := s.Wall - s.Mono; !apart(offset, c.offset) {
		c.offset = offset
		return s
	}
	// Two readings in a row that agree are right, and tell whether the clock has been set.
	last := c.now()
	for range 10 {
		next := c.now()
		agree := !apart(next.Wall-next.Mono, last.Wall-last.Mono)
		if last = next; agree {
			break
		}
	}
	c.offset = last.Wall - last.Mono
	return flight.Stamp{Wall: s.Mono + c.offset, Mono: s.Mono}
}

// arm sees to it that the timekeeper wakes no later than at. The caller holds mu.
func (c *Conn) arm(at int64) {
	if at < c.armed {
		c.armed = at
		c.timer.Reset(time.Duration(at - int64(time.Since(c.epoch))))
	}
}

// armNext arms the timer for what comes next. The caller holds mu.
func (c *Conn) armNext() {
	if at, ok := c.table.NextDeadline(); ok {
		c.arm(max(at, c.grace))
	}
	if c.stalled || len(c.lanes) > 0 { // time makes room
		c.arm(c.table.NextRoom())
	}
	if len(c.agenda) > 0 && !c.stalled {
		c.arm(c.agenda[0].at)
	}
	if c.retryAt != 0 {
		c.arm(c.retryAt)
	}
}
