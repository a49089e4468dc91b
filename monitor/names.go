package monitor

import (
	"container/heap"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/icmpsock/ping"
)

const (
	maxLookups    = 8 // at a time
	lookupTimeout = 5 * time.Second
	retryFirst    = time.Second
	retryMost     = 10 * time.Second
)

// A lookup is when a target's name is to be looked up next.
type lookup struct {
	target *target
	at     time.Time
	index  int // in the heap; -1: it is under way, or has been removed
	failed int // in a row, or while the target is down
}

// lookups is a heap of them, the next first.
type lookups struct{ heap lookupHeap }

func (l *lookups) add(t *target, at time.Time) *lookup {
	one := &lookup{target: t, at: at}
	heap.Push(&l.heap, one)
	return one
}

func (l *lookups) remove(one *lookup) {
	if one.index >= 0 {
		heap.Remove(&l.heap, one.index)
	}
}

// hasten makes a lookup due at a time at the latest.
func (l *lookups) hasten(one *lookup, at time.Time) {
	if one.index >= 0 && at.Before(one.at) {
		one.at = at
		heap.Fix(&l.heap, one.index)
	}
}

// next takes the lookup that is due; if there is none, it says how long it is to the next.
func (l *lookups) next(now time.Time) (one *lookup, wait time.Duration) {
	if len(l.heap) == 0 {
		return nil, time.Hour
	}
	if wait := l.heap[0].at.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&l.heap).(*lookup), 0
}

// lookupHeap is a heap.Interface.
type lookupHeap []*lookup

func (h lookupHeap) Len() int           { return len(h) }
func (h lookupHeap) Less(i, k int) bool { return h[i].at.Before(h[k].at) }
func (h lookupHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].index, h[k].index = i, k
}

func (h *lookupHeap) Push(x any) {
	one := x.(*lookup)
	one.index = len(*h)
	*h = append(*h, one)
}

func (h *lookupHeap) Pop() any {
	last := len(*h) - 1
	one := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	one.index = -1
	return one
}

// lookUpNames looks up names as they fall due, some at a time, until ctx ends.
func (m *Monitor) lookUpNames(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	places := make(chan struct{}, maxLookups)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		m.mu.Lock()
		one, wait := m.names.next(time.Now())
		m.mu.Unlock()
		if one != nil {
			working.Go(func() {
				m.lookUp(ctx, one)
				<-places
			})
			continue
		}
		<-places
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-m.shift:
		case <-ctx.Done():
			return
		}
	}
}

// lookUp looks up the name of a target, and has its addresses watched.
func (m *Monitor) lookUp(ctx context.Context, one *lookup) {
	t := one.target
	m.mu.Lock()
	host, network := t.spec.Host, t.spec.Network // which are those of the target for good
	m.mu.Unlock()
	addrs, err := m.addresses(ctx, host, network)

	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.targets[t.spec.Name] != t {
		return
	}
	defer func() {
		heap.Push(&m.names.heap, one)
		signal(m.shift)
	}()
	if err != nil && ctx.Err() != nil { // that is why: it is due as before
		return
	}
	defer func() { one.at = now.Add(m.pause(one)) }()
	m.counters.Lookups++
	if err != nil {
		m.counters.LookupErrors++
		if t.lookupErr == nil {
			m.tell(Change{Time: now, Kind: LookupFailed, Target: t.spec, Reason: ReasonName, Err: err})
		}
	} else {
		err = m.move(t, addrs, now)
	}
	t.lookupErr = err
	if err != nil || t.state == Down {
		one.failed++
	} else {
		one.failed = 0
	}
}

// addresses looks up the addresses of a host that the Pinger can ping, up to maxAddresses.
func (m *Monitor) addresses(ctx context.Context, host, network string) (addrs []netip.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := m.resolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	err = &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
	for _, addr := range all {
		addr = addr.Unmap()
		if !addr.IsValid() || slices.Contains(addrs, addr) || len(addrs) == maxAddresses {
			continue
		}
		if _, e := m.pinger.Resolve(ctx, addr.String(), ping.WithNetwork(network)); e != nil {
			err = fmt.Errorf("%s has the address %v: %w", host, addr, e)
			continue
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, err
	}
	return addrs, nil
}

// pause is how long after a lookup the next is due. Those of different names spread over a tenth of that.
func (m *Monitor) pause(one *lookup) time.Duration {
	d := m.resolveEvery
	if one.failed > 0 {
		d = min(d, retryMost, retryFirst<<min(one.failed-1, 10))
	}
	return d - phase(m.seed, one.target.spec.Name, netip.Addr{}, d/10)
}

// move has those addresses of a target watched that its name has now, and leaves those alone that it had before.
func (m *Monitor) move(t *target, addrs []netip.Addr, now time.Time) (err error) {
	known := len(t.paths) > 0
	if t.spec.Addresses == FirstAddress {
		stays := slices.IndexFunc(t.paths, func(p *path) bool { return slices.Contains(addrs, p.addr) })
		switch {
		case stays >= 0:
			addrs = []netip.Addr{t.paths[stays].addr}
		case known:
			m.redirect(t.paths[0], addrs[0], now)
		}
		addrs = addrs[:1]
	}
	t.paths = slices.DeleteFunc(t.paths, func(p *path) bool {
		gone := !slices.Contains(addrs, p.addr)
		if gone {
			m.dropPath(p)
		}
		return gone
	})
	for _, addr := range addrs {
		if slices.ContainsFunc(t.paths, func(p *path) bool { return p.addr == addr }) {
			continue
		}
		if e := m.addPath(t, addr, now); e != nil {
			err = e
		} else if known {
			m.tell(Change{Time: now, Kind: AddressChanged, Target: t.spec, Addr: addr})
		}
	}
	m.judge(t, now)
	return err
}

// redirect has another address watched in place of one, whose schedule, window and state it takes over.
func (m *Monitor) redirect(p *path, addr netip.Addr, now time.Time) {
	p.acquit()
	p.addr = addr
	m.askAnew(p, now)
	if m.watch(p) != nil {
		return // addresses has asked the same Pinger: it has been closed since
	}
	m.tell(Change{Time: now, Kind: AddressChanged, Target: p.target.spec, Addr: addr})
}

// unresolved is why a target has no address.
func (t *target) unresolved() (Reason, error) {
	if t.lookupErr == nil {
		return ReasonNone, nil
	}
	return ReasonName, t.lookupErr
}
