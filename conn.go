package ping

import (
	crand "crypto/rand"
	"errors"
	"fmt"
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
	// How many batches are read in one go, so that no flood keeps a caller, or the timekeeper, for ever.
	glanceBatches  = 4
	receiveBatches = 64
	tickBatches    = 1 << 14
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
	listening atomic.Bool   // the receiving goroutine is not at rest
	rouse     chan struct{} // ends its rest
	lastRead  atomic.Int64  // when messages were last settled, on the monotonic clock

	mu      sync.Mutex // guards what follows, for a moment only
	flight  flight
	closed  error // why, once it is
	offset  int64 // of the wall clock from the monotonic one, as last seen
	agenda  agenda
	stalled bool          // what is due on the agenda waits for room
	armed   int64         // when the timer fires, on the monotonic clock
	room    chan struct{} // closed when the table is full no more; nil while nobody waits for that
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
		queue      []request
		busy       bool // some goroutine is sending, or parked is set
		parked     bool // the timekeeper is to go on sending
		// The rest is the sending goroutine's own.
		refused  []request // for want of room
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
	c.noteDrops(c.now().mono)
	c.closed = cause
	c.flight.drain(cause)
	c.disband()
	c.makeRoom()
	c.mu.Unlock()
	close(c.done)
	return c.transport.Close()
}

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

// register lets in take part, unless the conn has been retired, and has ended. The inbox must be released.
func (c *conn) register(in *inbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired.Load() && c.closed != nil {
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

func (c *conn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed != nil
}

// cause is why the conn has ended, nil if it has not.
func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// collect moves the outcomes in in to the end of list.
func (c *conn) collect(in *inbox, list []outcome) []outcome {
	c.mu.Lock()
	list = append(list, in.outcomes[in.told:]...)
	in.outcomes, in.told = in.outcomes[:0], 0
	c.mu.Unlock()
	return list
}

// first removes the first outcome from in, if there is one.
func (c *conn) first(in *inbox) (o outcome, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return in.take()
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
	c.noteDrops(c.now().mono)
	n := c.flight.counts
	n.LocalDrops = c.flight.drops
	c.mu.Unlock()
	n.InFlight = n.Sent - n.Received - n.Lost - n.Abandoned
	return n
}

// noteDrops asks the transport how much it has dropped. The caller holds c.mu.
func (c *conn) noteDrops(now int64) {
	if c.queue != nil && c.closed == nil {
		c.flight.noteDrops(c.queue.drops(), now)
	}
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
		c.arm(c.flight.deadlines[0].at)
	}
	if len(c.agenda) > 0 && !c.stalled {
		c.arm(c.agenda[0].at)
	}
}

// receive settles what comes, until the transport ends.
func (c *conn) receive() {
	for {
		var err error
		if c.poller != nil {
			if err = c.poller.wait(); err == nil {
				var some bool
				c.in.Lock()
				some, err = c.poll(c.in.messages, false, receiveBatches, 0)
				c.in.Unlock()
				if !some {
					c.rest()
				}
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

// rest is for when callers read their answers themselves, so that to be woken for each would be a waste: where nothing
// is in flight, it waits until listen is called.
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
	c.in.Lock()
	c.settle(c.in.messages[:n])
	c.in.Unlock()
	return err
}

// poll settles what is there to be read, with all ICMP errors if asked to, but no more than so many batches, and if
// until is not 0 no more than until it meets a message that came after that, on the wall clock. It reports whether
// there was any. A batch is what messages, the first of c.in's, have room for. The caller holds c.in.
func (c *conn) poll(messages []Message, all bool, batches int, until int64) (some bool, err error) {
	for range batches {
		c.makeBuffers(messages)
		n, more, err := c.poller.tryReceive(messages, all)
		newest, unstamped := c.settle(messages[:n])
		some = some || n > 0
		switch {
		case err == nil && until != 0 && newest > until:
			return some, nil
		case err == nil && (more || unstamped && n > 0):
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

// glance settles what is there to be read, unless another goroutine is at it. A host on this machine has
// answered before the system call that sends returns, and its answer need not go through another goroutine.
func (c *conn) glance() {
	if c.poller != nil && c.in.TryLock() {
		c.poll(c.in.messages, false, glanceBatches, 0) // an error comes to receive as well
		c.in.Unlock()
	}
}

// glanceForOne is glance of a caller that has sent one message, and looks for one: if another comes first, it has to wait.
func (c *conn) glanceForOne() {
	if c.wire {
		c.glance()
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

// settle has the table look at messages. It returns when the last of them came, by the kernel's stamp, and whether
// answers wait for the report of a departure.
func (c *conn) settle(messages []Message) (newest int64, unstamped bool) {
	if len(messages) == 0 && !c.wire {
		return 0, false
	}
	read := c.now()
	c.lastRead.Store(read.mono)
	c.mu.Lock()
	defer c.mu.Unlock()
	read = c.steady(read)
	for i := range messages {
		m, at := &messages[i], read
		if isReading(m.Time) {
			at = stampOf(m.Time, c.epoch)
			at.mono = min(at.mono, read.mono)
			m.Time = time.Time{}
		}
		c.flight.accept(m, at)
		newest = max(newest, m.Time.UnixNano())
	}
	c.makeRoom()
	return newest, len(c.flight.unstamped) > 0
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
			return
		}
	}
}

// tick does what is to be done by now.
func (c *conn) tick() {
	now := c.now()
	c.mu.Lock()
	c.armed = math.MaxInt64
	overdue := len(c.flight.deadlines) > 0 && c.flight.deadlines[0].at <= now.mono
	overdue = overdue || len(c.flight.unstamped) > 0 || c.room != nil || c.stalled
	due := len(c.agenda) > 0 && c.agenda[0].at <= now.mono
	c.mu.Unlock()
	if overdue {
		c.giveUp(now)
	}
	c.resume()
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
	c.mu.Lock()
	c.noteDrops(now.mono)
	c.flight.expire(now.mono)
	c.makeRoom()
	if len(c.flight.unstamped) > 0 { // of the last moment: their reports are on the way
		c.arm(now.mono + int64(time.Millisecond))
	}
	c.mu.Unlock()
}
