package engine

import (
	"container/list"
	crand "crypto/rand"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/wire"
)

// BatchSize is how many packets a Conn hands to its link at a time at most, and asks of it: more win next to nothing.
const BatchSize = 8

const (
	// usualMessage is room for every reply to a payload of the usual sizes, and for the quotation in an
	// ICMP error (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4: at most 1,280 bytes).
	usualMessage = 2048
	// spareRoom is for the headers before a payload (ICMP's, and IPv4's on a raw socket), and to tell an
	// answer that is too long from one that is just right.
	spareRoom = 128
)

// A Conn is one link with the probes in flight over it. All its methods are safe for concurrent use.
//
// Three kinds of goroutines touch it: the reader, which waits for what comes; the timekeeper, which waits for what
// falls due; and those of the callers, who send, read their own answers where they have come already, and otherwise
// wait.
//
// Locks are taken in the order in, out.queue, mu, and each also alone; the limiter's, a Source's and the link's own
// come after them. out.sending is never waited for: who finds it taken leaves what is to be sent to its holder, and
// who holds it may wait for any other. No system call is made, and nothing of a Call's owner but its Source is
// called, with mu held.
type Conn struct {
	link    Link
	limiter *plan.Limiter // nil: no limit
	epoch   time.Time
	done    chan struct{} // closed when the link has ended
	running sync.WaitGroup

	retired   atomic.Bool   // another is to be used instead
	ended     atomic.Bool   // cause is set
	listening atomic.Bool   // the reader is not at rest
	rouse     chan struct{} // ends its rest
	idle      atomic.Bool   // nothing is in flight
	crowded   atomic.Bool   // the table has no room for more bulk
	noted     atomic.Int64  // when the link was last asked for its drops, on the monotonic clock
	largest   atomic.Int64  // bytes of the longest message that may come; 0: the link has its own buffers

	mu       sync.Mutex // guards what follows, for a moment only
	table    *flight.Table
	cause    error // why the link has ended, once it has
	closeErr error // of closing it, until Close returns it
	offset   int64 // of the wall clock from the monotonic one, as last seen
	agenda   agenda
	next     flight.Probe // for a Source that is only asked when its next probe is due
	stalled  bool         // what is due waits for room in the receive buffer
	queue    *list.List   // of *Call, which wait for a place in the table
	lanes    []*Call      // bulk calls, which wait for either
	timer    *time.Timer
	armed    int64 // when the timer fires, on the monotonic clock
	handed   bool  // the timekeeper holds out.sending
	retryAt  int64 // when what was refused is tried again, on the monotonic clock; 0: there is none
	grace    int64 // until when what was overdue was not given up, on the monotonic clock

	in struct {
		sync.Mutex // held from reading packets until the table has seen them
		packets    []wire.Packet
		buffer     []byte
		size       int
	}
	out struct {
		queue struct {
			sync.Mutex
			fresh fifo[flight.Probe]
			some  atomic.Bool // fresh is not empty
		}
		wanted  atomic.Bool // the timekeeper asks for sending
		sending sync.Mutex  // held by who sends; it guards what follows
		refused fifo[flight.Probe]
		batch   []flight.Probe
		packets []wire.Packet
	}
	due []flight.Probe // the timekeeper's own: as many as one glance may find the answers to
}

// NewConn returns a Conn over a link, which it closes. The limiter, nil for none, may be shared. When the link
// ends by itself, ended is told why; it may call any method.
func NewConn(link Link, epoch time.Time, limiter *plan.Limiter, ended func(cause error)) *Conn {
	var seed [32]byte
	crand.Read(seed[:])
	c := &Conn{
		link:    link,
		limiter: limiter,
		epoch:   epoch,
		done:    make(chan struct{}),
		rouse:   make(chan struct{}, 1),
		table:   flight.New(link.Capacity()/2, link.Departures(), rand.NewChaCha8(seed).Uint64),
		offset:  epoch.UnixNano(),
		queue:   list.New(),
		timer:   time.NewTimer(math.MaxInt64),
		armed:   math.MaxInt64,
		due:     make([]flight.Probe, 0, glanceBatches*BatchSize),
	}
	if link.Polls() {
		c.largest.Store(usualMessage)
	}
	c.in.packets = make([]wire.Packet, BatchSize)
	c.out.batch = make([]flight.Probe, BatchSize)
	c.out.packets = make([]wire.Packet, BatchSize)
	c.listening.Store(!link.Polls())
	c.idle.Store(true)
	c.noted.Store(c.mono())
	c.running.Add(1)
	go func() {
		c.read()
		c.running.Done() // before ended, which may call Close
		if cause := c.Cause(); cause != net.ErrClosed {
			ended(cause)
		}
	}()
	c.running.Go(c.keepTime)
	return c
}

// Close ends what is in flight with net.ErrClosed, and returns when both goroutines have ended. The error is that of
// closing the link, which nobody has been told of yet.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	c.running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.closeErr
	c.closeErr = nil
	return err
}

// end ends what is in flight with cause, and tells all goroutines.
func (c *Conn) end(cause error) {
	c.noteDrops()
	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return
	}
	c.cause = cause
	c.ended.Store(true)
	c.table.Drain(cause)
	c.signalAll()
	c.makeRoom()
	c.mu.Unlock()
	close(c.done)
	err := c.link.Close()
	c.mu.Lock()
	c.closeErr = err
	c.mu.Unlock()
}

// Retire has the calls leave for another Conn as soon as they can, and the Conn end when the last one has.
func (c *Conn) Retire() {
	c.mu.Lock()
	c.retired.Store(true)
	c.signalAll()
	last := c.table.Deserted()
	c.mu.Unlock()
	if last {
		c.end(net.ErrClosed)
	}
}

// signalAll wakes all callers. The caller holds mu.
func (c *Conn) signalAll() {
	for in := range c.table.Inboxes {
		in.Signal()
	}
}

// Ended reports whether the link has ended.
func (c *Conn) Ended() bool { return c.ended.Load() }

// Crowded reports whether the table has no room for more bulk.
func (c *Conn) Crowded() bool { return c.crowded.Load() }

// Cause is why the link has ended, nil if it has not.
func (c *Conn) Cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Final reports whether the link has ended, and nothing is being sent any more: its counts do not change.
func (c *Conn) Final() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause != nil && c.table.Idle()
}

// Counts returns what the Conn has seen, all that has come included.
func (c *Conn) Counts() flight.Counts {
	c.glance(glanceBatches)
	c.noteDrops()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table.Counts()
}

// noteDrops asks the link how much it has dropped.
func (c *Conn) noteDrops() {
	drops := c.link.Drops()
	c.mu.Lock()
	now := c.mono()
	if c.cause == nil {
		c.table.NoteDrops(drops, now)
	}
	c.mu.Unlock()
	c.noted.Store(now)
}

// expect sees to it that a message of so many bytes is received whole: whoever reads now has its buffers already.
func (c *Conn) expect(size int64) {
	if size <= c.largest.Load() || !c.link.Polls() {
		return
	}
	c.in.Lock()
	c.largest.Store(max(size, c.largest.Load()))
	c.in.Unlock()
}

// makeRoom sees who may go on, now that there may be room. The caller holds mu.
func (c *Conn) makeRoom() {
	set(&c.idle, c.table.Idle())
	set(&c.crowded, c.table.Crowded())
	if len(c.lanes) > 0 && (c.cause != nil || !c.table.Full(true)) {
		for i, call := range c.lanes {
			call.Wake()
			c.lanes[i] = nil
		}
		c.lanes = c.lanes[:0]
	}
	if c.cause != nil {
		return
	}
	if c.stalled && !c.table.Full(false) {
		c.stalled = false
		c.armNext()
	}
	if c.queue.Len() > 0 && !c.table.Packed() {
		c.arm(0)
	}
}

// set stores a value that seldom changes, and is often read.
func set(b *atomic.Bool, value bool) {
	if b.Load() != value {
		b.Store(value)
	}
}
