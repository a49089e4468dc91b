package flight

import "slices"

// departureKey is the key under which the kernel reports a probe's departure: its sequence number, some of its
// cookie, and a bit that keeps it from being 0.
func departureKey(seq uint16, cookie uint64) uint32 { return uint32(seq) | uint32(cookie)<<16 | 1<<31 }

// noteDeparture notes when the probe with a key left, on the wall clock.
func (t *Table) noteDeparture(key uint32, wall int64) {
	seq := uint16(key)
	s := t.find(seq)
	if s == nil || !s.inFlight() || !t.reports || departureKey(seq, s.cookie) != key {
		return
	}
	t.departures[t.index(seq)] = wall
	if s.held != vacant {
		t.settleUnstamped(func(other uint16) bool { return other == seq })
	}
}

// Unstamped reports whether answers wait for the report of a departure.
func (t *Table) Unstamped() bool { return len(t.unstamped) > 0 }

// SettleUnstamped settles all answers that wait for the report of a departure: those reports will not come.
func (t *Table) SettleUnstamped() { t.settleUnstamped(func(uint16) bool { return true }) }

// settleUnstamped settles the answers that wait for the report of a departure, of those probes that which picks by
// their sequence numbers.
func (t *Table) settleUnstamped(which func(seq uint16) bool) {
	if len(t.unstamped) == 0 {
		return
	}
	t.unstamped = slices.DeleteFunc(t.unstamped, func(a arrival) bool {
		if !which(a.seq) {
			return false
		}
		s := t.at(a.seq)
		end := s.held
		s.held = vacant
		if s.state == waiting {
			t.settle(s, &a)
		} else {
			t.surplus(s, &s.state, &a) // too late
		}
		if end == answered {
			s.state = answered
		}
		return true
	})
}

// dropUnstamped drops the answer to a probe whose slot is taken for another.
func (t *Table) dropUnstamped(seq uint16) {
	t.unstamped = slices.DeleteFunc(t.unstamped, func(a arrival) bool { return a.seq == seq })
}

// hold keeps an answer for later: one a probe, so that no flood makes the list long.
func (t *Table) hold(list *[]arrival, s *slot, a *arrival) {
	if s.held != vacant {
		t.surplus(s, &s.held, a)
		return
	}
	*list = append(*list, *a)
	s.held = answered
	if a.icmp != nil {
		s.held = expired
	}
}

// arriveEarly has the answer arrive that came before the send call returned. It may have to wait for the report of
// the departure next.
func (t *Table) arriveEarly(s *slot) {
	end := s.held // after all that has come, of which but one was held
	a := t.removeEarly(s)
	t.arrive(s, &a)
	if s.held != vacant {
		s.held = end
	} else if end == answered {
		s.state = answered
	}
}

// removeEarly removes the answer that came before the send call returned from those that are held, and returns it.
func (t *Table) removeEarly(s *slot) arrival {
	i := slices.IndexFunc(t.early, func(a arrival) bool { return a.seq == s.seq })
	a := t.early[i]
	t.early = slices.Delete(t.early, i, i+1)
	s.held = vacant
	return a
}
