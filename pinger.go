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

	lines  [2]atomic.Pointer[line] // by family
	closed atomic.Bool

	opening sync.Mutex // held while sockets are opened; mu may be taken under it
	notes   []func()   // for the logger, once opening is free

	mu   sync.Mutex        // guards what follows, for moments without a system call
	old  []*conn           // that others have replaced
	past Counters          // of those of them that have ended
	more map[lineKey]*conn // opened on first use
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
	conn  *conn
	err   error
	tried time.Time // when it was opened, or could not be
}

// renewAfter is how long after a socket could not be opened that is tried again at the earliest.
const renewAfter = time.Second

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
		p.limiter = newLimiter(config.rate, p.epoch)
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
	p.opening.Lock()
	defer p.opened()
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
	p.opening.Lock()
	defer p.opened()
	if p.closed.Load() {
		return net.ErrClosed
	}
	p.tidy()
	lines := [2]line{p.open(0, false), p.open(1, false)}
	for i := range lines {
		if lines[i].conn == nil && p.lines[i].Load().conn != nil {
			if other := lines[1-i].conn; other != nil {
				other.close()
			}
			return lines[i].err
		}
	}
	p.mu.Lock()
	var retired []*conn
	for i := range lines {
		if c := p.lines[i].Swap(&lines[i]).conn; c != nil {
			retired = append(retired, c)
		}
	}
	for _, c := range p.more {
		retired = append(retired, c)
	}
	clear(p.more)
	p.old = append(p.old, retired...)
	p.mu.Unlock()
	for _, c := range retired {
		c.retire()
	}
	return p.checkClosed()
}

// tidy forgets those old conns that have ended. The caller holds p.opening.
func (p *Pinger) tidy() {
	var ended []*conn
	p.mu.Lock()
	p.old = slices.DeleteFunc(p.old, func(c *conn) bool {
		if !c.finished() {
			return false
		}
		p.past.add(c.counters())
		ended = append(ended, c)
		return true
	})
	p.mu.Unlock()
	for _, c := range ended {
		c.close() // its goroutines have ended, or will at once
	}
}

// checkClosed closes what has been opened while Close was under way. The caller holds p.opening.
func (p *Pinger) checkClosed() error {
	if !p.closed.Load() {
		return nil
	}
	for _, c := range p.conns() {
		c.close()
	}
	return net.ErrClosed
}

// open opens a line of one family. The caller holds p.opening.
func (p *Pinger) open(family int, dontFragment bool) line {
	sources := [2]netip.Addr{p.config.source4, p.config.source6}
	source, other := sources[family], sources[1-family]
	if !source.IsValid() && other.IsValid() {
		return line{tried: time.Now(), err: fmt.Errorf("WithSource(%v) has the Pinger ping %s only", other, [2]string{"IPv6", "IPv4"}[family])}
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
		p.note("ping: no socket", "ipv6", family == 1, "error", err)
		return line{err: err, tried: time.Now()}
	}
	p.note("ping: opened", "ipv6", family == 1, "socket", t)
	return line{conn: p.newConn(t), tried: time.Now()}
}

// note has the logger told when p.opening, which the caller holds, is free again: its handler may call the Pinger.
func (p *Pinger) note(message string, args ...any) {
	p.notes = append(p.notes, func() { p.config.log.Debug(message, args...) })
}

// opened lets others open sockets, and tells the logger what has been noted.
func (p *Pinger) opened() {
	notes := p.notes
	p.notes = nil
	p.opening.Unlock()
	for _, tell := range notes {
		tell()
	}
}

func (p *Pinger) newConn(t Transport) *conn { return newConn(t, p.epoch, p.limiter, p.config.log) }

// conn returns the conn for a probe, on the given lane: 0, or another for more of the same. A socket that has ended by
// itself is replaced.
func (p *Pinger) conn(v6, dontFragment bool, lane int) (*conn, error) {
	i := family(v6)
	if !dontFragment && lane == 0 || p.config.transport != nil {
		l := p.lines[i].Load()
		if l.conn != nil && !l.conn.ended.Load() || p.config.transport != nil || p.closed.Load() {
			return l.conn, l.err
		}
		return p.renew(i)
	}
	key := lineKey{i, dontFragment, lane}
	if c := p.further(key); c != nil {
		return c, nil
	}
	p.opening.Lock()
	defer p.opened()
	if p.closed.Load() {
		return nil, net.ErrClosed
	}
	if c := p.further(key); c != nil { // another call has opened it
		return c, nil
	}
	l := p.open(i, dontFragment)
	if l.conn == nil {
		return nil, l.err // which may pass
	}
	p.mu.Lock()
	if p.more == nil {
		p.more = make(map[lineKey]*conn)
	}
	if ended := p.more[key]; ended != nil {
		p.old = append(p.old, ended)
	}
	p.more[key] = l.conn
	p.mu.Unlock()
	p.tidy()
	return l.conn, p.checkClosed()
}

// further is the conn that has been opened under a key, nil for none that is in use.
func (p *Pinger) further(key lineKey) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.more[key]; c != nil && !c.ended.Load() {
		return c
	}
	return nil
}

// renew opens a line anew that could not be opened, or has ended by itself.
func (p *Pinger) renew(family int) (*conn, error) {
	p.opening.Lock()
	defer p.opened()
	l := p.lines[family].Load()
	if l.conn != nil && !l.conn.ended.Load() || p.closed.Load() || time.Since(l.tried) < renewAfter {
		return l.conn, l.err
	}
	next := p.open(family, false)
	if next.conn == nil && l.conn != nil {
		next.conn = l.conn // which tells why it has ended
	}
	p.mu.Lock()
	p.lines[family].Store(&next)
	if l.conn != nil && l.conn != next.conn {
		p.old = append(p.old, l.conn)
	}
	p.mu.Unlock()
	p.tidy()
	if err := p.checkClosed(); err != nil {
		return nil, err
	}
	return next.conn, next.err
}

// roomy is conn for a call with one target: where the table of the first lane is crowded, one that has room.
func (p *Pinger) roomy(v6, dontFragment bool) (*conn, error) {
	first, err := p.conn(v6, dontFragment, 0)
	if err != nil || !first.crowded.Load() || p.config.transport != nil {
		return first, err
	}
	for lane := 1; lane < maxLanes; lane++ {
		c, err := p.conn(v6, dontFragment, lane)
		if err != nil {
			break
		}
		if !c.crowded.Load() {
			return c, nil
		}
	}
	return first, nil
}

// usable says why the Pinger cannot be used, now or here.
func (p *Pinger) usable() error {
	switch {
	case p.closed.Load():
		return net.ErrClosed
	case isReading(time.Now()) != isReading(p.epoch):
		return errBubble
	}
	return nil
}

// conns lists what is open, and what has been.
func (p *Pinger) conns() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list()
}

// list is conns. The caller holds p.mu.
func (p *Pinger) list() (list []*conn) {
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
	p.closed.Store(true)
	var errs []error
	for _, c := range p.conns() {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// Counters returns what the Pinger has seen since New.
func (p *Pinger) Counters() Counters {
	p.mu.Lock()
	sum, conns := p.past, p.list()
	p.mu.Unlock()
	for _, c := range conns {
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
