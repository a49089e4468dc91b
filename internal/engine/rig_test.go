package engine

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

const ms = time.Millisecond

var target = netip.MustParseAddr("192.0.2.1")

// A rig is a Conn over a link that a test scripts.
type rig struct {
	testing.TB
	epoch time.Time
	link  *fakeLink
	*Conn
	ended chan error // what the Conn has told of its end
}

// newRig returns a rig that is closed with the test, and has come to a good end then.
func newRig(t testing.TB, link *fakeLink, limiter *plan.Limiter) *rig {
	r := &rig{TB: t, epoch: time.Now(), link: link, ended: make(chan error, 1)}
	r.Conn = r.connect(link, limiter, func(cause error) { r.ended <- cause })
	return r
}

// connect returns another Conn, of the same epoch.
func (r *rig) connect(link Link, limiter *plan.Limiter, ended func(error)) *Conn {
	if ended == nil {
		ended = func(error) {}
	}
	c := NewConn(link, r.epoch, limiter, ended)
	r.Cleanup(func() {
		c.Close()
		checkEnded(r.TB, c)
	})
	return c
}

// checkEnded checks that a Conn whose goroutines and callers have ended is no longer in use, and that its counts
// balance.
func checkEnded(t testing.TB, c *Conn) {
	t.Helper()
	n := c.Counts()
	if !c.Final() || n.InFlight != 0 || n.Sent != n.Received+n.Lost+n.Abandoned {
		t.Errorf("closed, final %v: %+v", c.Final(), n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.agenda) != 0 || c.queue.Len() != 0 || len(c.lanes) != 0 || !c.table.Deserted() {
		t.Errorf("closed, with %d calls on the agenda, %d in the queue, %d of bulk, deserted %v",
			len(c.agenda), c.queue.Len(), len(c.lanes), c.table.Deserted())
	}
	if !c.out.sending.TryLock() {
		t.Error("closed, and somebody is sending")
	} else {
		c.out.sending.Unlock()
	}
}

// clock is the time on the Conns' clock.
func (r *rig) clock() int64 { return int64(time.Since(r.epoch)) }

// shape is of probes with the usual payload.
func shape(t testing.TB, timeout time.Duration) *flight.Shape {
	return &flight.Shape{Template: template(t, 56), Timeout: timeout}
}

// bulk is of probes that may share a system call.
func bulk(t testing.TB, timeout time.Duration) *flight.Shape {
	s := shape(t, timeout)
	s.Bulk = true
	return s
}

// A series is the Source of probes at instants told in advance. Its fields may be changed while no Call has it.
type series struct {
	dst     netip.Addr
	shape   *flight.Shape
	due     []int64
	made    int
	settled int
	open    bool // it is never done
}

// Next implements Source.
func (l *series) Next(_ int64, p *flight.Probe) (at int64, ok bool) {
	if l.made == len(l.due) {
		return 0, false
	}
	p.Dst, p.Tag, p.Shape = l.dst, int64(l.made), l.shape
	return l.due[l.made], true
}

// Sent implements Source.
func (l *series) Sent(int64) { l.made++ }

// Done implements Source.
func (l *series) Done() bool { return l.settled == len(l.due) && !l.open }

// at is a series of probes at instants after now.
func (r *rig) at(s *flight.Shape, after ...time.Duration) *series {
	l := &series{dst: target, shape: s}
	for _, d := range after {
		l.due = append(l.due, r.clock()+int64(d))
	}
	return l
}

// now is a series of n probes that are due at once.
func (r *rig) now(s *flight.Shape, n int) *series { return r.at(s, make([]time.Duration, n)...) }

// A hooked Source is another, some of whose methods a test has replaced.
type hooked struct {
	Source
	next func(now int64, p *flight.Probe) (at int64, ok bool)
	done func() bool
}

// Next implements Source.
func (h *hooked) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	if h.next != nil {
		return h.next(now, p)
	}
	return h.Source.Next(now, p)
}

// Done implements Source.
func (h *hooked) Done() bool {
	if h.done != nil {
		return h.done()
	}
	return h.Source.Done()
}

// A caller is a Call with what has become of its probes, and when it heard of that.
type caller struct {
	*Call
	rig     *rig
	list    *series
	mu      sync.Mutex
	results []flight.Result
	heard   []time.Duration // after the epoch
	err     error
	done    chan struct{}
}

// caller returns one that sends over the rig's Conn.
func (r *rig) caller(l *series, o Options) *caller {
	return r.callerOf(l, o, func() (*Conn, error) { return r.Conn, nil })
}

func (r *rig) callerOf(l *series, o Options, home func() (*Conn, error)) *caller {
	o.Epoch = r.epoch
	c := &caller{Call: NewCall(o), rig: r, list: l, done: make(chan struct{})}
	c.Start(l, home)
	return c
}

// tell takes note of results.
func (c *caller) tell(results []flight.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range results {
		if r.Kind.Settles() {
			c.list.settled++
		}
		c.results = append(c.results, r)
		c.heard = append(c.heard, time.Since(c.rig.epoch))
	}
}

// run runs the call to its end, or that of ctx, and returns what has been dropped.
func (c *caller) run(ctx context.Context) (pending int) {
	defer close(c.done)
	c.err = Run(ctx, func(_ int, results []flight.Result) bool {
		c.tell(results)
		return true
	}, c.Call)
	pending, _ = c.End()
	return pending
}

// start runs the call in another goroutine, which ends before the test does.
func (c *caller) start(ctx context.Context) *caller {
	ctx, cancel := context.WithCancel(ctx)
	c.rig.Cleanup(func() {
		cancel()
		<-c.done
	})
	go c.run(ctx)
	return c
}

// wait waits for the end of a call that has been started.
func (c *caller) wait() *caller {
	<-c.done
	return c
}

// told are the results so far.
func (c *caller) told() []flight.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.results)
}

// kinds are those of the results so far.
func (c *caller) kinds() (kinds []flight.Kind) {
	for _, r := range c.told() {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// times are when the call was told of its results, after the epoch.
func (c *caller) times() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heard)
}

// only fails the test unless there are n results so far, all of a kind.
func (c *caller) only(n int, kind flight.Kind) {
	c.rig.Helper()
	kinds := c.kinds()
	if len(kinds) != n || slices.ContainsFunc(kinds, func(k flight.Kind) bool { return k != kind }) {
		c.rig.Errorf("results of the kinds %v, want %d of %v", kinds[:min(len(kinds), 20)], n, kind)
	}
}

// inBubble runs a test in a bubble of testing/synctest.
func inBubble(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// fill fills the Conn's table with probes of a call that lasts as long as the test, for an hour.
func (r *rig) fill() *caller {
	r.Helper()
	c := r.caller(r.now(shape(r, time.Hour), tableRoom), Options{Batch: 8}).start(context.Background())
	for r.link.left() < tableRoom {
		time.Sleep(ms)
	}
	return c
}

// tableRoom is how many probes may be in flight over one Conn.
const tableRoom = 1<<16 - 1<<12
