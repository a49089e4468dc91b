package monitor

// An uplink tells whether this host can send at all. It knows of no clock: its times are on the Monitor's.
type uplink struct {
	lastLeft int64 // when the last probe left that is known to have
	cut      bool  // nothing can be sent, since first

	run    uint64 // counts the times at which probes that could not be sent came to an end
	first  int64  // the first of them this time
	failed int    // how many addresses they were for
}

// left says that a probe left at a time, and reports whether this host was cut off until then.
func (u *uplink) left(at int64) (restored bool) {
	u.lastLeft = max(u.lastLeft, at)
	if u.failed == 0 || at <= u.first {
		return false
	}
	restored = u.cut
	u.cut, u.failed = false, 0
	u.run++
	return restored
}

// notSent says that a probe could not be sent, to one of so many addresses; run is the address's own. It reports
// whether this host is cut off from now on: since the last probe that left, those to more than half of the addresses,
// and to two at least, could not be sent.
func (u *uplink) notSent(now int64, run *uint64, addresses int) (cut bool) {
	if *run == u.run+1 || u.cut {
		return false
	}
	*run = u.run + 1
	if u.failed++; u.failed == 1 {
		u.first = now
	}
	if u.failed < 2 || 2*u.failed <= addresses {
		return false
	}
	u.cut = true
	return true
}

// gone says that an address is watched no more, whose run this was.
func (u *uplink) gone(run uint64) {
	if run == u.run+1 && !u.cut {
		u.failed--
	}
}
