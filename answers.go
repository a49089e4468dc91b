package ping

// An arrival is an answer that passed every check.
type arrival struct {
	seq  uint16
	wall int64 // the kernel's stamp, 0 for none
	read stamp
	ttl  int
	size int
	err  *ICMPError
}

// accept looks at a message that was read at the instant told, and settles the probe that it answers.
func (f *flight) accept(m *Message, read stamp) {
	if m.departed {
		f.departed(m.key, m.Time.UnixNano())
		return
	}
	e, ok := parseEcho(m.Data)
	v6 := m.Addr.Is6() && !m.Addr.Is4In6()
	if m.Err != nil {
		if m.Err.advice() {
			f.counts.Advice++
			return
		}
		ok = ok && e.isRequest(v6)
	} else {
		ok = ok && e.isReply(v6)
	}
	s := (*slot)(nil)
	if ok && m.Addr.IsValid() {
		s = f.find(e.seq)
	}
	if s == nil {
		f.counts.Stray++
		return
	}
	in := f.owner(s)
	if s.dst != m.Addr.As16() || !e.hasCookie(s.cookie, int(s.size)) {
		f.counts.Stray++
		if in != nil {
			in.oddities.stray++
		}
		return
	}
	if m.Err == nil && !e.intact(int(s.size)) {
		f.counts.Corrupted++
		if in != nil {
			in.oddities.corrupted++
		}
		return
	}
	a := arrival{seq: e.seq, read: read, ttl: m.TTL, size: len(m.Data), err: m.Err}
	if !m.Time.IsZero() {
		a.wall = m.Time.UnixNano()
	}
	f.arrive(&a)
}

// arrive does with an answer what the state of its probe asks for.
func (f *flight) arrive(a *arrival) {
	s := f.at(a.seq)
	switch {
	case s.state == sending:
		f.hold(&f.early, s, a)
	case s.state == waiting && f.wire && s.departed == 0:
		f.hold(&f.unstamped, s, a)
	case s.state == waiting:
		f.settle(a)
	default:
		f.surplus(s, &s.state, a.err != nil)
	}
}

// surplus counts an answer to a probe that is settled, as end says.
func (f *flight) surplus(s *slot, end *state, refused bool) {
	in := f.owner(s)
	switch {
	case refused:
		f.counts.LateErrors++
	case *end == expired:
		*end = answered
		f.late(in)
	default:
		f.counts.Duplicates++
		if in != nil {
			in.oddities.duplicates++
		}
	}
}

func (f *flight) late(in *inbox) {
	f.counts.Late++
	if in != nil {
		in.oddities.late++
	}
}

// settle ends the waiting probe that was answered. What came in time counts, however late it was read.
func (f *flight) settle(a *arrival) {
	s := f.at(a.seq)
	left := s.sent.add(int64(s.lag))
	rtt, clock := roundTrip(left, a.read, a.wall)
	if wire, ok := wireRoundTrip(s.sent, a.read, s.departed, a.wall); ok {
		rtt, clock = wire, ClockWire
		left.wall = s.departed
	} else if clock == ClockUser && s.lag > 0 {
		// The estimate was wrong: it left earlier. The start of its batch bounds it.
		left = s.sent
		rtt, clock = roundTrip(left, a.read, a.wall)
	}
	end := answered
	if a.err != nil {
		end = expired // a reply may yet come
	}
	f.vacate(s)
	in := f.finish(a.seq, end)
	o := outcome{tag: s.tag, sent: left.wall, err: ErrTimeout}
	if rtt > s.timeout {
		f.counts.Lost++
		s.state = expired
		f.surplus(s, &s.state, a.err != nil)
		in.put(o)
		return
	}
	o.rtt, o.clock, o.ttl, o.err = rtt, clock, a.ttl, nil
	o.received = a.wall
	if clock == ClockUser {
		o.received = a.read.wall
	}
	if a.err != nil {
		f.counts.Lost++
		f.counts.Errors++
		o.from, o.err = a.err.From, a.err
	} else {
		f.counts.Received++
		o.size = a.size
	}
	in.put(o)
}
