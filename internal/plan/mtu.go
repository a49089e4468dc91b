package plan

import "time"

// An MTU finds the largest size of packet that passes. It tries sizes round after round, several together; which, it
// chooses by what passed, what did not, and the MTUs that routers named. A size counts as too big if a router or this
// host says so, or if it has been tried as often as it may be and was never answered.
//
// An MTU is not safe for concurrent use.
type MTU struct {
	search mtuSearch
	tries  int
	apart  int64 // one try of a size and the next
	round  int
	sizes  []mtuSize // of the round
	next   int       // which of them Next returned last
	done   bool
}

// An mtuSize is one size of a round.
type mtuSize struct {
	size, tried, inFlight int
	due                   int64 // when to try it again
}

// NewMTU returns a search from MinPacket4 to MaxPacket4, or for IPv6 from MinPacket6 to MaxPacket6. Each size is tried
// up to tries times, 1 or more, at equal distances within one timeout.
func NewMTU(v6 bool, tries int, timeout time.Duration) *MTU {
	return &MTU{search: newMTUSearch(v6), tries: tries, apart: min(int64(timeout), maxInterval) / int64(tries)}
}

// Next returns the size of the packet that is to leave next, with the headers of IP and ICMP, the tag that names the
// probe to Settled, and when it is due. It returns false if that depends on what is in flight, or if there is none.
//
// It begins a round when it is known of each size of the round before whether that passes. So first settle all that
// has come: an outcome that comes too late for the choice of sizes costs a round.
func (m *MTU) Next(now int64) (size int, tag, at int64, ok bool) {
	if m.Done() {
		return 0, 0, 0, false
	}
	for i := range m.sizes {
		s := &m.sizes[i]
		if m.search.open(s.size) && s.tried < m.tries && (!ok || s.due < at) {
			size, at, ok = s.size, s.due, true
			m.next = i
		}
	}
	switch {
	case !ok:
		return 0, 0, 0, false
	case at == atOnce:
		at = now
	}
	return size, m.tag(size), at, true
}

// tag names a probe of this round. An outcome of a round before tells what passes, but is no try of this one.
func (m *MTU) tag(size int) int64 { return int64(m.round)<<32 | int64(size) }

// Sent says that the probe that Next returned last leaves now.
func (m *MTU) Sent(now int64) {
	s := &m.sizes[m.next]
	s.tried++
	s.inFlight++
	s.due = now + m.apart
}

// Settled says what became of a probe. For TooBig mtu is what the router named, 0 for none; else it has no meaning.
// Where fatal is true, this host's refusal to send ends the search, because it says nothing about the path: that was
// the last try of a size, or there was no room to send for a whole timeout.
func (m *MTU) Settled(tag int64, o Outcome, mtu int) (fatal bool) {
	size := int(tag & (1<<32 - 1))
	switch {
	case o == Answered:
		m.search.passed(size)
	case o == NoRoom:
		return true
	case o == TooBig:
		m.search.failed(size, mtu)
	case o == TooBigHere, size == m.search.least && (o == Refused || o == InTransit):
		m.search.failed(size, 0)
	case tag == m.tag(size):
		return m.unanswered(size, o)
	}
	return false
}

// unanswered says that one try of a size in this round brought nothing, and for which reason.
func (m *MTU) unanswered(size int, o Outcome) (fatal bool) {
	for i := range m.sizes {
		s := &m.sizes[i]
		if s.size != size {
			continue
		}
		s.inFlight--
		if s.inFlight > 0 || s.tried < m.tries || !m.search.open(size) {
			return false
		}
		if o == Unsent {
			return true
		}
		m.search.failed(size, 0)
	}
	return false
}

// Done reports whether the search has ended. As Next does, it begins a round when the one before has ended.
func (m *MTU) Done() bool {
	if m.done {
		return true
	}
	for i := range m.sizes {
		if m.search.open(m.sizes[i].size) {
			return false
		}
	}
	sizes := m.search.next()
	if len(sizes) == 0 {
		m.done = true
		return true
	}
	m.round++
	m.sizes = m.sizes[:0]
	for _, size := range sizes {
		m.sizes = append(m.sizes, mtuSize{size: size, due: atOnce})
	}
	return false
}

// Found is the largest size that has passed until now; 0 for none. That is so only while the smallest size is tried, or
// when it has failed: then all probes were of that size.
func (m *MTU) Found() int {
	if m.search.low < m.search.least {
		return 0
	}
	return m.search.low
}
