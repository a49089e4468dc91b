package plan

import "time"

const (
	// patience is how long a probe that nobody has answered from farther away waits at least, where the timeout is 1 s
	// or more; else so much less. A router of Linux's says that a host on its link is missing after three requests for
	// its link-layer address, a second apart (mcast_solicit and retrans_time_ms,
	// Documentation/networking/ip-sysctl.rst).
	patience = 3500 * time.Millisecond
	// near is how many of the longest RTTs a probe waits, and briefly the least that it does, once all that is left is
	// to wait for those that others have answered from farther away. Ten, as traceroute(8) has it (-w).
	near    = 10
	briefly = 25 * time.Millisecond
)

// An End is why a Trace has come to its end.
type End uint8

const (
	// Onward: it has not.
	Onward End = iota
	// AtTarget: the target has answered.
	AtTarget
	// AtRefusal: an ICMP error says that the packet goes no farther, and nothing has answered from there on.
	AtRefusal
	// AtGap: too many distances in a row are silent.
	AtGap
	// AtMost: the last distance has been tried.
	AtMost
)

// ending is the last distance that matters, as far as is known, and why. No distance beyond a gap is probed before one
// in the gap has answered, so where the Trace ends does not depend on the order of the answers.
func (t *Trace) ending() (last int, end End) {
	if t.answered <= t.most {
		return t.answered, AtTarget
	}
	last, end = t.most, AtMost
	for i := max(t.passed+1-t.first, 0); i < len(t.hops); i++ {
		if t.hops[i].refused {
			last, end = t.first+i, AtRefusal
			break
		}
	}
	if t.gap > 0 && t.farthest+t.gap < last {
		last, end = t.farthest+t.gap, AtGap
	}
	return last, end
}

// known is how many of the hops matter.
func (t *Trace) known() int {
	last, _ := t.ending()
	return min(len(t.hops), last-t.first+1)
}

// horizon is the last distance that is probed: one more than that of a refusal, to see whether something answers
// there.
func (t *Trace) horizon() int {
	last, end := t.ending()
	if end == AtRefusal {
		last = min(last+1, t.most)
	}
	return last
}

// certain reports whether the last distance is known, but for what comes late: where it is that of a refusal, the
// probes for what is farther are settled.
func (t *Trace) certain() bool {
	last, end := t.ending()
	if end != AtRefusal {
		return true
	}
	if t.first+len(t.hops) <= t.horizon() {
		return false
	}
	for i := last + 1 - t.first; i < len(t.hops); i++ {
		if t.hops[i].inFlight > 0 {
			return false
		}
	}
	return true
}

// hurried reports whether all that is left is to wait for hops that are silent, while others have answered from
// farther away, or that are beyond a refusal.
func (t *Trace) hurried() bool {
	if t.Patient || t.first+len(t.hops) <= t.horizon() {
		return false
	}
	last, _ := t.ending()
	for i, known := t.taken, t.known(); i < known; i++ {
		if !t.whole(i) && (t.hops[i].heard || t.first+i >= min(t.farthest, last)) {
			return false
		}
		if _, again := t.missing(i, true); again {
			return false
		}
	}
	return true
}

// Waits says how long the probes for each distance wait for their answers, as things stand. It is the timeout, with
// three exceptions. Where nothing farther has answered, there may be no such host, and it takes a router 3 s to say so.
// When it has said so of one probe, its word of the others is on its way. And where all else is known, a silent probe
// is not worth more than some of the RTTs that others have.
func (t *Trace) Waits() func(distance int) time.Duration {
	last, end := t.ending()
	next := t.farthest + 1 - t.first // the hop where such a host would be
	lonely := end != AtTarget && end != AtRefusal && (next >= len(t.hops) || !t.whole(next))
	hurried := t.hurried()
	long := max(t.timeout, time.Duration(float64(min(t.timeout, time.Second))*patience.Seconds()))
	return func(distance int) time.Duration {
		switch i := distance - t.first; {
		case distance > t.farthest && lonely:
			return long
		case hurried && (distance < min(t.farthest, last) || distance > last):
			return min(t.timeout, max(time.Duration(t.slowest)*near, briefly))
		case i < len(t.hops):
			return min(max(t.timeout, time.Duration(t.hops[i].slowest)+briefly), long)
		}
		return t.timeout
	}
}

// Take returns the distance of the next hop, in order, if all is known of it. A hop is taken once.
func (t *Trace) Take() (distance int, ok bool) {
	distance = t.first + t.taken
	last, end := t.ending()
	switch {
	case t.end != Onward || t.taken >= t.known():
		return 0, false
	case t.cut:
		ok = distance <= t.farthest
	case t.whole(t.taken) && (distance < last || t.certain()):
		_, again := t.missing(t.taken, t.hurried())
		ok = !again
	}
	if !ok {
		return 0, false
	}
	t.taken++
	if distance == last && !t.cut {
		t.end = end
	}
	return distance, true
}

// Cut ends the Trace early. Take then returns the hops up to the farthest that has answered, whole or not.
func (t *Trace) Cut() { t.cut = true }

// End is why the hop that was taken last is the last one.
func (t *Trace) End() End { return t.end }

// Done reports whether the last hop has been taken.
func (t *Trace) Done() bool {
	last, _ := t.ending()
	return t.end != Onward || t.first+t.taken > last
}
