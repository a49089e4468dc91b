package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Pinger sends echo requests and measures the replies, for any number of targets and callers at a time. It holds one
// socket for IPv4 and one for IPv6; one more of each once WithDontFragment is used, once a large Sweep can use another
// processor, and once 57,600 probes are in flight over one. A socket that could not be opened, or that has come to its
// end, is opened anew by a later call, a second later at the earliest. All its methods are safe for concurrent use, and
// independent of each other. New makes one; the zero value is not usable.
//
// A Pinger that is made outside of a bubble of testing/synctest cannot be used in it, nor the other way round: such calls
// end with an error that wraps errors.ErrUnsupported.
type Pinger struct {
	config    *config
	templates [2][]byte // of an echo request of the default size, by family
	exchanges sync.Pool
	epoch     time.Time
	bubble    bool // it was made in one of testing/synctest

	calls  atomic.Int64  // PingN, Stream and Reachable, that are running
	spread atomic.Uint32 // how many of them have been spread

	limiter *limiter // nil: no limit

	lines  [2]atomic.Pointer[line] // by family
	closed atomic.Bool

	opening sync.Mutex // held while sockets are opened; mu may be taken under it
	notes   []func()   // for the logger, once opening is free

	noFurther atomic.Int64 // when a further socket could not be opened, for want of room on the others; after epoch

	mu   sync.Mutex        // guards what follows, for moments without a system call
	old  []*conn           // that others have replaced
	past Counters          // of those of them that have ended
	more map[lineKey]*conn // opened on first use
}

// New opens the sockets, so that a missing permission shows at once, as an error that wraps [ErrNotPermitted].
// A host without IPv6 still pings IPv4, and the other way round. The Pinger must be closed after use.
func New(opts ...Option) (*Pinger, error) {
	config, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	p := &Pinger{config: config, epoch: time.Now()}
	p.bubble = !isReading(p.epoch)
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

// longestLife is how long no program runs. In a bubble of testing/synctest the clock tells of the year 2000 and later,
// without a monotonic part, or with one that is the same.
const longestLife = 20 * 365 * 24 * time.Hour

// usable says why the Pinger cannot be used, now or here; and how old it is, on the monotonic clock.
func (p *Pinger) usable() (age int64, err error) {
	passed := time.Since(p.epoch)
	switch {
	case p.closed.Load():
		return 0, net.ErrClosed
	case passed < 0 || passed > longestLife, p.bubble && isReading(time.Now()):
		return 0, errBubble
	}
	return int64(passed), nil
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
		c.glance(glanceBatches)
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
			e.conn.glance(glanceBatches) // it may have come all the same
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
