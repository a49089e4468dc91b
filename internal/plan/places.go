package plan

import (
	"math"
	"time"
)

const (
	// MissingFor is for how long the system asks for a host on the link that does not answer: three times, a second apart
	// (Linux: net/ipv4/arp.c, arp_tbl, MCAST_PROBES and RETRANS_TIME; RFC 4861 section 10, MAX_MULTICAST_SOLICIT and
	// RETRANS_TIMER).
	MissingFor = 3100 * time.Millisecond
	// placeTick is how exact the times are at which places come free.
	placeTick = int64(100 * time.Millisecond)
	// placeTicks is more than the ticks of the longest hold.
	placeTicks = 1 << 9
)

// places counts those that are held, each until a time, by the tick in which they come free. The zero value has none.
type places struct {
	at    [placeTicks]int
	total int
	first int64 // the number of the tick that has not passed
}

// pass frees the places of the ticks that have passed by now.
func (p *places) pass(now int64) {
	for ; p.total > 0 && p.first < now/placeTick; p.first++ {
		at := &p.at[p.first%placeTicks]
		p.total -= *at
		*at = 0
	}
	p.first = max(p.first, now/placeTick)
}

// held reports whether a place that is held until then is not free yet.
func (p *places) held(until int64) bool { return until/placeTick >= p.first }

// add holds n places until then; free frees them before.
func (p *places) add(until int64, n int) {
	if p.held(until) {
		p.at[until/placeTick%placeTicks] += n
		p.total += n
	}
}

func (p *places) free(until int64, n int) { p.add(until, -n) }

// next is when the first of those that are held come free.
func (p *places) next() int64 {
	if p.total == 0 {
		return math.MaxInt64
	}
	tick := p.first
	for p.at[tick%placeTicks] == 0 {
		tick++
	}
	return (tick + 1) * placeTick
}
