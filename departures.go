package ping

import "slices"

// departed notes when a probe left. The key is as keyOf made it.
func (f *flight) departed(key uint32, wall int64) {
	seq := uint16(key)
	s := f.find(seq)
	if s == nil || keyOf(seq, s.cookie) != key || s.state != sending && s.state != waiting {
		return
	}
	s.departed = wall
	f.settleUnstamped(func(a *arrival) bool { return a.seq == seq })
}

// keyOf is the key under which the kernel reports a probe's departure.
func keyOf(seq uint16, cookie uint64) uint32 { return uint32(seq) | uint32(cookie)<<16 | 1<<31 }

// settleUnstamped settles those answers for which no report of departure need be waited for any more.
func (f *flight) settleUnstamped(which func(*arrival) bool) {
	if len(f.unstamped) == 0 {
		return
	}
	f.unstamped = slices.DeleteFunc(f.unstamped, func(a arrival) bool {
		if !which(&a) {
			return false
		}
		s := f.at(a.seq)
		if s.state == waiting {
			f.settle(&a)
		} else {
			f.arrive(&a) // too late
		}
		if s.held == answered {
			s.state = answered
		}
		s.held = unused
		return true
	})
}

// hold keeps an answer for later: one a probe, so that no flood makes the list long.
func (f *flight) hold(list *[]arrival, s *slot, a *arrival) {
	if s.held != unused {
		f.surplus(s, &s.held, a.err != nil)
		return
	}
	*list = append(*list, *a)
	s.held = answered
	if a.err != nil {
		s.held = expired
	}
}

// takeEarly removes the answer that came before the send call returned.
func (f *flight) takeEarly(seq uint16) arrival {
	i := slices.IndexFunc(f.early, func(a arrival) bool { return a.seq == seq })
	a := f.early[i]
	f.early = slices.Delete(f.early, i, i+1)
	f.at(seq).held = unused
	return a
}
