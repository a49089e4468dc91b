package plan

import (
	"sync"
	"time"
)

// Neighbours paces echo requests to hosts on the link, for the sake of the system's neighbour table, whose entries are
// few and all programs'. Each host that is sent to takes a place, as it takes an entry there:
//
//   - one that does not answer for as long as the system asks for it, three times, a second apart
//     (Linux: net/ipv4/arp.c, arp_tbl, MCAST_PROBES and RETRANS_TIME; RFC 4861 section 10, MAX_MULTICAST_SOLICIT and
//     RETRANS_TIMER);
//   - one that answers for as long as it counts as reachable, up to 45 s (RFC 4861 section 10: REACHABLE_TIME, 30 s,
//     times MAX_RANDOM_FACTOR, 1.5), and the 5 s for which a full table keeps an entry that it might drop (Linux:
//     net/core/neighbour.c, neigh_forced_gc).
//
// A place is known by when it comes free. It is safe for concurrent use.
type Neighbours struct {
	mu           sync.Mutex
	waiting, all int // the most that may be held
	missing      places
	present      places
	first        int64 // the number of the tick that has not passed
}

const (
	// MissingFor is for how long a host that does not answer takes an entry.
	MissingFor = 3100 * time.Millisecond
	// presentFor is for how long one does that answers.
	presentFor = 50 * time.Second
	// placeTick is how exact the times are at which places come free.
	placeTick = int64(100 * time.Millisecond)
	// placeTicks is more than the ticks of the longest hold.
	placeTicks = 1 << 9
)

// places counts those that are held, by the tick in which they come free.
type places struct {
	at    [placeTicks]int32
	total int
}

// NewNeighbours has places for so many hosts that do not answer, and so many of both kinds together; 1 at least.
func NewNeighbours(waiting, all int) *Neighbours {
	n := new(Neighbours)
	n.Resize(waiting, all)
	return n
}

// Resize changes how many places there are.
func (n *Neighbours) Resize(waiting, all int) {
	n.mu.Lock()
	n.waiting, n.all = max(waiting, 1), max(all, 1)
	n.mu.Unlock()
}

// Next returns when there is a place for another host: now, or later.
func (n *Neighbours) Next(now int64) (at int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pass(now)
	if n.missing.total < n.waiting && n.missing.total+n.present.total < n.all {
		return now
	}
	for tick := n.first; ; tick++ {
		i := tick % placeTicks
		if n.missing.at[i] > 0 || n.missing.total < n.waiting && n.present.at[i] > 0 {
			return (tick + 1) * placeTick
		}
	}
}

// Take takes a place for a host that is sent to now, and returns when it comes free.
func (n *Neighbours) Take(now int64) (until int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pass(now)
	until = now + int64(MissingFor)
	n.missing.add(until/placeTick, 1)
	return until
}

// Answered says that the host answers, whose place comes free at until, and returns when it does so now.
func (n *Neighbours) Answered(until int64) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if until/placeTick >= n.first {
		n.missing.add(until/placeTick, -1)
	}
	until += int64(presentFor - MissingFor)
	if until/placeTick >= n.first {
		n.present.add(until/placeTick, 1)
	}
	return until
}

// pass frees the places of the ticks that have passed by now. The caller holds mu.
func (n *Neighbours) pass(now int64) {
	for ; n.first < now/placeTick; n.first++ {
		if n.missing.total+n.present.total == 0 {
			n.first = now / placeTick
			return
		}
		n.missing.clear(n.first)
		n.present.clear(n.first)
	}
}

func (p *places) add(tick int64, n int32) {
	p.at[tick%placeTicks] += n
	p.total += int(n)
}

func (p *places) clear(tick int64) {
	at := &p.at[tick%placeTicks]
	p.total -= int(*at)
	*at = 0
}
