package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/pool"
)

// A Pinger sends echo requests and measures the replies, for any number of targets and callers at a time. It holds one
// socket for IPv4 and one for IPv6; one more of each once WithDontFragment is used, once a large Sweep can use another
// processor or many hosts on the link do not answer it, and once 57,600 probes are in flight over one; or all of these
// from the start, with [WithAllSockets]. All are in the network namespace of the thread that New ran on. A socket that
// could not be opened, or that has come to its end, is opened anew by a later call, a second later at the earliest. All
// its methods are safe for concurrent use, and independent of each other. New makes one; the zero value is not usable.
//
// A Pinger that is made outside of a bubble of testing/synctest cannot be used in it, nor the other way round: such
// calls end with an error that wraps errors.ErrUnsupported.
type Pinger struct {
	config   *config
	shapes   [2]*flight.Shape // of probes without options of their own, by family; nil: there can be none
	callPool sync.Pool        // of *call
	epoch    time.Time
	bubble   bool // it was made in one of testing/synctest
	limiter  *plan.Limiter

	series   atomic.Int64  // PingN, Stream and Reachable, that are running
	spread   atomic.Uint32 // how many of them have been spread
	strained atomic.Int64  // when routers have got over the Traces so far, on the clock of age: see strain

	closing context.Context // ends with Close, and with it the loops of Watchers
	noteEnd context.CancelFunc
	sockets *pool.Pool

	neighbours neighbours
}

// New opens the sockets, so that a missing permission shows at once, as an error that wraps [ErrNotPermitted].
// A host without IPv6 still pings IPv4, and the other way round. The Pinger must be closed after use.
//
// To ping from another network namespace, call New on a thread that is there (setns(2), runtime.LockOSThread). The
// Pinger's calls may come from any thread. One that needs a further socket has another thread enter the namespace to
// open it, which takes CAP_NET_ADMIN and CAP_SYS_ADMIN; without them the call fails, and the error says so. With
// [WithAllSockets] there are no further sockets.
func New(opts ...Option) (*Pinger, error) {
	config, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	var limiter *plan.Limiter
	if config.rate > 0 {
		limiter = plan.NewLimiter(config.rate)
	}
	return newPinger(config, time.Now(), limiter, nil)
}

// Clone opens another Pinger with the options of p, in the same network namespace: its sockets have identifiers of
// their own, and the one is closed without the other. They share the rate of WithRate. It serves to tell a host that is
// down from one to which this Pinger's identifier does not get through; package monitor does so. Over a Transport of
// your own it is errors.ErrUnsupported, after Close net.ErrClosed; other errors are New's.
func (p *Pinger) Clone() (*Pinger, error) {
	if p.config.transport != nil {
		return nil, fmt.Errorf("ping: Clone with WithTransport: %w", errors.ErrUnsupported)
	}
	if _, err := p.usable(); err != nil {
		return nil, fmt.Errorf("ping: Clone: %w", err)
	}
	return newPinger(p.config, p.epoch, p.limiter, p.sockets.Link())
}

// newPinger opens the sockets in the network namespace of a link; nil for the calling thread's. Pingers that share a
// limiter have the same epoch.
func newPinger(config *config, epoch time.Time, limiter *plan.Limiter, beside engine.Link) (*Pinger, error) {
	p := &Pinger{config: config, epoch: epoch, limiter: limiter}
	var err error
	p.closing, p.noteEnd = context.WithCancel(context.Background())
	p.bubble = !flight.IsReading(p.epoch)
	p.callPool.New = p.newCall
	if p.shapes[1], err = p.shape(true, &config.probe); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	p.shapes[0], _ = p.shape(false, &config.probe) // where the default size is none for IPv4, each call says so
	p.sockets = p.newPool(beside)
	if err := p.sockets.Reopen(); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	return p, nil
}

// longestLife is longer than any program runs: a Pinger that seems to be older was made by another clock. That of a
// bubble of testing/synctest tells of the year 2000 and later, without a monotonic part, or with one that is the same.
const longestLife = 20 * 365 * 24 * time.Hour

// usable says why the Pinger cannot be used, now or here; and how old it is, on the monotonic clock.
func (p *Pinger) usable() (age int64, err error) {
	passed := time.Since(p.epoch)
	switch {
	case p.sockets.Closed():
		return 0, net.ErrClosed
	case passed < 0 || passed > longestLife, p.bubble && flight.IsReading(time.Now()):
		return 0, errBubble
	}
	return int64(passed), nil
}

// age is how old the Pinger is, in nanoseconds, on the monotonic clock.
func (p *Pinger) age() int64 { return int64(time.Since(p.epoch)) }

// Close closes the sockets and waits for the Pinger's goroutines. What is in flight ends with net.ErrClosed, as do
// all later calls. Closing again does nothing.
func (p *Pinger) Close() error {
	p.noteEnd()
	return p.sockets.Close()
}

// Counters returns what the Pinger has seen since New.
func (p *Pinger) Counters() Counters { return Counters(p.sockets.Counts()) }

// Ping sends one echo request to host, a name or an address, and waits for the answer. err is nil exactly when
// an echo reply came back in time; otherwise it is also the Reply's Err, and wraps [ErrTimeout], an
// *[ICMPError], ctx's error, net.ErrClosed, a *net.DNSError, or why the request could not be sent.
func (p *Pinger) Ping(ctx context.Context, host string, opts ...ProbeOption) (Reply, error) {
	var reply Reply
	pending := 0
	c, err := p.prepare(ctx, onPing, host, opts)
	if err == nil {
		reply, _, pending, err = c.one(ctx)
	}
	if err != nil {
		reply.Err = &probeError{host, err, pending}
	}
	return reply, reply.Err
}

// one sends one echo request, and ends the call. The error is the Reply's, if there is one; else why there is none, and
// pending is 1 if the request had left. What an extended echo reply says comes with it.
func (c *call) one(ctx context.Context) (reply Reply, says flight.Extended, pending int, err error) {
	target, settled := c.target, false
	pending, _, err = c.runSeries(ctx, 1, func(r *flight.Result) bool {
		reply, says, settled = newReply(r, target), r.Extended, true
		return false
	})
	if settled {
		err = reply.Err
	} else {
		reply.Target = target
	}
	return reply, says, pending, err
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
