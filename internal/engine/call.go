package engine

import (
	"cmp"
	"container/list"
	"context"
	"math"
	"net"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// A Source says which probe of a call leaves next, and when. It does no I/O. Times are on the Conn's monotonic clock.
//
// Who sends for the call, its own goroutine or the timekeeper, calls the Source with the Conn's lock held, but never
// while results are being delivered: then it is the receiver's of the results alone.
type Source interface {
	// Next fills in the probe that is to leave next (Dst, Tag and Shape), and says when: at once where that has passed. It
	// reports false where none is to leave before results have been delivered, or Wake is called. Asked
	// again before Sent, it may answer otherwise.
	Next(now int64, p *flight.Probe) (at int64, ok bool)
	// Sent says that the probe that Next filled in last leaves now, or has been given up.
	Sent(now int64)
	// Done reports whether the call has come to its end.
	Done() bool
}

// A Call is one caller's probes over one Conn after another. Where a Conn has been retired, what is in flight settles
// there, and what leaves next leaves by the new one. It belongs to one goroutine, which calls Start, Run and End in
// this order; Wake may be called by any.
type Call struct {
	Options
	source Source
	home   func() (*Conn, error)

	conn       *Conn // what leaves next leaves by it; nil: none yet
	in         *flight.Inbox
	registered bool           // in is, in the Conn's table
	old        []port         // where something is in flight, and nothing is sent any more
	batch      []flight.Probe // to send
	made       int            // of them, in the table
	unheard    bool           // it has sent, and nobody may be listening for the answers
	listens    bool           // for answers to that, or for room
	results    []flight.Result
	oddities   flight.Oddities // of the ports that have been left
	retryAt    int64           // when there may be a Conn again
	timer      *time.Timer     // for that

	// The Conn's lock guards what follows.
	index  int           // in the agenda, -1 if it is not there
	busy   bool          // results are being delivered: what falls due waits
	queued *list.Element // in the Conn's queue for a place in the table
	giveUp int64         // when it will have waited there for too long; 0: it does not wait
	turns  int           // of the rate, which it has
	turn   int64         // the first of them
	leave  int64         // when that, or one taken together with it, may be used
}

// Options are how a Call goes about it.
type Options struct {
	// Epoch is that of the Conns' monotonic clock.
	Epoch time.Time
	// Batch is how many probes the call sends at a time at most, 1 to BatchSize; 0 is 1.
	Batch int
	// Lasts says that the call goes on without a Conn: what cannot be sent for want of one is a result.
	Lasts bool
	// Crowded, if not nil, is told, by the call's goroutine, that the table has no room for more of its probes.
	Crowded func()
	// Wake, if not nil, is shared by several calls of one goroutine. It has room for one token.
	Wake chan struct{}
}

// NewCall returns a Call, which may be used again after End.
func NewCall(o Options) *Call {
	if o.Wake == nil {
		o.Wake = make(chan struct{}, 1)
	}
	return &Call{Options: o, batch: make([]flight.Probe, max(o.Batch, 1)), index: -1, in: flight.NewInbox(o.Wake)}
}

// Start begins a call. home returns the Conn that it is to send over; one that has been retired no more.
func (c *Call) Start(source Source, home func() (*Conn, error)) {
	c.source, c.home, c.oddities = source, home, flight.Oddities{}
}

// Anomalies says whether those are delivered too, until End.
func (c *Call) Anomalies(on bool) { c.in.Anomalies = on }

// Shorten has those of the call's probes that are in flight wait for their answers no longer than wait says, above 0,
// by their tags. Who is told of results may call it meanwhile.
func (c *Call) Shorten(wait func(tag int64) time.Duration) {
	shorten := func(p port) {
		p.conn.mu.Lock()
		p.conn.table.Shorten(p.in, wait)
		p.conn.armNext()
		p.conn.mu.Unlock()
	}
	for _, p := range c.old {
		shorten(p)
	}
	if c.registered {
		shorten(port{c.conn, c.in})
	}
}

// Wake has the call look at its Source again. Any goroutine may call it.
func (c *Call) Wake() { signal(c.Options.Wake) }

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends what the calls' Sources say and has deliver told what becomes of it, until all Sources are done, deliver
// returns false, ctx ends, or a call that does not last loses its Conn. The latter two are errors, and come after all
// results there were. The results are deliver's until it returns; before the calls wait it is called without any. The
// calls have one Wake in common.
func Run(ctx context.Context, deliver func(call int, results []flight.Result) bool, calls ...*Call) error {
	for {
		wait, done := true, true
		for i, c := range calls {
			next, err := c.step(ctx)
			if err != nil {
				if !deliverRest(deliver, calls) {
					return nil
				}
				return err
			}
			switch next {
			case stepTell:
				if !deliver(i, c.results) {
					return nil
				}
			case stepSend:
				if c.conn.dispatch(c.batch[:c.made]) {
					c.conn.glanceFor(c.made)
				}
				c.unheard = true
			}
			wait = wait && (next == stepWait || next == stepDone)
			done = done && next == stepDone
		}
		switch {
		case done:
			return nil
		case wait:
			if !deliver(0, nil) {
				return nil
			}
			pause(ctx, calls)
		}
	}
}

// deliverRest has deliver told of what has come for the calls by now.
func deliverRest(deliver func(call int, results []flight.Result) bool, calls []*Call) bool {
	for i, c := range calls {
		for c.collectOld() || c.collect() {
			if !deliver(i, c.results) {
				return false
			}
		}
	}
	return true
}

// A step is what a call has come to.
type step int

const (
	stepWait step = iota // for answers, the timekeeper, or Wake
	stepTell             // of results
	stepSend             // what is in batch, of which made are in the table
	stepMove             // from a Conn that has been retired, or has ended
	stepAgain
	stepDone
)

// step collects results, or takes what is due into the table.
func (c *Call) step(ctx context.Context) (step, error) {
	if len(c.old) > 0 && c.collectOld() {
		return stepTell, nil
	}
	if c.conn == nil {
		if next, ok, err := c.join(ctx); !ok {
			return next, err
		}
	}
	now := int64(0)
	if len(c.Options.Wake) == 0 { // else there are results, mostly
		now = c.conn.mono()
		c.conn.clearUp(now)
	}
	next, blocked, err := c.look(now, ctx.Err())
	switch {
	case next == stepMove:
		was := c.conn
		if other := c.move(); other != nil {
			err = other
		} else if c.conn != was {
			return stepAgain, nil
		}
		return c.refuse(err)
	case blocked == crowded && c.Crowded != nil:
		c.Crowded()
	case next == stepWait && blocked == noPlace:
		return c.findPlace()
	}
	return next, err
}

// look is what step does with the Conn's lock held. It takes what is due at now, which is 0 if the clock has not been
// read. err is why the call is to move, or has come to its end.
func (c *Call) look(now int64, cancelled error) (next step, blocked block, err error) {
	conn := c.conn
	conn.mu.Lock()
	defer conn.mu.Unlock() // the Source may panic
	if !c.registered {
		if conn.retired.Load() { // a moment ago
			return stepMove, nothing, net.ErrClosed
		}
		conn.table.Register(c.in)
		c.registered = true
	}
	c.results = c.in.Swap(c.results[:0])
	if c.busy = len(c.results) > 0; c.busy {
		return stepTell, nothing, nil
	}
	c.unheard = c.unheard && c.in.InFlight() > 0
	c.listens = c.unheard
	switch {
	case c.source.Done():
		return stepDone, nothing, nil
	case cancelled != nil:
		return stepDone, nothing, cancelled
	case conn.cause != nil && !c.Lasts && !conn.retired.Load():
		return stepDone, nothing, conn.cause
	case conn.cause != nil || conn.retired.Load():
		return stepMove, nothing, cmp.Or(conn.cause, net.ErrClosed)
	}
	if now == 0 {
		now = conn.mono()
	}
	c.made, blocked = conn.take(c, c.batch, now)
	switch {
	case c.made > 0:
		next = stepSend
	case c.source.Done(): // as it has just turned out
		return stepDone, nothing, nil
	case blocked == noRoom || blocked == noBulkRoom:
		c.listens = true
		conn.await(c, blocked, now)
	}
	if blocked == noBulkRoom && conn.table.Crowded() {
		blocked = crowded
	}
	return next, blocked, nil
}

// collect takes results from the Conn that the call sends over.
func (c *Call) collect() bool {
	if c.conn == nil {
		return false
	}
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.results = c.in.Swap(c.results[:0])
	c.busy = len(c.results) > 0
	return c.busy
}

// pause waits until there may be something to do for one of the calls.
func pause(ctx context.Context, calls []*Call) {
	var retry <-chan time.Time
	first := int64(math.MaxInt64)
	for _, c := range calls {
		if c.conn == nil {
			if c.retryAt < first {
				first, retry = c.retryAt, c.retryTimer()
			}
		} else if c.listens {
			c.conn.listen() // until nothing is in flight any more
			c.unheard = false
		}
		for _, p := range c.old {
			p.conn.listen()
		}
	}
	select {
	case <-calls[0].Options.Wake:
	case <-retry:
	case <-ctx.Done():
		for _, c := range calls { // answers may have come all the same
			if c.conn != nil {
				c.conn.glance(glanceBatches)
			}
			for _, p := range c.old {
				p.conn.glance(glanceBatches)
			}
		}
	}
}

// retryTimer fires when there may be a Conn.
func (c *Call) retryTimer() <-chan time.Time {
	wait := time.Duration(c.retryAt) - time.Since(c.Epoch)
	if c.timer == nil {
		c.timer = time.NewTimer(wait)
	} else {
		c.timer.Reset(wait)
	}
	return c.timer.C
}

// End drops what is still in flight. It returns how much that is, with what was settled and has not been delivered;
// and what the call's probes met beside their results.
func (c *Call) End() (pending int, o flight.Oddities) {
	for _, p := range c.old {
		pending += c.part(p)
	}
	clear(c.old)
	c.old = c.old[:0]
	conn := c.conn
	if c.registered {
		pending += c.part(port{conn, c.in})
	}
	if conn != nil {
		c.giveBack(conn)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.in.Reset()
	c.conn, c.registered, c.source, c.home = nil, false, nil, nil
	return pending, c.oddities
}
