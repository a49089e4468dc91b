package plan

import (
	"maps"
	"sync"
	"time"
)

// Neighbours paces echo requests to hosts on the link, for the sake of the system's neighbour table, whose entries are
// few and all programs'. Each host that is sent to takes a place, as it takes an entry there, and no other while it has
// that, however often it is sent to:
//
//   - one that does not answer for MissingFor;
//   - one that answers for as long as it counts as reachable, up to 45 s (RFC 4861 section 10: REACHABLE_TIME, 30 s,
//     times MAX_RANDOM_FACTOR, 1.5), and the 5 s for which a full table keeps an entry that it might drop (Linux:
//     net/core/neighbour.c, neigh_forced_gc).
//
// Take and Answered have it held anew. No more hosts are remembered than there are places. It is safe for concurrent
// use.
type Neighbours[T comparable] struct {
	mu           sync.Mutex
	waiting, all int // the most that may be held
	missing      places
	present      places
	hosts        map[T]place // and some whose places have come free
}

// A place is held for a host.
type place struct {
	until    int64
	answered bool
}

const (
	// presentFor is for how long a host takes an entry that answers.
	presentFor = 50 * time.Second
	// goneFor is for how long one does that has answered before: the system waits before it asks again (Linux:
	// DELAY_PROBE_TIME; RFC 4861 section 10, DELAY_FIRST_PROBE_TIME).
	goneFor = 5*time.Second + MissingFor
)

// NewNeighbours has places for so many hosts that do not answer, and so many of both kinds together; 1 at least.
func NewNeighbours[T comparable](waiting, all int) *Neighbours[T] {
	n := &Neighbours[T]{hosts: make(map[T]place)}
	n.Resize(waiting, all)
	return n
}

// Resize changes how many places there are.
func (n *Neighbours[T]) Resize(waiting, all int) {
	n.mu.Lock()
	n.waiting, n.all = max(waiting, 1), max(all, 1)
	n.mu.Unlock()
}

// Next returns when there is a place for a host: now, or later. There is if it has one.
func (n *Neighbours[T]) Next(host T, now int64) (at int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pass(now)
	if _, held := n.held(host); held {
		return now
	}
	switch {
	case n.missing.total >= n.waiting:
		return n.missing.next()
	case n.missing.total+n.present.total >= n.all:
		return min(n.missing.next(), n.present.next())
	}
	return now
}

// Take takes a place for a host that is sent to now, or holds the one that it has.
func (n *Neighbours[T]) Take(host T, now int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pass(now)
	if p, held := n.held(host); held && p.answered {
		n.hold(host, place{max(p.until, now+int64(goneFor)), true})
	} else {
		n.hold(host, place{now + int64(MissingFor), false})
	}
}

// Answered says that a host answers that was sent to then.
func (n *Neighbours[T]) Answered(host T, sent int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, _ := n.held(host)
	if until := max(p.until, sent+int64(presentFor)); n.present.held(until) {
		n.hold(host, place{until, true})
	}
}

// pass frees the places that come free by now. The caller holds mu.
func (n *Neighbours[T]) pass(now int64) {
	n.missing.pass(now)
	n.present.pass(now)
}

// held is the place of a host, if it has one. The caller holds mu.
func (n *Neighbours[T]) held(host T) (p place, held bool) {
	p, known := n.hosts[host]
	if !known || !n.missing.held(p.until) {
		return place{}, false
	}
	return p, true
}

// hold holds a place for a host, in place of the one that it has. The caller holds mu.
func (n *Neighbours[T]) hold(host T, p place) {
	if old, held := n.held(host); held {
		n.kind(old).free(old.until, 1)
	} else if len(n.hosts) >= n.all && len(n.hosts) > n.missing.total+n.present.total {
		maps.DeleteFunc(n.hosts, func(_ T, p place) bool { return !n.missing.held(p.until) })
	}
	n.kind(p).add(p.until, 1)
	n.hosts[host] = p
}

// kind is the places of which one is. The caller holds mu.
func (n *Neighbours[T]) kind(p place) *places {
	if p.answered {
		return &n.present
	}
	return &n.missing
}
