package plan

import (
	"math"
	"time"
)

const (
	// ahead is how many distances beyond the farthest that has answered are tried at once.
	ahead = 4
	// stride is how long after one distance the next is tried without that.
	stride = int64(30 * time.Millisecond)
	// follow is how long after one probe the next for the same distance leaves, if that is not settled sooner; so do
	// the first few. Those after them keep an interval, for the sake of limits.
	follow = int64(50 * time.Millisecond)
	few    = 3
	// limitPause is how long a router's limit on ICMP errors takes to let one more pass: a second, Linux's
	// icmp_ratelimit (Documentation/networking/ip-sysctl.rst), and a little more, for it counts in ticks.
	limitPause = int64(1100 * time.Millisecond)
	// maxRetries is how many probes for one distance are sent again at most.
	maxRetries = 2
	// atOnce is due before all else.
	atOnce = math.MinInt64
)

// A Trace says which distance of a path is probed next, and of which hops all is known. Probes for several distances
// are in flight together, so that silent routers cost a timeout or two, and not one each. Where a router may have
// left a probe unanswered because of its limit on ICMP errors, the Trace sends that again.
//
// A Trace is not safe for concurrent use.
type Trace struct {
	count    int
	interval int64 // between the later probes for one distance
	gap      int   // 0: no limit
	first    int   // the first distance
	end      int   // the last distance, as far as is known
	farthest int   // that has answered; before first: none
	taken    int   // hops that have been handed over
	opened   int64 // when the first probe for the last of hops left
	hops     []hop // from the first distance on
	probe    TraceProbe
}

// A hop is one distance of a Trace.
type hop struct {
	outcomes []Outcome // of the probes that have left; those in flight count as Silent
	inFlight int
	last     int64 // when a probe left
	retries  int
	futile   bool // the last of them was not answered
}

// A TraceProbe is one probe of a Trace.
type TraceProbe struct {
	Distance int // the TTL or hop limit, 1 to 255
	Seq      int // which of those for this distance, from 0 to 65,535
}

// Tag is the probe as a number, which is not negative.
func (p TraceProbe) Tag() int64 { return int64(p.Distance)<<16 | int64(p.Seq) }

// TraceProbeOf returns the probe whose Tag is tag.
func TraceProbeOf(tag int64) TraceProbe { return TraceProbe{int(tag >> 16), int(tag & 0xffff)} }

// NewTrace returns a Trace of count probes to each distance, from first, 1 or more, to most. Of the probes to one
// distance each leaves when the one before it is settled, or after 50 ms, and after the third interval apart. The
// Trace gives up after gap distances in a row from which no answer came, or never if that is 0.
func NewTrace(count, first, most, gap int, interval time.Duration) *Trace {
	return &Trace{
		count:    count,
		interval: min(int64(interval), maxInterval),
		gap:      gap,
		first:    first,
		end:      most,
		farthest: first - 1,
	}
}

// last is the last distance that matters, as far as is known. No distance beyond a gap is probed before one in the gap
// has answered, so where the Trace ends does not depend on the order of the answers.
func (t *Trace) last() int {
	if t.gap == 0 {
		return t.end
	}
	return min(t.end, t.farthest+t.gap)
}

// known is how many of the hops matter.
func (t *Trace) known() int { return min(len(t.hops), t.last()-t.first+1) }

// Done reports whether the last hop has been taken.
func (t *Trace) Done() bool { return t.first+t.taken > t.last() }

// Next returns the probe that is to leave next, and when it is due. It returns false if that depends on what is in
// flight, or if there is none.
func (t *Trace) Next(now int64) (p TraceProbe, at int64, ok bool) {
	consider := func(distance, seq int, due int64) {
		if !ok || due < at {
			p, at, ok = TraceProbe{distance, seq}, due, true
		}
	}
	for i := t.taken; i < t.known(); i++ {
		h := &t.hops[i]
		switch n := len(h.outcomes); {
		case n < t.count && n >= few && t.interval > 0:
			consider(t.first+i, n, h.last+t.interval)
		case n < t.count && h.inFlight == 0:
			consider(t.first+i, n, atOnce)
		case n < t.count:
			consider(t.first+i, n, h.last+follow)
		default:
			if seq, again := t.missing(i); again {
				consider(t.first+i, seq, h.last+limitPause)
			}
		}
	}
	if next := t.first + len(t.hops); next <= t.last() {
		if next <= t.farthest+ahead {
			consider(next, 0, atOnce)
		} else {
			consider(next, 0, t.opened+stride)
		}
	}
	if at == atOnce {
		at = now
	}
	t.probe = p
	return p, at, ok
}

// missing returns the probe of t.hops[i] that is to be sent again, for its answer may have been one too many for the
// router; false for none, or none yet. What the target left unanswered is lost.
func (t *Trace) missing(i int) (seq int, ok bool) {
	h := &t.hops[i]
	if len(h.outcomes) < t.count || h.inFlight > 0 || h.futile || h.retries == maxRetries {
		return 0, false
	}
	seq, answered := -1, false
	for k, o := range h.outcomes {
		switch {
		case o == Answered:
			return 0, false
		case o != Silent:
			answered = true
		case seq < 0:
			seq = k
		}
	}
	return seq, seq >= 0 && (answered || t.farthest > t.first+i)
}

// Sent says that the probe that Next returned last leaves now.
func (t *Trace) Sent(now int64) {
	i := t.probe.Distance - t.first
	if i == len(t.hops) {
		t.hops = append(t.hops, hop{outcomes: make([]Outcome, 0, t.count)})
		t.opened = now
	}
	h := &t.hops[i]
	h.inFlight++
	h.last = now
	if t.probe.Seq < len(h.outcomes) {
		h.retries++
	} else {
		h.outcomes = append(h.outcomes, Silent)
	}
}

// Settled says what became of a probe. Each but Silent, Answered and InTransit is taken for an ICMP error that ends
// the path.
func (t *Trace) Settled(p TraceProbe, o Outcome) {
	h := &t.hops[p.Distance-t.first]
	h.inFlight--
	h.outcomes[p.Seq] = o
	if o == Silent {
		h.futile = h.retries > 0
		return
	}
	t.farthest = max(t.farthest, p.Distance)
	if o != InTransit {
		t.end = min(t.end, p.Distance)
	}
}

// Take returns the distance of the next hop, in order, if all is known of it. A hop is taken once.
func (t *Trace) Take() (distance int, ok bool) {
	if t.taken >= t.known() {
		return 0, false
	}
	h := &t.hops[t.taken]
	if _, again := t.missing(t.taken); again || len(h.outcomes) < t.count || h.inFlight > 0 {
		return 0, false
	}
	t.taken++
	return t.first + t.taken - 1, true
}
