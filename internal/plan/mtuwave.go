package plan

import "slices"

// due is when the next wave is due, which wave has put into the queue; false if that depends on what is in flight.
func (m *MTU) due() (at int64, ok bool) {
	if m.slow > 0 {
		for i := range m.waves {
			if m.waves[i].inFlight > 0 {
				return 0, false
			}
		}
		return m.left + m.spacing(), true
	}
	for _, size := range m.queue {
		if s := m.size(size); s != nil && s.tried < m.tries {
			if len(m.waves) == 0 || m.frugal && s.tried == 0 {
				return atOnce, true
			}
			return m.start + m.apart, true
		}
	}
	return 0, false
}

// spacing is the time between two waves, or two packets, when the search has slowed down.
func (m *MTU) spacing() int64 {
	if m.slow > 2 {
		return 2 * m.pause
	}
	return m.pause
}

// single reports whether each packet waits for its turn.
func (m *MTU) single() bool { return m.slow > 1 }

// wave returns the sizes of the next wave: those of the round that are wanted, or one of them, and a control. That has
// passed twice, or is the least: what passed once may have done so by luck.
func (m *MTU) wave() []int {
	low, least := m.search.low, m.search.least
	queue := m.queue[:0]
	for _, s := range m.sizes {
		if m.wanted(s.size) {
			queue = append(queue, s.size)
		}
	}
	// What comes first passes mostly, and the smaller ones are controls to the larger ones.
	controlled := !m.sure && (len(m.waves) > 0 || m.vanishing || m.slow > 0)
	confirms := m.confirms != 0 || controlled && low > least && low != m.confirmed
	switch {
	case m.single() && confirms:
		queue = append(queue[:0], low)
	case m.single():
		queue = append(queue[:0], queue[len(queue)/2])
	case m.frugal && !m.vanishing:
		queue = queue[:1]
		fallthrough
	default:
		if confirms && queue[len(queue)-1] != low {
			queue = append(queue, low)
		}
	}
	m.control = 0
	switch {
	case !controlled:
	case !confirms && low >= least:
		m.control = low
	case low > least:
		m.control = least
	}
	if m.control != 0 {
		queue = append(queue, m.control)
	}
	return queue
}

// confirm makes the largest size that passed one of the round's, the smallest of them.
func (m *MTU) confirm() {
	m.confirms = m.search.low
	m.sizes = slices.DeleteFunc(m.sizes, func(s mtuSize) bool { return s.size == m.confirms })
	m.sizes = append(m.sizes, mtuSize{size: m.confirms})
}

// skip takes out of the queue what is known by now. The control is not: it is the evidence for those before it.
func (m *MTU) skip() {
	for len(m.queue) > 0 && m.queue[0] != m.control && !m.wanted(m.queue[0]) {
		m.queue = m.queue[1:]
	}
	if len(m.queue) == 0 {
		m.begun = false
		m.conclude(&m.waves[len(m.waves)-1])
	}
}

// judge takes note of what became of a packet of a wave of the round.
func (m *MTU) judge(w *mtuWave, size int, o Outcome) (fatal bool) {
	i := 0
	for i < len(w.probes) && w.probes[i].size != size {
		i++
	}
	if i == len(w.probes) {
		return false
	}
	p := &w.probes[i]
	switch o {
	case Answered:
		p.state = mtuAnswered
	case TooBig, TooBigHere:
		p.state = mtuTold
	default:
		p.state = mtuLost
	}
	p.unsent = o == Unsent
	w.inFlight--
	fatal = m.count(w)
	return m.conclude(w) || fatal
}

// count counts what the lost packets of a wave are evidence of.
func (m *MTU) count(w *mtuWave) (fatal bool) {
	controlled := m.search.low < m.search.least // there is none yet
	for i := len(w.probes) - 1; i >= 0; i-- {
		p := &w.probes[i]
		if p.state == mtuAnswered {
			controlled = true
		}
		if p.state != mtuLost || !controlled {
			continue
		}
		p.state = mtuCounted
		s := m.size(p.size)
		if s == nil {
			continue
		}
		s.missed++
		s.unsent = p.unsent
		if s.missed < m.tries {
			continue
		}
		if s.unsent {
			return true
		}
		m.vanishing = true
		if s.size == m.confirms {
			m.retreat(0)
		} else {
			m.search.failed(s.size, 0)
		}
	}
	return false
}

// conclude sees whether a wave is over, and whether it brought an answer.
func (m *MTU) conclude(w *mtuWave) (fatal bool) {
	last := w == &m.waves[len(m.waves)-1]
	if w.over || w.inFlight > 0 || last && m.begun {
		return false
	}
	w.over = true
	answered, lost, unsent := false, false, true
	for i := range w.probes {
		p := &w.probes[i]
		answered = answered || p.state == mtuAnswered
		lost = lost || p.state == mtuLost
		unsent = unsent && (p.unsent || p.state == mtuTold)
		if s := m.size(p.size); s != nil && p.state == mtuLost {
			s.tried--
			p.state = mtuCounted
		}
	}
	switch {
	case m.search.low < m.search.least, w.slow != m.slow:
	case answered && m.slow > 0:
		m.silent = 0
	case !answered && lost:
		return m.quiet(unsent)
	}
	if m.slowed >= mtuSlowWaves {
		m.giveUp()
	}
	return false
}

// quiet takes note of a wave that brought no answer: not even what is known to pass passes now.
func (m *MTU) quiet(unsent bool) (fatal bool) {
	limit := mtuLeastWaves
	if m.slow == 0 {
		limit = max(limit, m.tries)
	}
	if m.silent++; m.silent < limit {
		return false
	}
	if unsent {
		return true
	}
	m.silent = 0
	if m.slow == 0 {
		m.relapsed = m.slowed > 0
	}
	if m.slow == mtuSlowest {
		m.giveUp()
		return false
	}
	m.slow++
	return false
}
