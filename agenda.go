package ping

import (
	"container/heap"
	"time"
)

// A plan is the probes that one call sends to one target, an interval apart. The first its caller sends, if few others
// are at it; the timekeeper sends what falls due after that, for all calls, so that a call's goroutine wakes for
// answers alone. A conn guards it.
type plan struct {
	in       *inbox
	ask      request
	schedule schedule
	count    int   // of probes in all; 0: without end
	made     int   // of them, sent or on their way
	flying   int   // of those, how many the caller has not been told the outcome of
	own      bool  // the next is the caller's to send
	busy     bool  // the caller deals with an outcome: what falls due waits
	turn     int64 // when the next may leave, if the limiter has said that; else 0
	place    int   // in the agenda, -1 if not there
}

// A step is what a call has to do next.
type step int

const (
	stepTell step = iota // of an outcome
	stepSend             // the plan's next probe
	stepWait             // until the inbox wakes it
	stepMove             // to the conn that the Pinger has now
	stepDone             // nothing
)

// An agenda is the plans of which a probe is still to be sent, the earliest first: a heap.Interface.
type agenda []entry

// An entry has the instant beside the plan, because the plans of many calls are not in the processor's cache.
type entry struct {
	at int64 // when it is the timekeeper's turn to look, on the monotonic clock
	*plan
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(x any) {
	e := x.(entry)
	e.place = len(*a)
	*a = append(*a, e)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = entry{}
	*a = (*a)[:last]
	e.place = -1
	return e
}

// advance returns the request for the plan's next probe, which leaves now.
func (p *plan) advance() request {
	p.ask.tag = int64(p.made)
	p.made++
	p.flying++
	p.turn, p.own = 0, p.schedule.interval == 0
	return p.ask
}

// left says that the probe that advance returned has left by now.
func (p *plan) left(now int64) {
	if p.made == 1 {
		p.schedule.next = now // the grid begins with the first, however long that had to wait
	}
	p.schedule.sent(now)
}

// next says what the plan's caller has to do, and returns the outcome to tell of if that is it. The call ends with the
// conn's error, but is told of all outcomes before.
func (c *conn) next(p *plan) (step, outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := p.in.take(); ok {
		p.flying--
		p.busy = true
		return stepTell, o, nil
	}
	p.busy = false
	switch more := p.count == 0 || p.made < p.count; {
	case !more && p.flying == 0:
		return stepDone, outcome{}, nil
	case c.retired.Load() && p.flying == 0:
		return stepMove, outcome{}, nil
	case c.closed != nil:
		return stepDone, outcome{}, c.closed
	case !more || c.retired.Load():
	case p.own && (p.schedule.interval > 0 || p.flying == 0):
		p.advance()
		return stepSend, outcome{}, nil
	case !p.own && p.place < 0:
		at := p.schedule.next
		if p.turn > c.now().mono {
			at = p.turn
		} else {
			p.turn = 0 // none, or lost: nobody was there to take it
		}
		heap.Push(&c.agenda, entry{at, p})
		c.arm(at)
	}
	if p.flying > 0 {
		c.listen()
	}
	return stepWait, outcome{}, nil
}

// sendDue sends the probes that have fallen due.
func (c *conn) sendDue() {
	c.clearUp(c.now().mono)
	for range turnBatches {
		c.mu.Lock()
		due := c.takeDue(c.now().mono)
		c.mu.Unlock()
		if len(due) == 0 {
			break
		}
		c.dispatch(due)
		c.glance(glanceBatches)
	}
	c.mu.Lock()
	waiting := c.flight.count > 0
	c.mu.Unlock()
	if waiting {
		c.listen()
	}
}

// takeDue takes some of the probes that are due at now, as far as there is room for them. The caller holds c.mu.
func (c *conn) takeDue(now int64) []request {
	due := c.due[:0]
	for len(c.agenda) > 0 && c.agenda[0].at <= now && len(due) < cap(due) && c.closed == nil {
		p := c.agenda[0].plan
		if p.busy {
			heap.Pop(&c.agenda)
			continue
		}
		if c.flight.packed() { // for who knows how long: the caller is to find another conn
			heap.Pop(&c.agenda)
			c.giveBackTurn(p)
			p.own = true
			p.in.signal()
			continue
		}
		if c.stalled = c.flight.full(false); c.stalled {
			break
		}
		if c.limiter != nil && p.turn == 0 {
			if turn := int64(c.limiter.reserve(time.Now(), 1).Sub(c.epoch)); turn > now {
				p.turn = turn
				c.postpone(turn)
				continue
			}
		}
		r := p.advance()
		p.left(now)
		c.flight.take(p.in, &r)
		due = append(due, r)
		if p.made == p.count {
			heap.Pop(&c.agenda)
		} else {
			c.postpone(p.schedule.next)
		}
	}
	return due
}

// postpone gives the plan that comes first another instant.
func (c *conn) postpone(at int64) {
	c.agenda[0].at = at
	heap.Fix(&c.agenda, 0)
}

// cancel takes the plan off the agenda.
func (c *conn) cancel(p *plan) {
	c.mu.Lock()
	if p.place >= 0 {
		heap.Remove(&c.agenda, p.place)
	}
	c.giveBackTurn(p)
	c.mu.Unlock()
}

// giveBackTurn frees the plan's turn, if it has one. The caller holds c.mu.
func (c *conn) giveBackTurn(p *plan) {
	if p.turn > c.now().mono {
		c.limiter.giveBack(c.epoch.Add(time.Duration(p.turn)), 1)
	}
	p.turn = 0
}

// disband wakes the calls whose probes would have been sent. The caller holds c.mu.
func (c *conn) disband() {
	for len(c.agenda) > 0 {
		heap.Pop(&c.agenda).(entry).in.signal()
	}
}
