package plan

import (
	"slices"
	"time"
)

const (
	// mtuLeastWaves is how many waves are sent without an answer, at least, before the search slows down, and
	// then before it slows down again: fewer would take plain loss for a limit.
	mtuLeastWaves = 3
	// mtuSlowest is how often the search slows down before it gives up.
	mtuSlowest = 3
	// mtuSlowWaves is how many waves a search that has slowed down may send, before it gives up.
	mtuSlowWaves = 100
	// mtuRetreats is how often the largest size that passed may pass no more, before the search gives up.
	mtuRetreats = 3
)

// An MTU finds the largest size of packet that passes. It tries sizes round after round, several together; which, it
// chooses by what passed, what did not, and the MTUs that routers named, or this host for its own link.
//
// The sizes of a round leave in waves, each the largest first, and last one that is known to pass, the control. A size
// counts as too big if a router or this host says so, or if it was never answered in as many waves as it may be tried,
// in each of which one that left later was: so neither an outage, nor a limit on how many echo requests are answered,
// looks like a size that does not pass (RFC 8899).
// Where too many waves bring no answer at all, the search slows down, at first to a wave at a time, then to a packet
// at a time, and at last it gives up: see Bound.
//
// What has been found must pass once more, and after losses, what is just too big must fail once more.
//
// An MTU is not safe for concurrent use.
type MTU struct {
	search mtuSearch
	tries  int
	apart  int64 // one wave and the next
	pause  int64 // the same, or one packet and the next, when the search has slowed down
	frugal bool  // one size at a time, until one is not answered
	sure   bool  // what passed once passes, and nothing is lost
	pardon bool  // the first refusal of the smallest size may be one in passing: that is tried again
	done   bool
	bound  bool

	sizes   []mtuSize // of the round
	most    int       // the largest of them that it still tries
	first   int       // number of the first of its waves
	waves   []mtuWave
	begun   bool  // the last wave has begun, and not all of it has left
	queue   []int // what is to leave of it, the control last
	control int   // 0: none
	start   int64 // when it began
	left    int64 // when the last packet left
	silent  int   // waves without an answer, in the round or since one with an answer

	slow      int  // how often the search has slowed down: its level
	slowed    int  // waves since
	relapsed  bool // it has done so a second time, and stays slow
	vanishing bool // some size was not answered
	lossy     bool // and some that pass
	rechecked int  // the size that failed again, after losses; 0: none
	confirms  int  // the size that the round is to confirm; 0: none
	confirmed int  // the size that was answered again
	since     int  // the first wave whose answer confirms the largest size that passed
	valid     int  // the first wave whose outcomes count
	retreats  int
}

// An mtuSize is one size of a round.
type mtuSize struct {
	size   int
	tried  int  // in how many waves, without those that brought no evidence
	missed int  // in how many of them it was not answered, and a packet after it was
	unsent bool // the last of them could not be sent
}

// An mtuWave is one try of the sizes of a round.
type mtuWave struct {
	probes   []mtuProbe
	inFlight int
	slow     int // the level at which it began
	over     bool
}

// An mtuProbe is one packet of a wave.
type mtuProbe struct {
	size   int
	state  mtuState
	unsent bool
}

type mtuState uint8

const (
	mtuInFlight mtuState = iota
	mtuAnswered
	mtuTold    // that it is too big
	mtuLost    // and it is not known yet whether that is evidence
	mtuCounted // as evidence, or not
)

// NewMTU returns a search from MinPacket4 to MaxPacket4, or for IPv6 from MinPacket6 to MaxPacket6. Each size is tried
// up to tries times, 1 or more, at equal distances within one timeout.
func NewMTU(v6 bool, tries int, timeout time.Duration) *MTU {
	t := min(int64(timeout), maxInterval)
	return &MTU{search: newMTUSearch(v6), tries: tries, apart: t / int64(tries), pause: max(t, limitPause)}
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
	at = atOnce
	if m.begun {
		m.skip()
	}
	if !m.begun {
		m.queue = m.wave()
		if at, ok = m.due(); !ok {
			return 0, 0, 0, false
		}
	} else if m.single() {
		at = m.left + m.spacing()
	}
	number := m.first + len(m.waves)
	if m.begun {
		number--
	}
	if at == atOnce {
		at = now
	}
	return m.queue[0], mtuTag(number, m.queue[0]), at, true
}

func mtuTag(wave, size int) int64 { return int64(wave)<<32 | int64(size) }

// Sent says that the probe that Next returned last leaves now.
func (m *MTU) Sent(now int64) {
	if !m.begun {
		m.begun, m.start = true, now
		m.waves = append(m.waves, mtuWave{slow: m.slow})
		if m.slow > 0 {
			m.slowed++
		}
		if m.confirms == 0 && m.control != m.search.low && slices.Contains(m.queue, m.search.low) {
			m.confirm()
		}
	}
	w := &m.waves[len(m.waves)-1]
	w.probes = append(w.probes, mtuProbe{size: m.queue[0]})
	w.inFlight++
	if s := m.size(m.queue[0]); s != nil {
		s.tried++
	}
	m.left = now
	m.queue = m.queue[1:]
	m.begun = len(m.queue) > 0
}

// Settled says what became of a probe. For TooBig mtu is what the router named, for TooBigHere what this host did, 0
// for none; else it has no meaning. Where fatal is true, this host's refusal to send ends the search, because it says
// nothing about the path: that was the last try of a size, or there was no room to send for a whole timeout.
func (m *MTU) Settled(tag int64, o Outcome, mtu int) (fatal bool) {
	size, wave := int(tag&(1<<32-1)), int(tag>>32)
	switch {
	case o == NoRoom:
		return true
	case m.done || wave < m.valid:
		return false
	case o == Answered:
		m.passed(size, wave)
	case o == TooBig, o == TooBigHere:
		m.refused(size, wave, o, mtu)
	case size == m.search.least && m.search.low < size && (o == Refused || o == InTransit):
		if !m.pardon {
			m.search.failed(size, 0)
		}
		m.pardon = false
	case size <= m.search.low:
		m.lossy = true
	}
	if i := wave - m.first; i >= 0 && i < len(m.waves) {
		return m.judge(&m.waves[i], size, o)
	}
	return false
}

// passed takes note that a packet was answered.
func (m *MTU) passed(size, wave int) {
	if size > m.search.low {
		m.since = m.first + len(m.waves)
	} else if size == m.search.low && wave >= m.since {
		m.confirmed = size
	}
	m.search.passed(size)
	if m.search.low == m.confirmed || m.search.low > m.confirms {
		m.confirms = 0
	}
}

// refused takes note that a packet was too big, and which MTU was named, if any.
func (m *MTU) refused(size, wave int, o Outcome, mtu int) {
	if size == m.search.low && wave >= m.since {
		m.retreat(mtu)
		return
	}
	m.search.failed(size, mtu)
	switch followed := mtu == m.search.hint; {
	case followed && m.frugal && m.search.open(mtu):
		m.sizes = m.sizes[:0] // the round ends: no other size is as likely
	case followed && o == TooBigHere && m.search.low <= mtu:
		m.most = mtu // that the link takes no more, one size shows as well as all: the next round tries one byte more
	}
}

// retreat takes back that the largest size that passed does: the path has changed, or a router has learned from the
// first large packet that the next ones do not fit, such as one at the beginning of a tunnel.
func (m *MTU) retreat(mtu int) {
	if m.search.low == m.search.least {
		m.giveUp()
		return
	}
	m.search.retreat(mtu)
	if m.retreats++; m.retreats > mtuRetreats {
		m.giveUp()
		return
	}
	m.sizes = m.sizes[:0] // the round ends
	m.confirms, m.confirmed, m.rechecked = 0, 0, 0
	m.valid = m.first + len(m.waves)
	m.since = m.valid
}

func (m *MTU) giveUp() { m.done, m.bound = true, true }

// size is the size of the round; nil for a control, and for what is known.
func (m *MTU) size(size int) *mtuSize {
	for i := range m.sizes {
		if m.sizes[i].size == size && m.wanted(size) {
			return &m.sizes[i]
		}
	}
	return nil
}

// wanted reports whether the round is still to find out whether one of its sizes passes.
func (m *MTU) wanted(size int) bool {
	return m.search.open(size) && size <= m.most || size == m.confirms
}

// Done reports whether the search has ended. As Next does, it begins a round when the one before has ended.
func (m *MTU) Done() bool {
	if m.done {
		return true
	}
	for i := range m.sizes {
		if m.wanted(m.sizes[i].size) {
			return false
		}
	}
	m.round()
	return m.done
}

// round begins a round.
func (m *MTU) round() {
	sizes := m.search.next()
	low, high := m.search.low, m.search.high
	switch {
	case len(sizes) > 0:
	case low < m.search.least || m.sure:
	case m.lossy && high <= m.search.most && m.rechecked != high:
		m.rechecked = high
		m.search.reopen()
		sizes = []int{high}
	case m.confirmed != low:
		m.confirms = low
		sizes = []int{low}
	}
	if len(sizes) == 0 {
		m.done = true
		return
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	m.first += len(m.waves)
	m.waves, m.begun, m.silent = m.waves[:0], false, 0
	m.sizes, m.most = m.sizes[:0], m.search.most
	for _, size := range sizes {
		m.sizes = append(m.sizes, mtuSize{size: size})
	}
	if m.slow > 0 && !m.relapsed {
		m.slow = 0
	}
}

// Found is the largest size that has passed until now; 0 for none. That is so only while the smallest size is tried, or
// when it has failed: then all probes were of that size.
func (m *MTU) Found() int {
	if m.search.low < m.search.least {
		return 0
	}
	return m.search.low
}

// Bound reports whether the search has given up: larger packets than Found may pass.
func (m *MTU) Bound() bool { return m.bound }
