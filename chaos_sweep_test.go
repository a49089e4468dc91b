package ping_test

import (
	"context"
	"iter"
	"net/netip"
	"runtime"
	"time"

	"github.com/icmpsock/ping"
)

// What becomes of a Sweep of an actor's.
const (
	sweepEnds     = iota
	sweepWaits    // for its iterator
	sweepIterator // panics
	sweepBroken   // by its body
	sweepBody     // panics
	sweepExit     // the body ends its goroutine
	sweepCalls    // the body calls
	sweepFates
)

var sweepNames = [sweepFates]string{
	"Sweep", "Sweep that waits", "Sweep whose iterator panics", "Sweep broken off", "Sweep whose body panics",
	"Sweep whose goroutine ends", "Sweep whose body calls",
}

// sweep goes over some of the hosts, several times each, or over many addresses of one host's network.
func (a *actor) sweep(ctx context.Context, p *ping.Pinger, o choice, limit time.Duration) {
	fate := a.r.IntN(sweepFates)
	count := 1 + a.r.IntN(3)
	o.add(ping.WithCount(count))
	hosts := a.some()
	at := a.r.IntN(len(hosts) + 1)
	pause := time.Duration(a.r.IntN(20)) * ms

	addrs := iter.Seq[netip.Addr](func(yield func(netip.Addr) bool) {
		for i, host := range hosts {
			if i == at && fate == sweepIterator {
				panic(errIterator)
			}
			if i == at && fate == sweepWaits {
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
			if !yield(host) {
				return
			}
		}
	})
	body := func(n int) bool {
		if n != at {
			return true
		}
		switch fate {
		case sweepBroken:
			return false
		case sweepBody:
			panic(errBody)
		case sweepExit:
			runtime.Goexit()
		case sweepCalls:
			a.nested = true
			for range 1 + a.r.IntN(3) {
				a.act(ctx)
			}
			a.nested = false
		}
		return true
	}

	loop := func() {
		yielded := make(map[netip.Addr]int)
		n := 0
		for addr, r := range p.Sweep(ctx, addrs, o.list...) {
			a.check(o, addr, r)
			yielded[addr]++
			if n++; !body(n) {
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		for _, host := range hosts {
			yielded[host] -= count
		}
		for addr, n := range yielded {
			if n != 0 {
				a.s.errorf("Sweep yields %v %+d times", addr, n)
			}
		}
	}
	a.s.call(sweepNames[fate], min(limit, 10*time.Second), func() {
		if fate != sweepExit {
			loop()
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			loop()
		}()
		<-done
	})
}

// some returns hosts for a Sweep: any, or a network's.
func (a *actor) some() (list []netip.Addr) {
	n := a.r.IntN(64 << (2 * a.r.IntN(3))) // to 1,023
	host := a.f.hosts[a.r.IntN(len(a.f.hosts))]
	network := a.r.IntN(2) == 0
	for i := range n {
		if !network {
			host = a.f.hosts[a.r.IntN(len(a.f.hosts))]
		}
		addr := host
		if network && host.Is4() {
			b := host.As4()
			b[3] = byte(1 + i%a.s.width)
			addr = netip.AddrFrom4(b)
		}
		list = append(list, addr)
	}
	return list
}
