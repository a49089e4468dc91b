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
	// maxPieces is how many are sent again, beside those, for a router's "packet too big".
	maxPieces = 8
	// atOnce is due before all else.
	atOnce = math.MinInt64
)

// A Trace says which distance of a path is probed next, and of which hops all is known. Probes for several distances
// are in flight together, so that silent routers cost a timeout or two, and not one each. Where a router may have
// left a probe unanswered because of its limit on ICMP errors, the Trace sends that again.
//
// A Trace is not safe for concurrent use.
type Trace struct {
	// Patient has the Trace wait for what a router's limit may have kept back, even when all else is known.
	Patient bool

	count    int
	interval int64 // between the later probes for one distance
	timeout  time.Duration
	gap      int   // 0: no limit
	first    int   // the first distance
	most     int   // the last distance
	answered int   // where the target answered, the nearest such; above most: nowhere yet
	farthest int   // that has answered; before first: none
	passed   int   // the farthest that a router in transit has answered from; before first: none
	slowest  int64 // RTT of an answer
	taken    int   // hops that have been handed over
	cut      bool
	end      End   // why the hop that was taken last is the last
	opened   int64 // when the first probe for the last of hops left
	hops     []hop // from the first distance on
	probe    TraceProbe
}

// A hop is one distance of a Trace.
type hop struct {
	outcomes []Outcome // of the probes that have left; those in flight count as Silent
	inFlight int
	last     int64 // when a probe left
	slowest  int64 // RTT of an answer
	heard    bool  // of a probe: it was answered
	refused  bool  // a probe
	retries  int
	futile   bool  // the last of them was not answered
	pieces   []int // the probes that are to be sent again, in pieces
	pieced   int   // how many have been
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
// Trace gives up after gap distances in a row from which no answer came, or never if that is 0. Timeout is how long a
// probe waits mostly; see Waits.
func NewTrace(count, first, most, gap int, interval, timeout time.Duration) *Trace {
	return &Trace{
		count:    count,
		interval: min(int64(interval), maxInterval),
		timeout:  timeout,
		gap:      gap,
		first:    first,
		most:     most,
		answered: most + 1,
		farthest: first - 1,
		passed:   first - 1,
	}
}

// Next returns the probe that is to leave next, and when it is due. It returns false if that depends on what is in
// flight, or if there is none.
func (t *Trace) Next(now int64) (p TraceProbe, at int64, ok bool) {
	consider := func(distance, seq int, due int64) {
		if !ok || due < at {
			p, at, ok = TraceProbe{distance, seq}, due, true
		}
	}
	hurried := t.hurried()
	for i, known := t.taken, t.known(); i < known; i++ {
		h := &t.hops[i]
		switch n := len(h.outcomes); {
		case len(h.pieces) > 0:
			consider(t.first+i, h.pieces[0], atOnce)
		case n < t.count && n >= few && t.interval > 0:
			consider(t.first+i, n, h.last+t.interval)
		case n < t.count && h.inFlight == 0:
			consider(t.first+i, n, atOnce)
		case n < t.count:
			consider(t.first+i, n, h.last+follow)
		default:
			if seq, again := t.missing(i, hurried); again {
				consider(t.first+i, seq, h.last+limitPause)
			}
		}
	}
	if next := t.first + len(t.hops); next <= t.horizon() {
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
// router; false for none, or none yet. What the target left unanswered is lost. A hop that is wholly silent is not
// waited for when all others are known, that is, when the Trace is hurried.
func (t *Trace) missing(i int, hurried bool) (seq int, ok bool) {
	h := &t.hops[i]
	if !t.whole(i) || h.futile || h.retries == maxRetries || h.slowest > int64(t.timeout) {
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
	return seq, seq >= 0 && (answered || t.farthest > t.first+i && !hurried)
}

// whole reports whether each probe for t.hops[i] has left, and is settled.
func (t *Trace) whole(i int) bool {
	h := &t.hops[i]
	return len(h.outcomes) == t.count && h.inFlight == 0 && len(h.pieces) == 0
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
	switch {
	case len(h.pieces) > 0:
		h.pieces = h.pieces[1:]
	case t.probe.Seq < len(h.outcomes):
		h.retries++
	default:
		h.outcomes = append(h.outcomes, Silent)
	}
}

// Settled says what became of a probe, and after how many nanoseconds. Each but Silent, Answered and InTransit is
// taken for an ICMP error that ends the path, unless an answer comes from farther away.
func (t *Trace) Settled(p TraceProbe, o Outcome, rtt int64) {
	h := &t.hops[p.Distance-t.first]
	h.inFlight--
	h.outcomes[p.Seq] = o
	if o == Silent {
		h.futile = h.retries > 0
		return
	}
	h.heard = true
	h.slowest = max(h.slowest, rtt)
	t.slowest = max(t.slowest, rtt)
	t.farthest = max(t.farthest, p.Distance)
	switch o {
	case Answered:
		t.answered = min(t.answered, p.Distance)
	case InTransit:
		t.passed = max(t.passed, p.Distance)
	default:
		h.refused = true
	}
}

// InPieces says that a probe has been refused, in place of Settled, as too big for one packet, which it need not be:
// the system knows the MTU now, and is to send it again. It reports false, and does nothing, if that has been tried
// often enough.
func (t *Trace) InPieces(p TraceProbe) bool {
	h := &t.hops[p.Distance-t.first]
	if h.pieced == maxPieces {
		return false
	}
	h.inFlight--
	h.pieced++
	h.pieces = append(h.pieces, p.Seq)
	return true
}
