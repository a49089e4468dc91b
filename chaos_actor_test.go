package ping_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/icmpsock/ping"
)

// An actor makes one call after another, each with a context and options of its own.
type actor struct {
	s *storm
	f *field
	r *rand.Rand

	last   map[*ping.Pinger]ping.Counters // as last seen; nil: it does not look
	nested bool                           // a Sweep of its own is under way
}

// What panics, on purpose.
var (
	errMood     = errors.New("a transport panics")
	errIterator = errors.New("an iterator panics")
	errBody     = errors.New("a loop's body panics")
)

// guarded runs f, and recovers from what panics on purpose.
func (a *actor) guarded(f func()) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case errMood, errIterator, errBody:
			a.s.saw(v.(error).Error())
		default:
			panic(v)
		}
	}()
	f()
}

// act makes one call.
func (a *actor) act(ctx context.Context) {
	p := a.f.pingers[a.r.IntN(len(a.f.pingers))]
	a.audit(p)
	ctx, cancel, limit := a.limited(ctx)
	defer cancel()
	o := a.choose()
	a.guarded(func() {
		switch n := a.r.IntN(100); {
		case n < 25:
			a.ping(ctx, p, o, limit)
		case n < 30:
			a.ask(ctx, p, o, limit)
		case n < 45:
			a.pingN(ctx, p, o, limit)
		case n < 60:
			a.stream(ctx, p, o, limit)
		case n < 67:
			a.reachable(ctx, p, o, limit)
		case n < 82 && !a.nested:
			a.sweep(ctx, p, o, limit)
		case n < 87:
			a.trace(ctx, p, o, limit)
		case n < 89:
			a.pathMTU(ctx, p, o, limit)
		case n < 90:
			a.traceMTU(ctx, p, o, limit)
		case n < 98:
			a.s.call("Counters", 0, func() { p.Counters() })
		case a.f.reopen:
			a.s.call("Reopen", 0, func() {
				if err := p.Reopen(); err != nil && !errors.Is(err, net.ErrClosed) {
					a.s.errorf("Reopen: %v", err)
				}
			})
		}
	})
}

// audit looks whether a Pinger's Counters add up, and none has gone back.
func (a *actor) audit(p *ping.Pinger) {
	if a.last == nil {
		return
	}
	a.s.call("Counters", 0, func() {
		k, last := p.Counters(), a.last[p]
		a.last[p] = k
		if !balanced(k) || k.Sent < last.Sent || k.Received < last.Received || k.Lost < last.Lost ||
			k.Abandoned < last.Abandoned || k.SendErrors < last.SendErrors || k.Errors < last.Errors ||
			k.Late < last.Late || k.Stray < last.Stray {
			a.s.errorf("the counters are %+v, after %+v", k, last)
		}
	})
}

// limited returns a context, and when it ends at the latest.
func (a *actor) limited(parent context.Context) (ctx context.Context, cancel func(), limit time.Duration) {
	kinds := 5
	if a.nested {
		kinds = 4
	}
	switch a.r.IntN(kinds) {
	case 0:
		ctx, stop := context.WithCancel(parent)
		stop()
		return ctx, stop, 0
	case 1:
		ctx, stop := context.WithDeadline(parent, time.Now().Add(-time.Hour))
		return ctx, stop, 0
	case 2:
		limit = time.Duration(a.r.Int64N(int64(5 * ms)))
		ctx, stop := context.WithTimeout(parent, limit)
		return ctx, stop, limit
	case 3:
		limit = time.Duration(a.r.Int64N(int64(50 * ms)))
		ctx, stop := context.WithCancel(parent)
		timer := time.AfterFunc(limit, stop)
		return ctx, func() { timer.Stop(); stop() }, limit
	}
	return parent, func() {}, time.Hour
}

// choice is what a call is to do.
type choice struct {
	host    netip.Addr
	timeout time.Duration
	flow    bool // WithFlow, for which a payload may be too small
	list    []ping.ProbeOption
}

// choose draws a host and options.
func (a *actor) choose() choice {
	r := a.r
	o := choice{host: a.f.hosts[r.IntN(len(a.f.hosts))], timeout: ms << r.IntN(7)}
	o.add(ping.WithTimeout(o.timeout))
	if r.IntN(2) == 0 {
		o.add(ping.WithInterval(0))
	} else {
		o.add(ping.WithInterval(time.Duration(r.IntN(5000)) * time.Microsecond))
	}
	switch r.IntN(4) {
	case 0:
		o.add(ping.WithSize(8 + r.IntN(1993)))
	case 1:
		o.add(ping.WithSize([]int{8, 1472, 1473, 2000}[r.IntN(4)]))
	}
	if r.IntN(4) == 0 {
		o.add(ping.WithTTL(1 + r.IntN(64)))
	}
	if o.flow = r.IntN(8) == 0; o.flow {
		o.add(ping.WithFlow(1 + r.IntN(100)))
	}
	if r.IntN(4) == 0 {
		o.add(ping.WithDontFragment(true))
	}
	return o
}

func (o *choice) add(p ping.ProbeOption) { o.list = append(o.list, p) }

// check looks at how a probe ended.
func (a *actor) check(o choice, host netip.Addr, r ping.Reply) {
	a.s.note(r.Err)
	from := r.From == host || host.Is6() && r.From == host.Next() // over IPv6 that is an answer
	if r.Err == nil && (!from || r.RTT < 0 || r.RTT > o.timeout) {
		a.s.errorf("%v, with a timeout of %v: %+v", host, o.timeout, r)
	}
}
