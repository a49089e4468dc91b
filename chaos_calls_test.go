package ping_test

import (
	"context"
	"errors"
	"time"

	"github.com/icmpsock/ping"
)

// own is how long a number of probes, one after another, may take of themselves.
func (o choice) own(n int) time.Duration { return time.Second + time.Duration(n)*(o.timeout+5*ms) }

func (a *actor) ping(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	host := o.host
	if a.f.moody.IsValid() && a.r.IntN(8) == 0 {
		host = a.f.moody
	}
	if !o.flow && a.r.IntN(8) == 0 {
		o.add(ping.WithSize(a.r.IntN(8)))
	}
	a.s.call("Ping", min(limit, o.own(1)), func() {
		r, err := p.Ping(ctx, host.String(), o.list...)
		if r.Err != err {
			a.s.errorf("Ping returns the errors %v and %v", r.Err, err)
		}
		if host != a.f.moody { // what ends a probe over whose sending another call panicked is the Pinger's to say
			a.check(o, host, r)
		}
	})
}

func (a *actor) ask(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	if o.flow {
		return // which is refused
	}
	a.s.call("AskInterface", min(limit, o.own(1)), func() {
		s, err := p.AskInterface(ctx, o.host.String(), ping.InterfaceID{Index: 1 + a.r.IntN(2)}, o.list...)
		if s.Reply.Err != err || err != nil && (s.Active || s.IPv4 || s.IPv6) {
			a.s.errorf("AskInterface of %v returns %+v, %v", o.host, s, err)
		}
		if errors.As(err, new(ping.InterfaceError)) {
			err = nil
		}
		a.s.note(err)
	})
}

func (a *actor) pingN(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	n := 1 + a.r.IntN(20)
	a.s.call("PingN", min(limit, o.own(n)), func() {
		s, err := p.PingN(ctx, o.host.String(), n, o.list...)
		if err != nil {
			a.s.note(err)
		}
		if s == nil {
			return
		}
		for _, r := range s.Replies {
			a.check(o, o.host, r)
		}
		// What is in flight when a run is cut short need be neither.
		settled := s.Received + s.Lost
		if settled > s.Sent || err == nil && (settled != s.Sent || s.Sent+s.SendErrors != n) {
			a.s.errorf("%d echo requests, %v: %+v", n, err, s)
		}
	})
}

func (a *actor) stream(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	n := 1 + a.r.IntN(20)
	if a.r.IntN(2) == 0 {
		o.add(ping.WithCount(n))
	}
	a.s.call("Stream", min(limit, o.own(n)), func() {
		seen := make(map[int]bool)
		for r, err := range p.Stream(ctx, o.host.String(), o.list...) {
			if err != nil {
				a.s.note(err)
				continue // it is the last
			}
			if seen[r.Seq] {
				a.s.errorf("Stream yields %d twice", r.Seq)
			}
			seen[r.Seq] = true
			a.check(o, o.host, r)
			if len(seen) == n {
				break
			}
		}
	})
}

func (a *actor) reachable(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	a.s.call("Reachable", min(limit, o.own(3)), func() { a.s.note(p.Reachable(ctx, o.host.String(), o.list...)) })
}

func (a *actor) trace(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	hops := 1 + a.r.IntN(6)
	o.add(ping.WithMaxHops(hops))
	end := a.r.IntN(10)
	a.s.call("Trace", min(limit, o.own(3*hops)+3*time.Second), func() {
		distance := 0
		for h, err := range p.Trace(ctx, o.host.String(), o.list...) {
			if err != nil {
				a.s.note(err)
				continue // it is the last
			}
			if distance++; h.Distance != distance {
				a.s.errorf("Trace yields distance %d in place of %d", h.Distance, distance)
			}
			if distance == end {
				break
			}
		}
	})
}

func (a *actor) pathMTU(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	a.s.call("PathMTU", min(limit, o.own(100)), func() {
		n, err := p.PathMTU(ctx, o.host.String(), o.list...)
		a.s.note(err)
		if err == nil && n < 28 {
			a.s.errorf("a path's MTU of %d", n)
		}
	})
}

func (a *actor) traceMTU(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	a.s.call("TraceMTU", min(limit, o.own(100)), func() {
		distance := -1
		for h, err := range p.TraceMTU(ctx, o.host.String(), append(o.list, ping.WithMaxHops(4))...) {
			if a.s.note(err); err != nil {
				continue // it is the last
			}
			if distance++; h.Distance != distance {
				a.s.errorf("TraceMTU yields distance %d in place of %d", h.Distance, distance)
			}
		}
	})
}
