package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Pinger sends echo requests and measures the replies, for any number of targets and callers at a time. It holds one
// socket for IPv4 and one for IPv6; one more of each once WithDontFragment is used, and once a large Sweep can use
// another processor. All its methods are safe for concurrent use, and independent of each other. New makes one; the
// zero value is not usable.
type Pinger struct {
	config    *config
	templates [2][]byte // of an echo request of the default size, by family
	exchanges sync.Pool
	epoch     time.Time

	calls  atomic.Int64  // PingN, Stream and Reachable, that are running
	spread atomic.Uint32 // how many of them have been spread

	limiter *limiter // nil: no limit

	lines [2]atomic.Pointer[line] // by family

	mu     sync.Mutex // guards what follows
	closed bool
	old    []*conn           // that Reopen has replaced
	past   Counters          // of those of them that have ended
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
	p := &Pinger{config: config, epoch: time.Now()}
	if config.rate > 0 {
		p.limiter = newLimiter(config.rate)
	}
	p.exchanges.New = func() any { return &exchange{pinger: p, plan: plan{in: newInbox(), place: -1}} }
	for i, limit := range [2]int{maxPayload4, maxPayload6} {
		if p.templates[i], err = newTemplate(i == 1, min(config.probe.size, limit)); err != nil {
			return nil, err
		}
	}
	if t := config.transport; t != nil {
		c := p.newConn(t)
		p.lines[0].Store(&line{conn: c})
		p.lines[1].Store(&line{conn: c})
		return p, nil
	}
	four, six := p.open(0, false), p.open(1, false)
	if four.conn == nil && six.conn == nil {
		if config.source4.IsValid() || !config.source6.IsValid() {
			return nil, fmt.Errorf("ping: %w", four.err)
		}
		return nil, fmt.Errorf("ping: %w", six.err)
	}
	p.lines[0].Store(&four)
	p.lines[1].Store(&six)
	return p, nil
}

// Reopen replaces the Pinger's sockets by new ones, with other identifiers, for all calls, those that are running too:
// they go on over the new sockets as soon as what they have in flight is settled. It is a way out where a firewall
// on the way has lost or spoiled its record of an identifier, so that a host seems down that is not. If a socket
// cannot be opened anew, the old ones stay. Over a Transport of your own it is errors.ErrUnsupported.
func (p *Pinger) Reopen() error {
	if p.config.transport != nil {
		return fmt.Errorf("ping: Reopen with WithTransport: %w", errors.ErrUnsupported)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	lines := [2]line{p.open(0, false), p.open(1, false)}
	for i := range lines {
		if lines[i].conn == nil && p.lines[i].Load().conn != nil {
			if other := lines[1-i].conn; other != nil {
				other.close()
			}
			return lines[i].err
		}
	}
	p.old = slices.DeleteFunc(p.old, func(c *conn) bool {
		if !c.ended() {
			return false
		}
		c.close() // its goroutines have, too
		p.past.add(c.counters())
		return true
	})
	for i := range lines {
		if c := p.lines[i].Swap(&lines[i]).conn; c != nil {
			p.old = append(p.old, c)
		}
	}
	for _, c := range p.more {
		p.old = append(p.old, c)
	}
	clear(p.more)
	for _, c := range p.old {
		c.retire()
	}
	return nil
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
	return line{conn: p.newConn(t)}
}

func (p *Pinger) newConn(t Transport) *conn { return newConn(t, p.epoch, p.limiter, p.config.log) }

// conn returns the conn for a probe; for a lane of a Sweep if that is not 0.
func (p *Pinger) conn(v6, dontFragment bool, lane int) (*conn, error) {
	i := family(v6)
	if !dontFragment && lane == 0 || p.config.transport != nil {
		l := p.lines[i].Load()
		return l.conn, l.err
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

// conns lists what is open. The caller holds p.mu.
func (p *Pinger) conns() (list []*conn) {
	four, six := p.lines[0].Load().conn, p.lines[1].Load().conn
	if four != nil {
		list = append(list, four)
	}
	if six != nil && six != four {
		list = append(list, six)
	}
	for _, c := range p.more {
		list = append(list, c)
	}
	return append(list, p.old...)
}

// turn waits for the call's turn to send over c, where there is a limit.
func (p *Pinger) turn(ctx context.Context, c *conn) error {
	if p.limiter == nil {
		return nil
	}
	turn := p.limiter.reserve(time.Now(), 1)
	wait := time.Until(turn)
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.done:
		p.limiter.giveBack(turn, 1)
		return c.cause()
	case <-ctx.Done():
		p.limiter.giveBack(turn, 1)
		return ctx.Err()
	}
}

// Close closes the sockets and waits for the Pinger's goroutines. What is in flight ends with net.ErrClosed, as do
// all later calls. Closing again does nothing.
func (p *Pinger) Close() error {
	p.mu.Lock()
	p.closed = true
	conns := p.conns()
	p.mu.Unlock()
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

func (p *Pinger) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Counters returns what the Pinger has seen since New.
func (p *Pinger) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.past
	for _, c := range p.conns() {
		c.glance()
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
	if err := e.send(ctx); err != nil {
		return Reply{}, err
	}
	for {
		if o, ok := e.conn.first(e.in); ok {
			r := o.reply(e.target)
			return r, r.Err
		}
		e.conn.listen()
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
