// Package pool keeps the Conns of one Pinger. It opens them on first use, opens those anew that could not be opened or
// have ended by themselves, and replaces all of them at once. It knows nothing of sockets: a function that it is given
// opens the links.
package pool

import (
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

const (
	// MaxLanes is how many Conns of one kind there are at most.
	MaxLanes = 16
	// RetryAfter is how long after an attempt to open a link the next one is made at the earliest.
	RetryAfter = time.Second
)

// A Key names one of the Conns of a Pool.
type Key struct {
	V6           bool
	DontFragment bool
	Lane         int // 0 to MaxLanes-1: others of the same kind
}

// An Opened is a link, or why there is none.
type Opened struct {
	Link engine.Link // nil: none
	Err  error       // why there is none
	Deaf error       // why the link is told of no ICMP errors; nil: it is
	Tell func()      // called when the Pool's locks are free again, so that it may use the Pool; nil: nothing
}

// Options are how a Pool opens its links, and what the Conns over them have in common.
type Options struct {
	// Open opens a link, in the network namespace of another, or if that is nil of the calling thread. One goroutine at a
	// time calls it. It must not use the Pool.
	Open func(k Key, beside engine.Link) Opened
	// Beside is that other link until the Pool has one of its own.
	Beside engine.Link
	// Single says that one link carries all, which is replaced by Reopen alone.
	Single bool
	// Lanes, if not 0, is how many links of each kind Reopen opens, for WithAllSockets. No others are opened then, but in
	// the place of these.
	Lanes int
	// MainlyV6 says that where there is no link of either IP version, the error is that of IPv6.
	MainlyV6 bool
	// Epoch, Limiter and Ended are those of engine.NewConn.
	Epoch   time.Time
	Limiter *plan.Limiter
	Ended   func(cause error)
}

// A Pool is the Conns of one Pinger. All its methods are safe for concurrent use.
//
// Locks are taken in the order opening, mu, and those of a Conn. Links are opened and closed without mu.
type Pool struct {
	options Options
	closed  atomic.Bool
	lines   [2][2][MaxLanes]atomic.Pointer[line] // by V6, DontFragment and Lane

	opening sync.Mutex // held by who opens links, and puts them into lines
	tell    []func()   // when opening is free again, which guards it

	mu   sync.Mutex     // held while Conns go from lines to old, and from old to past: each is counted once
	old  []*engine.Conn // which others have replaced
	past flight.Counts  // of those of them that have ended
}

// A line is what became of opening the link of a Key. It does not change: another takes its place.
type line struct {
	conn  *engine.Conn // nil: none
	err   error        // why there is none
	link  engine.Link  // of conn; without one, the last that there was
	deaf  error
	tried time.Time
}

var errAllOpen = errors.New("WithAllSockets: New has opened no such socket, and no others are opened later")

// New returns a Pool without links: Reopen opens the first.
func New(o Options) *Pool { return &Pool{options: o} }

// Conn returns the Conn of a key, or why there is none. One that has not been opened, or has ended by itself, it opens,
// unless that was tried less than RetryAfter ago.
func (p *Pool) Conn(k Key) (*engine.Conn, error) {
	if p.options.Single {
		k = Key{}
	}
	if c, ok, err := p.standing(k); ok {
		return c, err
	}
	p.opening.Lock()
	defer p.opened()
	if c, ok, err := p.standing(k); ok { // another call has opened it
		return c, err
	}
	if p.closed.Load() {
		return nil, net.ErrClosed
	}
	l := p.open(k)
	if was := p.line(k).Load(); was != nil && l.conn == nil {
		l.link = was.link
	}
	fresh := map[Key]*line{k: l}
	p.put(fresh)
	p.tidy()
	if err := p.checkClosed(fresh); err != nil {
		return nil, err
	}
	return l.conn, l.err
}

// standing is the Conn of a key, or why there is none; unless ok is false: then its link is to be opened.
func (p *Pool) standing(k Key) (c *engine.Conn, ok bool, err error) {
	l := p.line(k).Load()
	switch {
	case l == nil:
		return nil, p.options.Lanes > 0, errAllOpen
	case l.conn == nil:
		never := p.options.Lanes > 0 && l.link == nil
		return nil, never || time.Since(l.tried) < RetryAfter, l.err
	case l.conn.Ended():
		return nil, p.options.Single || time.Since(l.tried) < RetryAfter, l.conn.Cause()
	}
	return l.conn, true, nil
}

// Roomy is Conn for a call that may use any lane: where the first one's table is crowded, one that has room.
func (p *Pool) Roomy(v6, dontFragment bool) (*engine.Conn, error) {
	k := Key{V6: v6, DontFragment: dontFragment}
	first, err := p.Conn(k)
	if err != nil || !first.Crowded() || p.options.Single {
		return first, err
	}
	for k.Lane = 1; k.Lane < MaxLanes; k.Lane++ {
		c, err := p.Conn(k)
		if err != nil {
			break
		}
		if !c.Crowded() {
			return c, nil
		}
	}
	return first, nil
}

// Link is a link that the Pool has or has had, in whose network namespace others are opened; failing that, Beside.
func (p *Pool) Link() engine.Link {
	var link engine.Link
	for _, v6 := range []bool{false, true} {
		l := p.line(Key{V6: v6}).Load()
		if l != nil && l.link != nil && (link == nil || l.conn != nil && !l.conn.Ended()) {
			link = l.link
		}
	}
	if link == nil {
		return p.options.Beside
	}
	return link
}

// Deaf is why the first link of an IP version is told of no ICMP errors; nil: it is, or there is none.
func (p *Pool) Deaf(v6 bool) error {
	if l := p.line(Key{V6: v6}).Load(); l != nil {
		return l.deaf
	}
	return nil
}

// Counts returns what all Conns have seen that there have been.
func (p *Pool) Counts() flight.Counts {
	p.mu.Lock()
	sum, conns := p.past, p.conns()
	p.mu.Unlock()
	for _, c := range conns {
		sum = sum.Plus(c.Counts())
	}
	return sum
}

// Closed reports whether Close has been called.
func (p *Pool) Closed() bool { return p.closed.Load() }

// Close closes all Conns. Conn and Reopen return net.ErrClosed from then on. Closing again does nothing.
func (p *Pool) Close() error {
	p.closed.Store(true)
	p.mu.Lock()
	conns := p.conns()
	p.mu.Unlock()
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// conns lists the Conns that have not been forgotten. The caller holds mu.
func (p *Pool) conns() []*engine.Conn {
	list := slices.Clone(p.old)
	for k := range p.keys {
		if l := p.line(k).Load(); l != nil && l.conn != nil {
			list = append(list, l.conn)
		}
	}
	return list
}

// line is where the line of a key is: nil, where none has been opened.
func (p *Pool) line(k Key) *atomic.Pointer[line] {
	return &p.lines[index(k.V6)][index(k.DontFragment)][k.Lane]
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keys yields all that there are.
func (p *Pool) keys(yield func(Key) bool) {
	for lane := range MaxLanes {
		for _, k := range []Key{{false, false, lane}, {true, false, lane}, {false, true, lane}, {true, true, lane}} {
			if !yield(k) {
				return
			}
		}
	}
}
