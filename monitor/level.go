package monitor

import (
	"math"
	"runtime"
	"slices"
	"time"
)

const (
	// The last minute, or the last 30 instants where that is longer, is compared with what the window holds of the
	// time before, since the RTT came to its level.
	recentTime   = time.Minute
	recentProbes = 30
	// fewest is how many answers each must have.
	fewest = 20
	// A shift is of a quarter and a millisecond at least: less is seldom worth a word.
	shiftShare = 0.25
	shiftLeast = time.Millisecond
	// confidence is how many standard deviations the interval of a median reaches: 99.9 %.
	confidence = 3.29
)

// levels looks for RTTs that have come to another level. It keeps the room for that from one path to the next: made
// anew it would be garbage, each minute more than all windows take. It is not safe for concurrent use.
type levels struct {
	m     *Monitor
	paths []*path
	codes []code // those of a path
	rtts  []code // the answers among them
}

// compare looks, in the second n, at one path in 60.
func (l *levels) compare(n int) {
	const parts = 60
	m := l.m
	l.paths = l.paths[:0]
	m.mu.Lock()
	for i := n % parts; i < len(m.paths); i += parts {
		if p := m.paths[i]; p != nil {
			l.paths = append(l.paths, p)
		}
	}
	m.mu.Unlock()
	for _, p := range l.paths {
		runtime.Gosched() // what follows takes some 25 us, and with 10,000 targets there are 167
		now := time.Now()
		m.mu.Lock()
		since := p.instant(m.at(now)) - int64(max(recentTime/p.interval, recentProbes)) + 1
		v := p.view(m.at(now), p.level, l.codes)
		m.mu.Unlock()
		l.codes = v.codes
		before, after, shifted := l.shift(v, since)
		if !shifted {
			continue
		}
		m.mu.Lock()
		if m.find(p.id) == p {
			p.level = since
			m.tell(Change{Time: now, Kind: RTTShifted, Target: p.target.spec, Addr: p.addr, Before: before, After: after})
		}
		m.mu.Unlock()
	}
	clear(l.paths) // some may be removed by the next time
}

// shift returns the medians of the RTTs before the instant since and from it on, and whether they differ for sure: the
// confidence intervals of both are apart.
func (l *levels) shift(v view, since int64) (before, after time.Duration, shifted bool) {
	cut := since - (v.end - int64(len(v.codes)))
	if cut < fewest || int64(len(v.codes))-cut < fewest {
		return 0, 0, false
	}
	l.rtts = appendAnswers(l.rtts[:0], v.codes[:cut])
	n := len(l.rtts)
	l.rtts = appendAnswers(l.rtts, v.codes[cut:])
	old, recent := l.rtts[:n], l.rtts[n:]
	if len(old) < fewest || len(recent) < fewest {
		return 0, 0, false
	}
	low, before, high := median(old)
	least, after, most := median(recent)
	change := (after - before).Abs()
	apart := least > high || most < low
	return before, after, apart && change >= shiftLeast && float64(change) >= shiftShare*float64(before)
}

// appendAnswers appends to list those of codes that are RTTs.
func appendAnswers(list, codes []code) []code {
	for _, c := range codes {
		if c.answered() {
			list = append(list, c)
		}
	}
	return list
}

// median sorts RTTs, and returns their median and its confidence interval: as many of n values are below the true
// median as heads come in n throws of a coin, whatever their distribution is, so that the values of the ranks n/2 ±
// z·√n/2 have it between them (Conover, Practical Nonparametric Statistics, section 3.2; the normal approximation is
// good from n = 20 on).
func median(codes []code) (low, middle, high time.Duration) {
	slices.Sort(codes)
	n := float64(len(codes))
	half := confidence * math.Sqrt(n) / 2
	rank := func(r float64) time.Duration { return codes[int(min(max(r, 1), n))-1].rtt() }
	return rank(math.Floor(n/2 - half)), rank(math.Ceil(n / 2)), rank(math.Ceil(n/2+half) + 1)
}
