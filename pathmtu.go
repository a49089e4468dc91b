package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"
)

const (
	headerLen4 = 20 // of IPv4 without options (RFC 791 section 3.1)
	headerLen6 = 40 // of IPv6 (RFC 8200 section 3)

	// Every IPv4 link carries 68 bytes (RFC 791 section 3.2), every IPv6 link 1,280 (RFC 8200 section 5).
	minPacket4 = 68
	minPacket6 = 1280
	maxPacket4 = headerLen4 + headerLen + maxPayload4
	maxPacket6 = headerLen6 + headerLen + maxPayload6

	// mtuTries is how often a size is tried before it counts as too big. RFC 8899 section 5.1.2 has 3, for a
	// protocol that goes on looking; here there is one chance, and with every fifth packet lost one size in
	// 3,000 is taken for too big by mistake.
	mtuTries    = 5
	maxMTUTries = 100
)

// PathMTU returns the size of the largest packet, in bytes and with the headers of IP and ICMP, that reaches host
// unfragmented: 68 to 65,535 for IPv4, 1,280 to 65,575 for IPv6. It sends echo requests of different sizes that must
// not be fragmented, and returns the largest size that the target answered: never one that did not pass. This is
// about the way there. The answer, which is as large, has to come back, but may come in fragments, if the target
// makes them or lets routers make them, as Linux does; where the way back swallows large packets and fragments alike,
// that limits what is found.
//
// The MTUs that routers name (RFC 1191, RFC 8201) are tried, and so is one byte more: what makes no sense, or proves
// wrong, is not believed. Where large packets vanish without a word, a black hole (RFC 8899), usual sizes are tried,
// then those between, 8 at a time. A size counts as too big if a router or this host says so, or if none of WithCount
// (5, 100 at most) echo requests is answered, which leave within one timeout, or longer if WithRate has it so: with
// more of them, plain loss is less likely to be taken for a limit. In a black hole that takes two timeouts a round,
// of which there are at most 2 for a usual size and 7 for any other; elsewhere, where routers name the MTU, it takes
// a few round trips.
//
// The error is that of the smallest packet, where that is not answered: it wraps an *[ICMPError], [ErrTimeout], or
// why it could not be sent. Where ctx, Close or this host's refusal to send ends the search, the size with the error
// is the largest that has passed until then; else it is 0.
//
// All packets have the flow that WithFlow names, or that of a Trace, so that routers which share packets out among
// several paths send them the same way. WithTTL and WithTrafficClass hold for each packet; WithSize,
// WithDontFragment and WithInterval have no effect. On other systems than Linux it is errors.ErrUnsupported, as
// WithDontFragment is. A [Transport] of your own must heed Message.DontFragment, or the result is wrong.
func (p *Pinger) PathMTU(ctx context.Context, host string, opts ...ProbeOption) (int, error) {
	e, err := p.prepare(ctx, host, append(slices.Clip(opts), WithDontFragment(true), WithSize(usualSize)))
	if err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			err = fmt.Errorf("PathMTU: %w", err)
		}
		return 0, &probeError{host, err}
	}
	defer e.end()
	mtu, err := e.pathMTU(ctx)
	if err != nil {
		err = &probeError{host, err}
	}
	return mtu, err
}

// An mtuRun is one call of PathMTU.
type mtuRun struct {
	*exchange
	search   mtuSearch
	headers  int    // what a packet has before the payload
	template []byte // of the largest packet; that of any other is the beginning of it
	tries    int
	timer    *time.Timer
	round    int
	sizes    []mtuSize // of the round
	outcomes []outcome
	failure  error // how the last try of the smallest packet failed
}

// An mtuSize is one size of a round.
type mtuSize struct {
	size, tried, flying int
	due                 time.Time // when to try it again
}

// pathMTU tries sizes, round after round.
func (e *exchange) pathMTU(ctx context.Context) (int, error) {
	v6 := e.target.Is6()
	m := &mtuRun{exchange: e, search: newMTUSearch(v6), headers: headerLen4 + headerLen, tries: e.config.count}
	if v6 {
		m.headers = headerLen6 + headerLen
	}
	switch {
	case m.tries == 0:
		m.tries = mtuTries
	case m.tries > maxMTUTries:
		return 0, fmt.Errorf("WithCount(%d): PathMTU takes 1 to %d", m.tries, maxMTUTries)
	}
	var err error
	if m.template, err = newTemplate(v6, m.search.most-m.headers); err != nil {
		return 0, err
	}
	if m.ask.flow == 0 {
		m.ask.flow = traceFlow
	}
	m.timer = time.NewTimer(e.config.timeout)
	defer m.timer.Stop()
	for {
		sizes := m.search.next()
		if len(sizes) == 0 {
			return m.search.low, nil
		}
		if err := m.run(ctx, sizes); err != nil {
			return m.reached(), err
		}
		if m.reached() == 0 {
			return 0, m.failure
		}
	}
}

// reached is the largest size that has passed, 0 for none.
func (m *mtuRun) reached() int {
	if m.search.low < m.search.least {
		return 0
	}
	return m.search.low
}

// run tries sizes until it is known of each whether it passes.
func (m *mtuRun) run(ctx context.Context, sizes []int) error {
	for m.conn.retired.Load() { // by Reopen; nothing in flight matters
		if err := m.move(); err != nil {
			return err
		}
	}
	m.round++
	m.sizes = m.sizes[:0]
	for _, size := range sizes {
		m.sizes = append(m.sizes, mtuSize{size: size, due: time.Now()})
	}
	for {
		if err := m.collect(); err != nil {
			return err
		}
		next, ended := m.pick()
		if ended {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var due <-chan time.Time
		if next != nil {
			wait := time.Until(next.due)
			if wait <= 0 {
				if err := m.try(ctx, next); err != nil {
					return err
				}
				continue
			}
			m.timer.Reset(wait)
			due = m.timer.C
		}
		if err := m.await(ctx, due); err != nil {
			return err
		}
	}
}

// pick returns the size that is to be tried first, nil if all are tried often enough, and whether the round has ended.
func (m *mtuRun) pick() (next *mtuSize, ended bool) {
	ended = true
	for i := range m.sizes {
		s := &m.sizes[i]
		if !m.search.open(s.size) {
			continue
		}
		ended = false
		if s.tried < m.tries && (next == nil || s.due.Before(next.due)) {
			next = s
		}
	}
	return next, ended
}

// try sends a packet of one size, unless it turns out meanwhile whether that passes.
func (m *mtuRun) try(ctx context.Context, s *mtuSize) error {
	if err := m.pinger.turn(ctx, m.conn); err != nil {
		return err
	}
	if err := m.collect(); err != nil || !m.search.open(s.size) {
		return err
	}
	ask := m.ask
	ask.template = m.template[:headerLen+s.size-m.headers]
	ask.flow = m.flow(len(ask.template))
	ask.tag = int64(m.round)<<32 | int64(s.size)
	if err := m.conn.launch(ctx, m.in, ask); err != nil {
		return err
	}
	s.tried++
	s.flying++
	// All tries lie within one timeout, the last one's wait apart.
	s.due = time.Now().Add(m.config.timeout / time.Duration(m.tries))
	m.conn.glanceForOne()
	return nil
}

// flow is the flow for an ICMP message of so many bytes, such that its checksum is that of one of the usual size with
// the flow asked for: all sizes take the same of several paths, each of which may have an MTU of its own.
func (m *mtuRun) flow(length int) uint16 {
	sum := func(length int) uint32 { // of what depends on the length
		s := uint32(^checksum(m.template[headerLen+cookieLen : length]))
		if m.target.Is6() {
			s += uint32(length) // in the pseudo-header (RFC 8200 section 8.1)
		}
		return s
	}
	flow := (uint32(m.ask.flow) + sum(headerLen+usualSize) + 2*0xffff - sum(length)) % 0xffff
	if flow == 0 {
		return 0xffff // the same; 0 is none
	}
	return uint16(flow)
}

// collect learns from what has been settled.
func (m *mtuRun) collect() error {
	m.outcomes = m.conn.collect(m.in, m.outcomes[:0])
	for i := range m.outcomes {
		o := &m.outcomes[i]
		if o.err != nil && errors.Is(o.err, net.ErrClosed) {
			return o.err
		}
		if err := m.settle(o); err != nil {
			return err
		}
	}
	return nil
}

// settle learns from one outcome. That the last try of a size could not be sent says nothing about the path: it is an
// error.
func (m *mtuRun) settle(o *outcome) error {
	size, current := int(o.tag&(1<<32-1)), int(o.tag>>32) == m.round
	if o.err == nil {
		m.search.passed(size)
		return nil
	}
	if size == m.search.least {
		m.failure = o.err
	}
	if errors.Is(o.err, ErrNoRoom) { // for a whole timeout
		return o.err
	}
	var refusal *ICMPError
	switch {
	case errors.As(o.err, &refusal) && refusal.tooBig():
		m.search.failed(size, refusal.MTU)
		return nil
	case refusal != nil && size == m.search.least, errors.Is(o.err, syscall.EMSGSIZE):
		m.search.failed(size, 0)
		return nil
	}
	for i := range m.sizes {
		if s := &m.sizes[i]; current && s.size == size {
			if s.flying--; s.flying == 0 && s.tried == m.tries && m.search.open(size) {
				if refusal == nil && !errors.Is(o.err, ErrTimeout) {
					return o.err
				}
				m.search.failed(size, 0)
			}
		}
	}
	return nil
}
