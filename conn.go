package ping

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchSize = 8 // messages a system call: more win next to nothing
	// turnBatches is how many batches one caller sends on behalf of others before it is let go.
	turnBatches = 64
	// retryAfter is when a message that the transport had no room for is tried again.
	retryAfter = time.Millisecond
	// usualMessage is room for every reply to a payload of the usual sizes, and for the quotation in an
	// ICMP error (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4: at most 1,280 bytes).
	usualMessage = 2048
	// spareRoom is for the headers before a payload (ICMP's, and IPv4's on a raw socket), and to tell an
	// answer that is too long from one that is just right.
	spareRoom = 128
)

// A conn is one transport with the probes in flight over it. Two goroutines live as long as it does: one waits
// for messages, one for deadlines.
type conn struct {
	transport Transport
	poller    poller // the transport, if it is one; else nil
	log       *slog.Logger
	epoch     time.Time
	done      chan struct{}
	running   sync.WaitGroup

	mu     sync.Mutex // guards what follows, for a moment only
	flight flight
	closed error         // why, once it is
	armed  int64         // when the timer fires, on the monotonic clock
	room   chan struct{} // closed when the table is full no more; nil while nobody waits for that
	timer  *time.Timer

	largest atomic.Int64 // the longest message sent yet
	in      struct {
		sync.Mutex // held from reading messages until they are settled
		messages   []Message
		buffer     []byte
		size       int
	}
	out struct {
		sync.Mutex // guards the three that follow
		queue      []outgoing
		busy       bool // some goroutine is sending, or parked is set
		parked     bool // the timekeeper is to go on sending
		// The rest is the sending goroutine's own.
		batch    []outgoing
		messages []Message
	}
}

// An outgoing is a message on its way from the table to the transport.
type outgoing struct {
	dst          netip.Addr
	cookie       uint64
	template     []byte
	ttl          int
	trafficClass int
	dontFragment bool
	seq          uint16
}

func newConn(t Transport, log *slog.Logger) *conn {
	var seed [32]byte
	crand.Read(seed[:])
	c := &conn{
		transport: t,
		log:       log,
		epoch:     time.Now(),
		done:      make(chan struct{}),
		armed:     math.MaxInt64,
		timer:     time.NewTimer(math.MaxInt64),
	}
	c.poller, _ = t.(poller)
	c.flight.cookies = rand.NewChaCha8(seed).Uint64
	c.largest.Store(usualMessage)
	if c.poller == nil {
		c.largest.Store(maxPayload6 + spareRoom)
	}
	c.in.messages = make([]Message, batchSize)
	c.out.batch = make([]outgoing, batchSize)
	c.out.messages = make([]Message, batchSize)
	c.running.Go(c.receive)
	c.running.Go(c.keepTime)
	return c
}

// close ends what is in flight with net.ErrClosed, and returns when both goroutines have ended.
func (c *conn) close() error {
	err := c.end(net.ErrClosed)
	c.running.Wait()
	return err
}

// end ends what is in flight with cause, and tells the goroutines to end.
func (c *conn) end(cause error) error {
	c.mu.Lock()
	if c.closed != nil {
		c.mu.Unlock()
		return nil
	}
	c.closed = cause
	c.flight.drain(cause)
	c.makeRoom()
	c.mu.Unlock()
	close(c.done)
	return c.transport.Close()
}

func (c *conn) now() stamp { return stampOf(time.Now(), c.epoch) }

// register lets in take part. Its owner must release it.
func (c *conn) register(in *inbox) {
	c.mu.Lock()
	c.flight.register(in)
	c.mu.Unlock()
}

// release drops what in has in flight. It is told nothing more.
func (c *conn) release(in *inbox) {
	c.mu.Lock()
	c.flight.release(in)
	c.makeRoom()
	c.mu.Unlock()
}

// collect moves the outcomes in in to the end of list.
func (c *conn) collect(in *inbox, list []outcome) []outcome {
	c.mu.Lock()
	list = append(list, in.outcomes...)
	in.outcomes = in.outcomes[:0]
	c.mu.Unlock()
	return list
}

// first removes the first outcome from in, if there is one.
func (c *conn) first(in *inbox) (o outcome, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(in.outcomes) == 0 {
		return outcome{}, false
	}
	o = in.outcomes[0]
	in.outcomes = slices.Delete(in.outcomes, 0, 1)
	return o, true
}

// oddities returns what in was told beside outcomes.
func (c *conn) oddities(in *inbox) oddities {
	c.mu.Lock()
	defer c.mu.Unlock()
	return in.oddities
}

// counters returns what the conn has seen.
func (c *conn) counters() Counters {
	c.mu.Lock()
	n := c.flight.counts
	c.mu.Unlock()
	n.InFlight = n.Sent - n.Received - n.Lost - n.Abandoned
	n.LocalDrops = c.drops()
	return n
}

// drops is how many messages the transport lost for want of room, as far as it knows.
func (c *conn) drops() uint64 {
	if d, ok := c.transport.(dropCounter); ok {
		return d.drops()
	}
	return 0
}

// launch sends one probe for in. It returns when the probe is in flight, or on its way there by the hand of
// another caller; only ctx or the end of the conn is an error. How the probe ends, in is told.
func (c *conn) launch(ctx context.Context, in *inbox, p *probe, o outgoing) error {
	if size := int64(p.size + spareRoom); size > c.largest.Load() {
		c.largest.Store(size) // before the reply can come
	}
	c.mu.Lock()
	for c.closed == nil && c.flight.full() {
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
	}
	if c.closed != nil {
		defer c.mu.Unlock()
		return c.closed
	}
	o.seq, o.cookie = c.flight.take(in, p)
	c.mu.Unlock()

	c.out.Lock()
	c.out.queue = append(c.out.queue, o)
	if c.out.busy {
		c.out.Unlock()
		return nil
	}
	c.out.busy = true
	c.out.Unlock()
	c.flush()
	return nil
}

// flush sends what is queued, and what others queue meanwhile. The caller has set out.busy.
func (c *conn) flush() {
	for turn := 0; ; turn++ {
		c.out.Lock()
		n := copy(c.out.batch, c.out.queue)
		c.out.queue = c.out.queue[:copy(c.out.queue, c.out.queue[n:])]
		if n == 0 {
			c.out.busy = false
			c.out.Unlock()
			return
		}
		c.out.Unlock()
		left := c.transmit(c.out.batch[:n])
		if len(left) == 0 && turn < turnBatches {
			continue
		}
		// No room, or others have had this caller long enough: the timekeeper goes on.
		c.out.Lock()
		c.out.queue = slices.Insert(c.out.queue, 0, left...)
		c.out.parked = true
		c.out.Unlock()
		c.mu.Lock()
		closed := c.closed != nil
		if !closed {
			after := time.Duration(0)
			if len(left) > 0 {
				after = retryAfter
			}
			c.arm(c.now().mono + int64(after))
		}
		c.mu.Unlock()
		if closed {
			c.resume()
		}
		return
	}
}

// resume goes on with a flush that was left to the timekeeper.
func (c *conn) resume() {
	c.out.Lock()
	parked := c.out.parked
	c.out.parked = false
	if parked {
		// Some may have waited long enough for their callers to go.
		c.mu.Lock()
		c.out.queue = slices.DeleteFunc(c.out.queue, func(o outgoing) bool { return c.flight.forget(o.seq) })
		c.mu.Unlock()
	}
	c.out.Unlock()
	if parked {
		c.flush()
	}
}

// transmit sends a batch. It returns what the transport had no room for.
func (c *conn) transmit(batch []outgoing) (left []outgoing) {
	for len(batch) > 0 {
		messages := c.out.messages[:len(batch)]
		for i := range batch {
			o := &batch[i]
			messages[i] = Message{
				Addr:         o.dst,
				Data:         appendEcho(messages[i].Data[:0], o.template, o.seq, o.cookie),
				TTL:          o.ttl,
				TrafficClass: o.trafficClass,
				DontFragment: o.dontFragment,
			}
		}
		var before time.Time
		if c.poller == nil { // a kernel's socket tells for certain
			before = time.Now()
		}
		n, err := c.transport.Send(messages)
		busy := errors.Is(err, ErrNoRoom)

		c.mu.Lock()
		if n > 0 {
			if !messages[0].Time.IsZero() {
				before = messages[0].Time
			}
			at := stampOf(before, c.epoch)
			for i := range n {
				lag := time.Duration(0)
				if !messages[i].Time.IsZero() {
					lag = messages[i].Time.Sub(before)
				}
				c.flight.sent(batch[i].seq, at, int64(lag))
			}
			c.armNext()
		}
		if c.closed != nil {
			for _, o := range batch[n:] {
				c.flight.failed(o.seq, c.closed)
			}
			c.flight.drain(c.closed)
			c.mu.Unlock()
			return nil
		}
		batch = batch[n:]
		if err != nil && !busy && len(batch) > 0 {
			c.flight.failed(batch[0].seq, err)
			batch = batch[1:]
		}
		c.makeRoom()
		c.mu.Unlock()
		if busy {
			return batch
		}
	}
	return nil
}

// arm sees to it that the timekeeper wakes no later than at. The caller holds c.mu.
func (c *conn) arm(at int64) {
	if at < c.armed {
		c.armed = at
		c.timer.Reset(time.Duration(at - int64(time.Since(c.epoch))))
	}
}

func (c *conn) armNext() {
	if len(c.flight.deadlines) > 0 {
		c.arm(c.flight.deadlines[0].at)
	}
}

// makeRoom tells those who wait for a slot that there may be one. The caller holds c.mu.
func (c *conn) makeRoom() {
	if c.room != nil && (c.closed != nil || !c.flight.full()) {
		close(c.room)
		c.room = nil
	}
}

// receive settles what comes, until the transport ends.
func (c *conn) receive() {
	for {
		var err error
		if c.poller != nil {
			if err = c.poller.wait(); err == nil {
				c.in.Lock()
				err = c.poll(false)
				c.in.Unlock()
			}
		} else {
			err = c.receiveOnce()
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				c.log.Error("ping: transport ended", "error", err)
				err = fmt.Errorf("%w: %w", net.ErrClosed, err)
			}
			c.end(err)
			return
		}
	}
}

// receiveOnce waits for messages and settles them. Nobody else reads a transport that cannot be polled.
func (c *conn) receiveOnce() error {
	c.makeBuffers()
	n, err := c.transport.Receive(c.in.messages)
	c.in.Lock()
	c.settle(c.in.messages[:n])
	c.in.Unlock()
	return err
}

// poll settles what is there to be read, with all ICMP errors if asked to. The caller holds c.in.
func (c *conn) poll(all bool) error {
	for {
		c.makeBuffers()
		n, err := c.poller.tryReceive(c.in.messages, all)
		if err != nil || n == 0 {
			return err
		}
		c.settle(c.in.messages[:n])
		if n < len(c.in.messages) {
			return nil
		}
	}
}

// glance settles what is there to be read, unless another goroutine is at it. A host on this machine has
// answered before the system call that sends returns, and its answer need not go through another goroutine.
func (c *conn) glance() {
	if c.poller != nil && c.in.TryLock() {
		c.poll(false) // an error comes to receive as well
		c.in.Unlock()
	}
}

// makeBuffers gives each message room for the longest reply that may come.
func (c *conn) makeBuffers() {
	size := int(c.largest.Load())
	if size > c.in.size {
		c.in.size = size
		c.in.buffer = make([]byte, size*len(c.in.messages))
	}
	for i := range c.in.messages {
		c.in.messages[i] = Message{Data: c.in.buffer[i*c.in.size : (i+1)*c.in.size : (i+1)*c.in.size]}
	}
}

func (c *conn) settle(messages []Message) {
	read := c.now()
	c.mu.Lock()
	for i := range messages {
		c.flight.accept(&messages[i], read)
	}
	c.makeRoom()
	c.mu.Unlock()
}

// keepTime gives probes up when their time has passed, until the conn ends.
func (c *conn) keepTime() {
	for {
		select {
		case <-c.timer.C:
			c.tick()
		case <-c.done:
			c.timer.Stop()
			c.resume()
			return
		}
	}
}

// tick reads all that came before this instant, and then gives up what is overdue: however late the program
// gets round to it, what came in time counts.
func (c *conn) tick() {
	now := c.now().mono
	c.in.Lock()
	if c.poller != nil {
		c.poll(true)
	}
	c.in.Unlock()
	c.mu.Lock()
	c.armed = math.MaxInt64
	c.flight.expire(now)
	c.makeRoom()
	c.armNext()
	c.mu.Unlock()
	c.resume()
}
