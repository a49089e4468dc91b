package plan

import "time"

// An MTUTrace finds the largest packet that gets to each distance of a path, the nearest first: distance 0 is this
// host's own link. At each it is an MTU that never tries what did not get to the distance before, and one size at a
// time, because routers limit the ICMP errors by which they answer.
//
// An MTUTrace is not safe for concurrent use.
type MTUTrace struct {
	v6       bool
	tries    int
	timeout  time.Duration
	end      int // the last distance
	gap      int // 0: no limit
	distance int
	search   *MTU // of the distance
	most     int  // the largest packet that gets as far as is known
	silent   int  // distances in a row
	reached  bool // the target answered at the distance
	refused  bool // a router refused the last probe to it
	steps    []MTUStep
	done     bool
}

// An MTUStep is what was found at one distance.
type MTUStep struct {
	Distance int
	MTU      int  // the largest packet that gets there; 0: not known
	Reached  bool // the target is there
	Refused  bool // the path ends there, before the target
	Bound    bool // larger packets than MTU may get there
}

// linkSections is mtuSections for this host's own link: that refuses at once and for nothing, so the fewer of the sizes
// that it takes are tried the better, of which the first router answers each.
const linkSections = 64

// The bits of a tag that are not those of an MTU's: its sizes take 17, and its waves begin at 32.
const (
	mtuDistanceShift = 17
	mtuDistanceMask  = 0xff << mtuDistanceShift
)

// NewMTUTrace returns an MTUTrace to the distance most, 1 to 255. Each size is tried up to tries times within one
// timeout. It gives up after gap distances in a row from which no answer came, or never if that is 0.
func NewMTUTrace(v6 bool, tries, most, gap int, timeout time.Duration) *MTUTrace {
	t := &MTUTrace{v6: v6, tries: tries, timeout: timeout, end: most, gap: gap, search: NewMTU(v6, tries, timeout)}
	t.most = t.search.search.most
	// The link takes the least of its family, and what it takes once it takes.
	t.search.search.passed(t.search.search.least)
	t.search.frugal, t.search.sure = true, true
	t.search.search.sections = linkSections
	return t
}

// MTUTraceDistance is the distance of the probe with this tag.
func MTUTraceDistance(tag int64) int { return int(tag & mtuDistanceMask >> mtuDistanceShift) }

// Next returns the size of the packet that is to leave next, with the headers of IP and ICMP, its TTL or hop limit, the
// tag that names the probe to Settled, and when it is due. It returns false if that depends on what is in flight, or
// if there is none.
func (t *MTUTrace) Next(now int64) (size, ttl int, tag, at int64, ok bool) {
	if t.advance(); t.done {
		return 0, 0, 0, 0, false
	}
	size, tag, at, ok = t.search.Next(now)
	return size, max(t.distance, 1), tag | int64(t.distance)<<mtuDistanceShift, at, ok
}

// Sent says that the probe that Next returned last leaves now.
func (t *MTUTrace) Sent(now int64) { t.search.Sent(now) }

// Settled says what became of a probe, as it does to an MTU.
func (t *MTUTrace) Settled(tag int64, o Outcome, mtu int) (fatal bool) {
	if MTUTraceDistance(tag) != t.distance || t.done {
		return false
	}
	tag &^= mtuDistanceMask
	switch {
	case t.distance > 0:
		t.reached = t.reached || o == Answered
		t.refused = o == Refused
		if o == InTransit {
			o = Answered
		}
	case o != TooBigHere && o != NoRoom && o != Unsent:
		o = Answered // it left
	}
	fatal = t.search.Settled(tag, o, mtu)
	t.advance()
	return fatal
}

// advance goes on to the next distance when all is known of one.
func (t *MTUTrace) advance() {
	for !t.done && t.search.Done() {
		found := t.search.Found()
		t.refused = t.refused && found == 0
		s := MTUStep{Distance: t.distance, MTU: found, Reached: t.reached, Refused: t.refused}
		switch s.Bound = t.search.Bound(); {
		case s.MTU == 0:
			t.silent++
		case !s.Bound:
			t.most, t.silent = s.MTU, 0
		}
		t.steps = append(t.steps, s)
		t.done = t.reached || t.refused || t.distance == t.end || t.gap > 0 && t.silent >= t.gap
		t.distance++
		t.search = NewMTU(t.v6, t.tries, t.timeout)
		t.search.frugal, t.search.pardon = true, true
		t.search.search.limit(t.most)
	}
}

// Take returns what was found at the next distance, in order, if all is known of it. A step is taken once.
func (t *MTUTrace) Take() (s MTUStep, ok bool) {
	if len(t.steps) == 0 {
		return MTUStep{}, false
	}
	s, t.steps = t.steps[0], t.steps[1:]
	return s, true
}

// Done reports whether the last step has been taken.
func (t *MTUTrace) Done() bool {
	t.advance()
	return t.done && len(t.steps) == 0
}
