package ping_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// While the iterator of addresses waits for more of them, those that it has given are pinged and yielded.
func TestSweepYieldsWhileIteratorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addr := n.Host("192.0.2.1", pingtest.RTT(10*time.Millisecond)).Addr()
		p := n.Pinger(t)
		gate := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(gate) })
		waits := func(yield func(netip.Addr) bool) {
			for i := range 4 {
				if i == 3 {
					<-gate
				}
				if !yield(addr) {
					return
				}
			}
		}
		start := time.Now()
		var yielded []time.Duration
		for _, r := range p.Sweep(t.Context(), waits) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			yielded = append(yielded, time.Since(start))
		}
		if len(yielded) != 4 {
			t.Fatalf("yielded at %v, want four", yielded)
		}
		for i, at := range yielded {
			if late := i == 3; late != (at >= time.Minute) {
				t.Errorf("address %d was yielded after %v; the iterator waited for a minute before the last", i, at)
			}
		}
	})
}

// A Sweep ends with its ctx, though the iterator waits for another address, and tells it so when that comes.
func TestSweepEndsWhileIteratorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, limit := range map[string]func(context.Context) (context.Context, context.CancelFunc){
			"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
			"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
		} {
			n := pingtest.NewNetwork()
			addr := n.Host("192.0.2.1").Addr()
			p := n.Pinger(t)
			gate := make(chan struct{})
			time.AfterFunc(time.Minute, func() { close(gate) })
			told := make(chan bool, 1) // what yield says at last
			waits := func(yield func(netip.Addr) bool) {
				if yield(addr) {
					<-gate
					told <- yield(addr)
				}
			}
			ctx, cancel := limit(t.Context())
			start := time.Now()
			for range p.Sweep(ctx, waits) {
			}
			if d := time.Since(start); d > 1010*time.Millisecond {
				t.Errorf("%s: ctx ended after a second, the Sweep after %v", name, d)
			}
			if <-told {
				t.Errorf("%s: the iterator is asked for more when the Sweep has ended", name)
			}
			cancel()
			if _, err := p.Ping(t.Context(), addr.String()); err != nil {
				t.Errorf("%s: afterwards: %v", name, err)
			}
		}
	})
}

// So does breaking the loop, which may come while the iterator waits.
func TestSweepBrokenWhileIteratorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addr := n.Host("192.0.2.1").Addr()
		p := n.Pinger(t)
		gate := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(gate) })
		told := make(chan bool, 1)
		waits := func(yield func(netip.Addr) bool) {
			if yield(addr) {
				<-gate
				told <- yield(addr)
			}
		}
		start := time.Now()
		for range p.Sweep(t.Context(), waits) {
			break
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("broken at once, the loop ended after %v", d)
		}
		if <-told {
			t.Error("the iterator is asked for more when the loop is broken")
		}
	})
}

// A panic of the iterator, and one of the loop's body, can be recovered by who runs the loop, and hurts nobody else.
func TestSweepPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addr := n.Host("192.0.2.1").Addr()
		p := n.Pinger(t, ping.WithRate(100_000)) // else a full table is in flight before the first answer
		for _, after := range []int{0, 1, 10, 1000} {
			panics := func(yield func(netip.Addr) bool) {
				for range after {
					if !yield(addr) {
						return
					}
				}
				panic("of the iterator")
			}
			endless := func(yield func(netip.Addr) bool) {
				for yield(addr) {
				}
			}
			recovered := func(loop func()) (what any) {
				defer func() { what = recover() }()
				loop()
				return nil
			}
			if what := recovered(func() {
				for range p.Sweep(t.Context(), panics) {
				}
			}); what != "of the iterator" {
				t.Errorf("after %d addresses: recovered %v", after, what)
			}
			if what := recovered(func() {
				yielded := 0
				for range p.Sweep(t.Context(), endless) {
					if yielded++; yielded > after {
						panic("of the body")
					}
				}
			}); what != "of the body" {
				t.Errorf("after %d replies: recovered %v", after, what)
			}
			if _, err := p.Ping(t.Context(), addr.String()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		}
		if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned {
			t.Errorf("counters are %+v", c)
		}
	})
}

// When the loop has ended, an iterator that did not wait does not run any more: what it writes needs no lock.
func TestSweepIteratorEndsWithLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addr := n.Host("192.0.2.1").Addr()
		p := n.Pinger(t, ping.WithRate(100_000)) // else a full table is in flight before the first answer
		for _, after := range []int{1, 2, 63, 64, 65, 1000} {
			given, ended := 0, false // by the iterator, and read here
			counts := func(yield func(netip.Addr) bool) {
				defer func() { ended = true }()
				for yield(addr) {
					given++
				}
			}
			yielded := 0
			for range p.Sweep(t.Context(), counts) {
				if yielded++; yielded == after {
					break
				}
			}
			last := given
			if !ended || last < after-1 {
				t.Errorf("broken after %d: the iterator has ended: %v, gave %d", after, ended, last)
			}
			synctest.Wait()
			if given != last {
				t.Errorf("broken after %d: the iterator went on from %d to %d", after, last, given)
			}
		}
	})
}

// The iterator may call the Pinger itself, and so may the loop's body.
func TestSweepWithinItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addr := n.Host("192.0.2.1").Addr()
		p := n.Pinger(t)
		pings := func(yield func(netip.Addr) bool) {
			for range 10 {
				if _, err := p.Ping(t.Context(), addr.String()); err != nil {
					t.Error(err)
				}
				if !yield(addr) {
					return
				}
			}
		}
		yielded := 0
		for _, r := range p.Sweep(t.Context(), pings) {
			if _, err := p.Ping(t.Context(), addr.String(), ping.WithTimeout(time.Second)); err != nil || r.Err != nil {
				t.Error(err, r.Err)
			}
			yielded++
		}
		if yielded != 10 {
			t.Errorf("%d yielded, want 10", yielded)
		}
	})
}

// A Sweep ends when its iterator does, also where all is settled by then.
func TestSweepEndsWithItsIterator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		addrs := func(yield func(netip.Addr) bool) {
			for range 3 {
				if !yield(netip.MustParseAddr(target)) {
					return
				}
				time.Sleep(time.Second)
			}
		}
		start, n := time.Now(), 0
		for range p.Sweep(t.Context(), addrs) {
			n++
		}
		if took := time.Since(start); n != 3 || took != 3*time.Second {
			t.Errorf("%d replies, the end after %v", n, took)
		}
	})
}
