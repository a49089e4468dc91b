package icmpsock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

// The engine over sockets of the kernel.

var _ engine.Link = (*Socket)(nil)

// A target is an engine.Source of n probes to each of some addresses, at once.
type target struct {
	addrs         []netip.Addr
	shape         *flight.Shape
	made, settled int
	n             int
}

// Next implements engine.Source.
func (s *target) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	if s.made == s.n {
		return 0, false
	}
	p.Dst, p.Tag, p.Shape = s.addrs[s.made%len(s.addrs)], int64(s.made), s.shape
	return now, true
}

// Sent implements engine.Source.
func (s *target) Sent(int64) { s.made++ }

// Done implements engine.Source.
func (s *target) Done() bool { return s.settled == s.n }

// A traveller sends echo requests over a Conn.
type traveller struct {
	testing.TB
	epoch time.Time
	*engine.Conn
}

// connect returns one over a link, which is closed with the test.
func connect(t testing.TB, link engine.Link) *traveller {
	v := &traveller{TB: t, epoch: time.Now()}
	v.Conn = engine.NewConn(link, v.epoch, nil, func(cause error) { t.Errorf("the Conn has ended: %v", cause) })
	t.Cleanup(func() {
		v.Close()
		if n := v.Counts(); !v.Final() || n.InFlight != 0 {
			t.Errorf("closed, final %v: %+v", v.Final(), n)
		}
	})
	return v
}

// ping sends n echo requests, one after another to each of the addresses, and returns what became of them.
func (v *traveller) ping(ctx context.Context, n, batch int, s *flight.Shape, addrs ...netip.Addr) (
	[]flight.Result, error) {
	source := &target{addrs: addrs, shape: s, n: n}
	call := engine.NewCall(engine.Options{Epoch: v.epoch, Batch: batch})
	call.Start(source, func() (*engine.Conn, error) { return v.Conn, nil })
	defer call.End()
	var all []flight.Result
	err := engine.Run(ctx, func(_ int, results []flight.Result) bool {
		source.settled += len(results)
		all = append(all, results...)
		return true
	}, call)
	return all, err
}

// shapeOf is of probes with size bytes of payload.
func shapeOf(t testing.TB, size int, timeout time.Duration) *flight.Shape {
	return &flight.Shape{Template: template(t, false, size), Timeout: timeout}
}

var loopback = netip.MustParseAddr("127.0.0.1")

// A hooked socket has its reading held up, and its Wait, by what a test wants.
type hooked struct {
	*Socket
	reading atomic.Pointer[func()] // called once, by the next TryReceive
	wait    func() error           // in place of Wait
	flood   bool                   // there is always a stray to read
	closed  chan struct{}
}

func newHooked(s *Socket) *hooked { return &hooked{Socket: s, closed: make(chan struct{})} }

// TryReceive implements engine.Link.
func (h *hooked) TryReceive(packets []wire.Packet, all bool) (int, wire.Backlog, error) {
	if f := h.reading.Swap(nil); f != nil {
		(*f)()
	}
	if h.flood {
		packets[0] = wire.Packet{
			Addr: netip.MustParseAddr("127.0.0.9"),
			Data: packets[0].Data[:wire.HeaderLen],
			Time: time.Now().Round(0),
		}
		return 1, wire.Backlog{Replies: true}, nil
	}
	return h.Socket.TryReceive(packets, all)
}

// Wait implements engine.Link.
func (h *hooked) Wait() error {
	if h.wait != nil {
		return h.wait()
	}
	return h.Socket.Wait()
}

// Close implements engine.Link.
func (h *hooked) Close() error {
	close(h.closed)
	return h.Socket.Close()
}

// deaf does not tell when something has come.
func (h *hooked) deaf() error {
	<-h.closed
	return net.ErrClosed
}

// The first large probe leaves while a reader is about to read with buffers for small ones.
func TestFirstLargeProbe(t *testing.T) {
	h := newHooked(open(t, Config{}))
	v := connect(t, h)
	large := make(chan []flight.Result, 1)
	start := time.Now()
	hook := func() {
		started := make(chan struct{})
		go func() {
			close(started)
			results, err := v.ping(t.Context(), 1, 1, shapeOf(t, 8000, time.Minute), loopback)
			if err != nil {
				t.Error(err)
			}
			large <- results
		}()
		<-started
		for v.Counts().Sent == 0 && time.Since(start) < 50*time.Millisecond { // it would have left, if it did not wait
			runtime.Gosched()
		}
	}
	h.reading.Store(&hook)
	v.Counts() // reads, with room for several small ones
	if results := <-large; len(results) != 1 || results[0].Kind != flight.Answered || results[0].Size != 8008 {
		t.Errorf("%+v, %+v", results, v.Counts())
	}
}

// What the kernel received before a deadline is not lost, however late the program reads it.
func TestReadLate(t *testing.T) {
	const timeout = 50 * time.Millisecond
	h := newHooked(open(t, Config{}))
	h.wait = h.deaf
	v := connect(t, h)
	for {
		hook := func() { time.Sleep(2 * timeout) } // the time that is to pass: a thread that has lost its processor
		h.reading.Store(&hook)
		start := time.Now()
		results, err := v.ping(t.Context(), 1, 1, shapeOf(t, 56, timeout), loopback)
		if err == nil && len(results) == 1 && results[0].Kind == flight.Answered && results[0].RTT <= int64(timeout) {
			return
		}
		took, wall := time.Since(start), time.Since(start.Round(0))
		if set := (wall - took).Abs(); set < time.Millisecond/2 { // else the kernel's stamps are not believed
			t.Fatalf("%+v, %v, %+v; in %v, by the wall clock %v", results, err, v.Counts(), took, wall)
		}
	}
}

// Before a probe is called lost, what has come is read, though nobody has got round to it.
func TestReadBeforeLost(t *testing.T) {
	const later = 50 * time.Millisecond
	newResponder(t, func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Echo().Later(later)} })
	h := newHooked(open(t, Config{}))
	h.wait = h.deaf
	v := connect(t, h)
	results, err := v.ping(t.Context(), 1, 1, shapeOf(t, 56, 10*later), netip.MustParseAddr(far4))
	if err != nil || len(results) != 1 {
		t.Fatalf("%+v, %v", results, err)
	}
	if r := results[0]; r.Kind != flight.Answered || r.RTT < int64(later) || r.Clock != flight.Kernel {
		t.Errorf("%+v", r)
	}
}

// However much comes, timeouts and contexts hold.
func TestFlood(t *testing.T) {
	h := newHooked(open(t, Config{}))
	h.flood = true
	h.wait = func() error {
		select {
		case <-h.closed:
			return net.ErrClosed
		case <-time.After(time.Millisecond): // and so has the scheduler something else to do
			return nil
		}
	}
	v := connect(t, h)
	const moment = 20 * time.Millisecond
	results, err := v.ping(t.Context(), 1, 1, shapeOf(t, 56, moment), loopback)
	if err != nil || len(results) != 1 || results[0].Kind != flight.TimedOut {
		t.Errorf("%+v, %v", results, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	if _, err := v.ping(ctx, 1, 1, shapeOf(t, 56, time.Minute), loopback); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// openSmall opens a socket with a small receive buffer, which it knows the size of.
func openSmall(t *testing.T) *Socket {
	t.Helper()
	s := open(t, Config{})
	if err := unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
		t.Fatal(err)
	}
	size, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		t.Fatal(err)
	}
	s.buffer = size
	return s
}

// beyond are the 250 addresses of a network behind a router.
func beyond() (addrs []netip.Addr) {
	for i := range 250 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)}))
	}
	return addrs
}

// A Conn that knows how small its socket's buffer is does not let it overflow. One that did not know would lose
// something every time. On a crowded machine the responder may be held up for longer than the Conn waits for an
// answer before it sends more, and then sends all that it owes at once: so there are three tries.
func TestSmallBuffer(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{r.Echo().Later(3 * time.Millisecond)}
	})
	probes := skipped.AtLength(t, 500, 2000)
	for range 3 {
		v := connect(t, openSmall(t))
		s := shapeOf(t, 56, 5*time.Second)
		s.Bulk = true
		results, err := v.ping(t.Context(), probes, batchSize, s, beyond()...)
		c := v.Counts()
		if err != nil || len(results) != probes || c.Received+c.LocalDrops < uint64(probes) {
			t.Fatalf("%d results, %v, %+v", len(results), err, c)
		}
		if c.LocalDrops == 0 {
			return
		}
		t.Logf("%+v", c)
	}
	t.Error("the buffer overflowed every time")
}

// Where nobody answers, room in the buffer comes by time, long before the probes are given up.
func TestSmallBufferSilence(t *testing.T) {
	r := newResponder(t, func(*netlab.Request) []netlab.Answer { return nil })
	v := connect(t, openSmall(t))
	probes := skipped.AtLength(t, 50, 200) // of which the buffer has room for a handful at a time
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		s := shapeOf(t, 56, time.Hour)
		s.Bulk = true
		results, err := v.ping(ctx, probes, batchSize, s, beyond()...)
		if !errors.Is(err, context.Canceled) || len(results) > 0 {
			t.Errorf("%+v, %v", results, err)
		}
	})
	await(t, "the responder has seen all", func() bool { return len(r.Records()) == probes })
	cancel()
	running.Wait()
}
