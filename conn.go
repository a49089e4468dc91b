package ping

import (
	crand "crypto/rand"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchSize = 8 // messages a system call: more win next to nothing
	// usualMessage is room for every reply to a payload of the usual sizes, and for the quotation in an
	// ICMP error (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4: at most 1,280 bytes).
	usualMessage = 2048
	// spareRoom is for the headers before a payload (ICMP's, and IPv4's on a raw socket), and to tell an
	// answer that is too long from one that is just right.
	spareRoom = 128
)

// A conn is one transport with the probes in flight over it. Two goroutines live as long as it does: one waits
// for messages; the other, the timekeeper, for deadlines, and for when the next probe is to leave.
type conn struct {
	transport Transport
	poller    poller // the transport, if it is one; else nil
	queue     queue  // likewise
	wire      bool   // the transport reports departures
	limiter   *limiter
	log       *slog.Logger
	epoch     time.Time
	done      chan struct{}
	running   sync.WaitGroup

	retired   atomic.Bool   // there is another to use instead
	ended     atomic.Bool   // closed is set
	listening atomic.Bool   // the receiving goroutine is not at rest
	rouse     chan struct{} // ends its rest
	lastNote  atomic.Int64  // when the transport was last asked for its drops, on the monotonic clock
	idle      atomic.Bool   // nothing is in flight
	crowded   atomic.Bool   // the table itself has no room for more bulk

	mu      sync.Mutex // guards what follows, for a moment only
	flight  flight
	closed  error // why, once it is
	untold  error // of closing the transport, until Close returns it
	offset  int64 // of the wall clock from the monotonic one, as last seen
	agenda  agenda
	stalled bool          // what is due on the agenda waits for room
	armed   int64         // when the timer fires, on the monotonic clock
	retryAt int64         // when what was refused is tried again, on the monotonic clock; 0: there is none
	grace   int64         // until when what was overdue was not given up, on the monotonic clock
	room    chan struct{} // closed when the table is full no more; nil while nobody waits for that
	patient bool          // those who do have bulk to send
	timer   *time.Timer

	due []request // the timekeeper's own

	largest atomic.Int64 // the longest message sent yet
	in      struct {
		sync.Mutex // held from reading messages until they are settled
		messages   []Message
		buffer     []byte
		size       int
	}
	out struct {
		sync.Mutex // guards the three that follow
		fresh      fifo[request]
		busy       bool // some goroutine is sending, or parked is set
		parked     bool // the timekeeper is to go on sending
		// The rest is the sending goroutine's own.
		refused  fifo[request] // for want of room
		batch    []request
		messages []Message
	}
}

func newConn(t Transport, epoch time.Time, limiter *limiter, log *slog.Logger) *conn {
	var seed [32]byte
	crand.Read(seed[:])
	c := &conn{
		transport: t,
		limiter:   limiter,
		log:       log,
		epoch:     epoch,
		done:      make(chan struct{}),
		rouse:     make(chan struct{}, 1),
		offset:    epoch.UnixNano(),
		armed:     math.MaxInt64,
		timer:     time.NewTimer(math.MaxInt64),
	}
	c.poller, _ = t.(poller)
	if q, ok := t.(queue); ok {
		c.queue = q
		c.flight.window.limit = q.capacity() / 2
		c.flight.window.most = c.flight.window.limit
	}
	if w, ok := t.(wireStamper); ok {
		c.wire = w.stampsDepartures()
		c.flight.wire = c.wire
	}
	c.flight.cookies = rand.NewChaCha8(seed).Uint64
	c.largest.Store(usualMessage)
	if c.poller == nil {
		c.largest.Store(maxPayload6 + spareRoom)
	}
	c.in.messages = make([]Message, batchSize)
	c.due = make([]request, 0, batchSize)
	c.out.batch = make([]request, batchSize)
	c.out.messages = make([]Message, batchSize)
	c.listening.Store(true)
	c.idle.Store(true)
	c.running.Add(1)
	go func() {
		c.receive()
		c.running.Done() // before the log's handler, which may call Close
		if cause := c.cause(); cause != net.ErrClosed {
			c.log.Error("ping: transport ended", "error", cause)
		}
	}()
	c.running.Go(c.keepTime)
	return c
}

// close ends what is in flight with net.ErrClosed, and returns when both goroutines have ended. The error is that of
// closing the transport, which nobody has been told of yet.
func (c *conn) close() error {
	c.end(net.ErrClosed)
	c.running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.untold
	c.untold = nil
	return err
}

// end ends what is in flight with cause, and tells the goroutines to end.
func (c *conn) end(cause error) {
	c.noteDrops()
	c.mu.Lock()
	if c.closed != nil {
		c.mu.Unlock()
		return
	}
	c.closed = cause
	c.ended.Store(true)
	c.flight.drain(cause)
	c.disband()
	c.makeRoom()
	c.mu.Unlock()
	close(c.done)
	err := c.transport.Close()
	c.mu.Lock()
	c.untold = err
	c.mu.Unlock()
}

// register lets in take part, unless the conn has been retired. The inbox must be released.
func (c *conn) register(in *inbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired.Load() {
		return false
	}
	c.flight.register(in)
	return true
}

// release drops what in has in flight. It is told nothing more.
func (c *conn) release(in *inbox) {
	c.mu.Lock()
	c.flight.release(in)
	c.makeRoom()
	last := c.retired.Load() && c.flight.deserted()
	c.mu.Unlock()
	if last {
		c.end(net.ErrClosed)
	}
}

// retire has the conn end as soon as nobody takes part.
func (c *conn) retire() {
	c.mu.Lock()
	c.retired.Store(true)
	c.disband()
	last := c.flight.deserted()
	c.mu.Unlock()
	if last {
		c.end(net.ErrClosed)
	}
}

// finished reports whether the conn has ended, and all has been settled: its counters are final.
func (c *conn) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed != nil && c.flight.count == 0
}

// cause is why the conn has ended, nil if it has not.
func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// collect returns the outcomes in in, and leaves it the memory of list.
func (c *conn) collect(in *inbox, list []outcome) []outcome {
	c.mu.Lock()
	outcomes := in.outcomes[in.told:]
	in.outcomes, in.told = list[:0], 0
	c.mu.Unlock()
	return outcomes
}

// first removes the first outcome from in, if there is one.
func (c *conn) first(in *inbox) (o outcome, ok bool) {
	c.mu.Lock()
	o, ok = in.take()
	c.mu.Unlock()
	return o, ok
}

// oddities returns what in was told beside outcomes.
func (c *conn) oddities(in *inbox) oddities {
	c.mu.Lock()
	defer c.mu.Unlock()
	return in.oddities
}

// counters returns what the conn has seen.
func (c *conn) counters() Counters {
	c.noteDrops()
	c.mu.Lock()
	n := c.flight.counts
	n.LocalDrops = c.flight.drops
	c.mu.Unlock()
	n.InFlight = n.Sent - n.Received - n.Lost - n.Abandoned
	return n
}

// noteDrops asks the transport how much it has dropped.
func (c *conn) noteDrops() {
	if c.queue == nil {
		return
	}
	drops := c.queue.drops()
	c.mu.Lock()
	now := c.now().mono
	if c.closed == nil {
		c.flight.noteDrops(drops, now)
	}
	c.mu.Unlock()
	c.lastNote.Store(now)
}
