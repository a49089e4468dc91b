package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// turnBatches is how many batches one caller sends on behalf of others before it is let go.
const turnBatches = 64

// A request is one echo request, as its caller wants it.
type request struct {
	dst          netip.Addr
	template     []byte
	timeout      time.Duration
	tag          int64 // the caller's own name for it, given back in the outcome
	ttl          int
	trafficClass int
	dontFragment bool
	flow         uint16 // what balance makes of the cookie; 0: nothing
	flowLabel    int
	bulk         bool // may share a system call, at the price of an RTT that is not so exact

	// What follows is the table's to fill in.
	seq    uint16
	cookie uint64

	giveUp int64 // when it has been refused for too long, on the monotonic clock; 0 if it has not been refused
}

// size is the length of the payload.
func (r *request) size() int { return len(r.template) - headerLen }

// launch sends one request for in, as tryLaunch does, once there is room for it. If there is none for as long as its
// timeout, in is told.
func (c *conn) launch(ctx context.Context, in *inbox, r request) error {
	n, room, err := c.tryLaunch(in, []request{r})
	if n == 1 || err != nil {
		return err
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	for {
		c.listen()
		select {
		case <-room:
		case <-timer.C:
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.closed == nil {
				c.flight.turnAway(in, r.tag)
			}
			return c.closed
		case <-ctx.Done():
			return ctx.Err()
		}
		if n, room, err = c.tryLaunch(in, []request{r}); n == 1 || err != nil {
			return err
		}
	}
}

// tryLaunch sends requests for in, as many of them as there is room for in flight. It returns when they are
// sent, or on their way by the hand of another caller. How each ends, in is told. Where there is not room for
// all, room is closed when it is worth trying again. Only the end of the conn is an error.
func (c *conn) tryLaunch(in *inbox, requests []request) (n int, room <-chan struct{}, err error) {
	for i := range requests {
		c.expect(int64(requests[i].size() + spareRoom))
	}
	c.mu.Lock()
	if c.closed != nil {
		defer c.mu.Unlock()
		return 0, nil, c.closed
	}
	for n < len(requests) && !c.flight.full(requests[n].bulk) {
		c.flight.take(in, &requests[n])
		n++
	}
	if n < len(requests) {
		if c.room == nil {
			c.room = make(chan struct{})
			c.patient = true
		}
		c.patient = c.patient && requests[n].bulk
		room = c.room
		c.armNext()
	}
	set(&c.crowded, c.flight.crowded())
	c.mu.Unlock()
	if n == 0 {
		return 0, room, nil
	}
	c.dispatch(requests[:n])
	return n, room, nil
}

// dispatch sends requests that the table has taken, or leaves that to another who is at it.
func (c *conn) dispatch(requests []request) {
	c.out.Lock()
	if c.out.busy {
		c.out.fresh.push(requests...)
		c.out.Unlock()
		return
	}
	c.out.busy = true
	n := copy(c.out.batch, requests)
	c.out.fresh.push(requests[n:]...)
	c.out.Unlock()
	c.transmit(c.out.batch[:n])
	c.flush()
}

// clearUp makes room in the receive buffer, where strays may have come while nobody was listening, and takes note of
// what has been dropped before the next probe leaves, which has nothing to do with that. Whoever is about to send after
// a pause calls it.
func (c *conn) clearUp(now int64) {
	if c.queue == nil || !c.idle.Load() || now-c.lastNote.Load() < int64(restful) {
		return
	}
	if !c.listening.Load() {
		c.glance(receiveBatches)
	}
	c.noteDrops()
}

// restful is for how long what comes while nothing is in flight will not fill the receive buffer.
const restful = time.Millisecond

// expect sees to it that a message of the given size is received whole: whoever reads now has its buffers already.
func (c *conn) expect(size int64) {
	if size <= c.largest.Load() {
		return
	}
	c.in.Lock()
	c.largest.Store(max(size, c.largest.Load()))
	c.in.Unlock()
}

// set stores a value that seldom changes, and is often read.
func set(b *atomic.Bool, value bool) {
	if b.Load() != value {
		b.Store(value)
	}
}

// makeRoom tells those who wait for room that there may be some. The caller holds c.mu.
func (c *conn) makeRoom() {
	set(&c.idle, c.flight.count == 0)
	set(&c.crowded, c.flight.crowded())
	if c.room == nil && !c.stalled || c.closed == nil && c.flight.full(c.patient && !c.stalled) {
		return
	}
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
	c.stalled = false
	c.armNext()
}

// flush sends what is queued, and what others queue meanwhile. The caller has set out.busy.
func (c *conn) flush() {
	for range turnBatches {
		n := c.takeFresh(true)
		if n == 0 {
			return
		}
		c.transmit(c.out.batch[:n])
	}
	c.park()
}

// takeFresh takes a batch of what is queued. If there is none it lets others send, if asked to. Once the conn has ended,
// what was refused counts as queued: it is to be told of that.
func (c *conn) takeFresh(release bool) int {
	c.out.Lock()
	n := c.out.fresh.take(c.out.batch)
	if n == 0 && c.ended.Load() {
		n = c.out.refused.take(c.out.batch)
	}
	if n == 0 && release {
		c.out.busy = false
	}
	c.out.Unlock()
	return n
}

// together is how many of the first requests leave with one system call. There, one message leaves after another, at
// instants that are but estimated, and a thread that loses its processor spoils the RTTs of all of them. So only a
// Sweep's share one.
func together(batch []request) int {
	n := 0
	for n < len(batch) && batch[n].bulk {
		n++
	}
	return max(n, 1)
}

// transmit sends a batch. What the transport has no room for it adds to out.refused. Should the transport panic, what it
// was to send has failed, and others go on sending.
func (c *conn) transmit(batch []request) {
	sending := 0
	defer func() {
		if sending > 0 {
			c.abort(batch[:sending], batch[sending:])
		}
	}()
	for len(batch) > 0 {
		group := batch[:together(batch)]
		messages := c.out.messages[:len(group)]
		for i := range group {
			r := &group[i]
			messages[i] = Message{
				Addr:         r.dst,
				Data:         appendEcho(messages[i].Data[:0], r.template, r.seq, r.cookie),
				TTL:          r.ttl,
				TrafficClass: r.trafficClass,
				DontFragment: r.dontFragment,
				FlowLabel:    r.flowLabel,
			}
			if c.wire {
				messages[i].key = keyOf(r.seq, r.cookie)
			}
		}
		var before time.Time
		if c.poller == nil { // the kernel's socket tells for certain
			before = time.Now()
		}
		sending = len(group)
		n, err := c.transport.Send(messages)
		sending = 0
		switch {
		case n < 0 || n > len(group):
			n, err = 0, fmt.Errorf("the transport says that it took %d of %d messages", n, len(group))
		case n < len(group) && err == nil:
			err = errNotTaken
		}
		if c.poller == nil {
			for i := range messages[:n] {
				messages[i].bound(before, time.Now())
			}
		}

		if errors.Is(err, errEnded) {
			c.end(fmt.Errorf("%w: %w", net.ErrClosed, err))
		}
		c.mu.Lock()
		if n > 0 {
			c.depart(group[:n], messages, before)
		}
		batch = batch[n:]
		if c.closed != nil {
			for i := range batch {
				c.flight.failed(batch[i].seq, c.closed)
			}
			c.flight.drain(c.closed)
			batch = nil
		} else if n < len(group) {
			if errors.Is(err, ErrNoRoom) {
				c.refuse(batch[0], err)
			} else {
				c.flight.failed(batch[0].seq, err)
			}
			batch = batch[1:]
		}
		c.makeRoom()
		c.mu.Unlock()
	}
}

// bound puts a time of departure right that cannot be: it was no sooner than after, and no later than before.
func (m *Message) bound(after, before time.Time) {
	if m.Time.Before(after) {
		m.Time = after
	}
	if m.Time.After(before) {
		m.Time = before
	}
}

var (
	errNotTaken = errors.New("the transport did not take the message, and gave no error")
	errPanic    = errors.New("the transport panicked")
)

// depart tells the table when messages left. The caller holds c.mu.
func (c *conn) depart(batch []request, messages []Message, before time.Time) {
	if !messages[0].Time.IsZero() {
		before = messages[0].Time
	}
	at := c.steady(stampOf(before, c.epoch))
	for i := range batch {
		lag := time.Duration(0)
		if !messages[i].Time.IsZero() {
			lag = messages[i].Time.Sub(before)
		}
		c.flight.sent(batch[i].seq, at, int64(lag))
	}
	c.armNext()
	if len(c.flight.unstamped) > 0 {
		c.arm(at.mono) // the timekeeper reads the reports
	}
}
