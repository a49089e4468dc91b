package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

// callers is how many goroutines call at a time.
const callers = 16

// A field is what a storm goes over: Pingers, and hosts for them.
type field struct {
	pingers []*ping.Pinger
	hosts   []netip.Addr
	healthy []netip.Addr // those of them that answer, while there is no fault
	swept   []netip.Addr // those of the healthy that a Sweep at rest goes over
	silent  netip.Addr   // that never answers
	moody   netip.Addr   // over which a Transport may panic; for Ping alone
	reopen  bool         // the Pingers can

	refused []netip.Addr         // that a firewall may reject; nil: there is none
	reject  func() (undo func()) // has it do so

	fault func()      // begins or ends one
	calm  func()      // ends all
	ended func() bool // a transport has come to its end
	last  func()      // comes just before Close
}

// round has callers do as they like, then looks whether all is well with the Pingers, and at last closes them while
// callers are at it again.
func (s *storm) round(f *field, length time.Duration) {
	s.Helper()
	s.blow(f, length*3/4, func() {})
	f.calm()
	for _, p := range f.pingers {
		s.rest(f, p)
	}
	r := s.chance()
	s.blow(f, length/4, func() {
		f.last()
		var wg sync.WaitGroup
		for _, p := range f.pingers {
			for range 1 + r.IntN(2) {
				wg.Go(func() {
					s.call("Close", 0, func() {
						if err := p.Close(); err != nil {
							s.errorf("Close: %v", err)
						}
					})
				})
			}
		}
		wg.Wait()
	})
	f.calm()
	for _, p := range f.pingers {
		s.await(func() { s.closed(p, f.healthy[0]) })
	}
}

// blow has callers call for as long as it says, and until end, which comes last, has returned.
func (s *storm) blow(f *field, length time.Duration, end func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range callers {
		a := &actor{s: s, f: f, r: s.chance()}
		if i == 0 {
			a.last = make(map[*ping.Pinger]ping.Counters)
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				a.act(ctx)
			}
		})
	}
	over := make(chan struct{})
	time.AfterFunc(length, func() { close(over) })
	s.during(over, 5*ms, f.fault)
	s.await(end)
	cancel()
	s.await(wg.Wait)
}

// rest looks whether all is well with a Pinger, now that nobody uses it, and there is no fault.
func (s *storm) rest(f *field, p *ping.Pinger) {
	s.Helper()
	s.until("nothing in flight", func() bool { return p.Counters().InFlight == 0 })
	if k := p.Counters(); !balanced(k) {
		s.errorf("at rest the counters are %+v", k)
	}
	if f.ended() {
		s.await(func() { s.closed(p, f.healthy[0]) })
		return
	}
	for _, host := range f.healthy {
		s.await(func() { s.well(p, host) })
	}
	s.rejected(f, p)

	// A call that has long to wait keeps its own socket, but nobody else on it.
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.Ping(ctx, f.silent.String(), ping.WithTimeout(time.Hour)) })
	s.until("a probe in flight", func() bool { return p.Counters().InFlight == 1 })
	addrs := func(yield func(netip.Addr) bool) {
		for i, host := range f.swept {
			if !yield(host) {
				return
			}
			if i == 0 && f.reopen {
				s.call("Reopen", 0, func() {
					if err := p.Reopen(); err != nil {
						s.errorf("Reopen: %v", err)
					}
				})
			}
		}
	}
	s.await(func() {
		n := 0
		s.call("Sweep at rest", 5*time.Second, func() {
			for range p.Sweep(s.Context(), addrs, ping.WithTimeout(time.Second)) {
				n++
			}
		})
		if n != len(f.swept) {
			s.errorf("at rest a Sweep over %d hosts yields %d", len(f.swept), n)
		}
	})
	for _, host := range f.healthy {
		s.await(func() { s.well(p, host) })
	}
	if k := p.Counters(); !balanced(k) || k.InFlight != 1 {
		s.errorf("while one call waits the counters are %+v", k)
	}
	cancel()
	s.await(wg.Wait)
}

// rejected has a firewall reject many echo requests, which cost the others nothing.
func (s *storm) rejected(f *field, p *ping.Pinger) {
	s.Helper()
	if f.reject == nil {
		return
	}
	undo := f.reject()
	s.await(func() {
		n := 0
		s.call("Sweep that is rejected", 5*time.Second, func() {
			for range p.Sweep(s.Context(), slices.Values(f.refused), ping.WithCount(2), ping.WithInterval(0),
				ping.WithTimeout(100*ms)) {
				if n++; n == 1 {
					s.well(p, f.healthy[0])
				}
			}
		})
		if n != 2*len(f.refused) {
			s.errorf("a Sweep over %d hosts that are rejected, twice, yields %d", len(f.refused), n)
		}
	})
	undo()
}

// well pings a host that must answer. Some answers may be lost on this machine all the same, which has much to do.
func (s *storm) well(p *ping.Pinger, host netip.Addr) {
	var err error
	for range 10 {
		s.call("healthy Ping", 2*time.Second, func() {
			_, err = p.Ping(s.Context(), host.String(), ping.WithTimeout(2*time.Second))
		})
		if err == nil {
			return
		}
		s.saw(fmt.Sprintf("healthy Ping once more, after %v", err))
	}
	s.errorf("%v, where all is well: %v", host, err)
}

// closed looks at a Pinger that has come to its end.
func (s *storm) closed(p *ping.Pinger, host netip.Addr) {
	s.call("Ping after the end", 0, func() {
		if _, err := p.Ping(s.Context(), host.String()); !errors.Is(err, net.ErrClosed) {
			s.errorf("Ping after the end: %v", err)
		}
	})
	s.call("Counters", 0, func() {
		if k := p.Counters(); !balanced(k) || k.InFlight != 0 {
			s.errorf("after the end the counters are %+v", k)
		}
	})
}

// balanced reports whether each probe is somewhere, and once only.
func balanced(k ping.Counters) bool {
	return k.Sent == k.Received+k.Lost+k.Abandoned+k.InFlight && k.InFlight <= k.Sent && k.Errors <= k.Lost
}

// ended waits until there are no more goroutines than n.
func (s *storm) ended(n int) {
	s.Helper()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			s.Fatalf("%d goroutines, %d before\n\n%s", runtime.NumGoroutine(), n, stacks())
		}
	}
}
