package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Pinger sends echo requests and measures the replies, for any number of targets and callers at a time. It
// holds one socket for IPv4 and one for IPv6; one more of each once WithDontFragment is used, and once a large Sweep can
// use another processor. All its methods are safe for concurrent use, and independent of each other.
type Pinger struct {
	config    *config
	templates [2][]byte // of an echo request of the default size, by family
	inboxes   sync.Pool

	calls atomic.Int64 // PingN, Stream and Reachable, that are running

	turns   sync.Mutex // guards limiter
	limiter *limiter   // nil: no limit

	lines [2]line // by family

	mu     sync.Mutex // guards what follows
	closed bool
	more   map[lineKey]*conn // opened on first use
}

// A lineKey names the lines that are opened on first use: those with DF set, and more of the same for Sweep to put
// other processors to use.
type lineKey struct {
	family       int
	dontFragment bool
	lane         int
}

// A line is a conn of one family, or why there is none.
type line struct {
	conn *conn
	err  error
}

// family is the index of an address in a Pinger's arrays.
func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// New opens the sockets, so that a missing permission shows at once, as an error that wraps [ErrNotPermitted].
// A host without IPv6 still pings IPv4, and the other way round. The Pinger must be closed after use.
func New(opts ...Option) (*Pinger, error) {
	config, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	p := &Pinger{config: config}
	if config.rate > 0 {
		p.limiter = newLimiter(config.rate)
	}
	p.inboxes.New = func() any { return newInbox() }
	for i, limit := range [2]int{maxPayload4, maxPayload6} {
		if p.templates[i], err = newTemplate(i == 1, min(config.probe.size, limit)); err != nil {
			return nil, err
		}
	}
	if t := config.transport; t != nil {
		c := newConn(t, config.log)
		p.lines = [2]line{{conn: c}, {conn: c}}
		return p, nil
	}
	for i := range p.lines {
		p.lines[i] = p.open(i, false)
	}
	if p.lines[0].conn == nil && p.lines[1].conn == nil {
		if config.source4.IsValid() || !config.source6.IsValid() {
			return nil, p.lines[0].err
		}
		return nil, p.lines[1].err
	}
	return p, nil
}

// open opens a line of one family.
func (p *Pinger) open(family int, dontFragment bool) line {
	sources := [2]netip.Addr{p.config.source4, p.config.source6}
	source, other := sources[family], sources[1-family]
	if !source.IsValid() && other.IsValid() {
		return line{err: fmt.Errorf("WithSource(%v) has the Pinger ping %s only", other, [2]string{"IPv6", "IPv4"}[family])}
	}
	t, err := openSocket(family == 1, socketConfig{
		kind:         p.config.kind,
		source:       source,
		device:       p.config.device,
		mark:         p.config.mark,
		hasMark:      p.config.hasMark,
		dontFragment: dontFragment,
		wire:         p.config.wire,
	})
	if err != nil {
		p.config.log.Debug("ping: no socket", "ipv6", family == 1, "error", err)
		return line{err: err}
	}
	p.config.log.Debug("ping: opened", "ipv6", family == 1, "socket", t)
	return line{conn: newConn(t, p.config.log)}
}

// conn returns the conn for a probe; for a lane of a Sweep if that is not 0.
func (p *Pinger) conn(v6, dontFragment bool, lane int) (*conn, error) {
	i := family(v6)
	if !dontFragment && lane == 0 || p.config.transport != nil {
		return p.lines[i].conn, p.lines[i].err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	key := lineKey{i, dontFragment, lane}
	if c := p.more[key]; c != nil {
		return c, nil
	}
	l := p.open(i, dontFragment)
	if l.conn != nil { // an error may pass
		if p.more == nil {
			p.more = make(map[lineKey]*conn)
		}
		p.more[key] = l.conn
	}
	return l.conn, l.err
}

// conns lists what is open.
func (p *Pinger) conns() (list []*conn) {
	for i, l := range p.lines {
		if l.conn != nil && (i == 0 || l.conn != p.lines[0].conn) {
			list = append(list, l.conn)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.more {
		list = append(list, c)
	}
	return list
}

// turn waits for the call's turn to send, where there is a limit.
func (p *Pinger) turn(ctx context.Context) error {
	if p.limiter == nil {
		return nil
	}
	wait := p.reserve(1)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pinger) reserve(n int) time.Duration {
	p.turns.Lock()
	defer p.turns.Unlock()
	return p.limiter.reserve(time.Now(), n)
}

// Close closes the sockets and waits for the Pinger's goroutines. What is in flight ends with net.ErrClosed, as do
// all later calls. Closing again does nothing.
func (p *Pinger) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	var errs []error
	for _, c := range p.conns() {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// Counters returns what the Pinger has seen since New.
func (p *Pinger) Counters() Counters {
	var sum Counters
	for _, c := range p.conns() {
		sum.add(c.counters())
	}
	return sum
}

// Ping sends one echo request to host, a name or an address, and waits for the answer. err is nil exactly when
// an echo reply came back in time; otherwise it is also the Reply's Err, and wraps [ErrTimeout], an
// *[ICMPError], ctx's error, net.ErrClosed, a *net.DNSError, or why the request could not be sent.
func (p *Pinger) Ping(ctx context.Context, host string, opts ...ProbeOption) (Reply, error) {
	r, err := p.ping(ctx, host, opts)
	if err != nil {
		r.Err = &probeError{host, err}
	}
	return r, r.Err
}

func (p *Pinger) ping(ctx context.Context, host string, opts []ProbeOption) (Reply, error) {
	e, err := p.prepare(ctx, host, opts)
	if err != nil {
		return Reply{}, err
	}
	defer e.end()
	if err := e.send(ctx, 0); err != nil {
		return Reply{}, err
	}
	for {
		if o, ok := e.conn.first(e.in); ok {
			r := o.reply(e.target)
			return r, r.Err
		}
		select {
		case <-e.in.wake:
		case <-ctx.Done():
			e.conn.glance() // it may have come all the same
			if o, ok := e.conn.first(e.in); ok {
				r := o.reply(e.target)
				return r, r.Err
			}
			return Reply{}, ctx.Err()
		}
	}
}

var shared struct {
	sync.Mutex
	pinger *Pinger
}

// sharedPinger opens the shared Pinger on first use. Where that fails it is tried again the next time.
func sharedPinger() (*Pinger, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.pinger == nil {
		p, err := New()
		if err != nil {
			return nil, err
		}
		shared.pinger = p
	}
	return shared.pinger, nil
}

// Ping is [Pinger.Ping] of a Pinger that all of the program shares. It is opened on first use and never closed.
func Ping(ctx context.Context, host string, opts ...ProbeOption) (Reply, error) {
	p, err := sharedPinger()
	if err != nil {
		return Reply{Err: err}, err
	}
	return p.Ping(ctx, host, opts...)
}

// PingN is [Pinger.PingN] of a Pinger that all of the program shares. It is opened on first use and never closed.
func PingN(ctx context.Context, host string, n int, opts ...ProbeOption) (*Statistics, error) {
	p, err := sharedPinger()
	if err != nil {
		return nil, err
	}
	return p.PingN(ctx, host, n, opts...)
}
