package plan

import "time"

// maxInterval stands for all that are longer, 73 years, so that sums of it are numbers.
const maxInterval = 1 << 61

// A grid is instants an interval apart. Those that pass while the owner is busy elsewhere are left out, not made up
// for.
type grid struct {
	interval int64 // above 0, where the grid is used
	next     int64
}

// pass moves on from the present point to the first one after it that is not before now.
func (g *grid) pass(now int64) {
	g.next += g.interval
	if late := now - g.next; late > 0 {
		g.next += (late + g.interval - 1) / g.interval * g.interval
	}
}

// coarseness is what the first point of a grid should be a multiple of: a whole millisecond, or up to four, if that is
// not much beside the interval; else 1 ns, which is any instant. So probes of like intervals that are due in the same
// few milliseconds share the waking of a processor, which costs more than to send.
func coarseness(interval int64) int64 {
	const ms = int64(time.Millisecond)
	if interval < 10*ms {
		return 1
	}
	return min(max(interval/(250*ms), 1), 4) * ms
}
