package ping

import (
	"net/netip"
	"slices"
	"time"
)

// A lane sends and receives over a socket of each family of its own. It belongs to one goroutine, but for what its
// ports share with their conns.
type lane struct {
	sweep     *sweep
	number    int
	ports     [2]*port // nil: none, or none yet
	old       []*port  // on which something is in flight, and nothing is sent any more
	errs      [2]error
	templates [2][]byte
	wake      chan struct{} // of all inboxes
	ready     [2][]request

	addrs [chunkSize]netip.Addr // from the supply
	left  []netip.Addr          // those of them that have not got all their echoes
	echo  int                   // of the count for the first of these
	ended bool                  // the supply has

	flying []pending // by tag
	free   []int     // places in flying
	timer  *time.Timer
	turnAt time.Time // when what is ready may leave; zero: not reserved

	outcomes []outcome
	report   []swept
}

// A port is a conn that a lane takes part in.
type port struct {
	conn   *conn
	in     *inbox
	flying int
}

// A pending is one probe in flight.
type pending struct {
	addr netip.Addr
	seq  int
}

func newLane(s *sweep, number int) *lane {
	l := &lane{sweep: s, number: number, report: s.replies.Get().(*[chunkSize]swept)[:0], wake: make(chan struct{}, 1)}
	for i := range l.ports {
		l.ready[i] = make([]request, 0, batchSize)
		if l.templates[i], l.errs[i] = s.pinger.template(i == 1, s.config.size); l.errs[i] == nil {
			l.join(i)
		}
	}
	return l
}

// run sends to the addresses that it is given, until there are no more and all is settled.
func (l *lane) run() {
	defer l.leave()
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	for l.sweep.ctx.Err() == nil {
		l.move()
		l.fill()
		sent, room := l.send()
		l.collect()
		if len(l.report) >= chunkSize-batchSize {
			if !l.flush() {
				return
			}
			continue
		}
		if sent {
			continue
		}
		waiting := len(l.ready[0])+len(l.ready[1]) > 0
		if l.ended && !waiting && l.idle() {
			l.flush()
			return
		}
		if !l.flush() {
			return
		}
		l.wait(waiting, room)
	}
}

// join takes part in the family's present conn, which Reopen may exchange at any moment. If there is none it leaves the
// reason in l.errs.
func (l *lane) join(family int) {
	for {
		c, err := l.sweep.pinger.conn(family == 1, l.sweep.config.dontFragment, l.number)
		if l.errs[family] = err; err != nil {
			return
		}
		in := newInbox()
		in.wake = l.wake
		if c.register(in) {
			l.ports[family] = &port{conn: c, in: in}
			c.clearUp(c.now().mono)
			return
		}
	}
}

// move gives up conns that others have replaced, once what is in flight there is settled: what leaves next joins again.
func (l *lane) move() {
	for i, p := range l.ports {
		if p != nil && (p.conn.retired.Load() || p.conn.ended.Load()) {
			l.old = append(l.old, p)
			l.ports[i] = nil
		}
	}
	l.old = slices.DeleteFunc(l.old, func(p *port) bool {
		if p.flying == 0 {
			p.conn.release(p.in)
		}
		return p.flying == 0
	})
}

// leave takes part in no conn any more.
func (l *lane) leave() {
	l.giveBackTurns()
	for p := range l.joined {
		p.conn.release(p.in)
	}
}

// giveBackTurns frees the turns of what is ready, if it has any.
func (l *lane) giveBackTurns() {
	if n := len(l.ready[0]) + len(l.ready[1]); n > 0 && time.Until(l.turnAt) > 0 {
		l.sweep.pinger.limiter.giveBack(l.turnAt, n)
	}
	l.turnAt = time.Time{}
}

// joined is an iterator of all ports, the present ones and the old.
func (l *lane) joined(yield func(*port) bool) {
	for _, p := range l.ports {
		if p != nil && !yield(p) {
			return
		}
	}
	for _, p := range l.old {
		if !yield(p) {
			return
		}
	}
}

// idle reports whether nothing is ready or in flight.
func (l *lane) idle() bool { return len(l.free) == len(l.flying) }

// wait returns when there may be something to do.
func (l *lane) wait(waiting bool, room [2]<-chan struct{}) {
	var some <-chan struct{}
	var turn <-chan time.Time
	var ended [2]<-chan struct{}
	switch {
	case !waiting && !l.ended:
		some = l.sweep.supply.some
	case waiting && room[0] == nil && room[1] == nil: // for the turn, then
		l.timer.Reset(time.Until(l.turnAt))
		turn = l.timer.C
		for i, ready := range l.ready {
			if len(ready) > 0 && l.ports[i] != nil {
				ended[i] = l.ports[i].conn.done
			}
		}
	}
	for p := range l.joined {
		if p.flying > 0 || room != [2]<-chan struct{}{} {
			p.conn.listen()
		}
	}
	select {
	case <-some:
	case <-l.wake:
	case <-turn:
	case <-ended[0]:
		l.giveBackTurns()
	case <-ended[1]:
		l.giveBackTurns()
	case <-room[0]:
	case <-room[1]:
	case <-l.sweep.ctx.Done():
	}
	for p := range l.joined {
		p.conn.clearUp(p.conn.now().mono)
	}
}

// fill makes requests ready, of the addresses at hand: a batch, or as many as have their turn together.
func (l *lane) fill() {
	if !l.turnAt.IsZero() {
		return // no more than has a turn
	}
	limit := batchSize
	if r := l.sweep.pinger.limiter; r != nil {
		limit = min(limit, r.turns())
	}
	for len(l.ready[0])+len(l.ready[1]) < limit && len(l.report) < chunkSize-batchSize {
		if len(l.left) == 0 {
			var n int
			if n, l.ended = l.sweep.supply.take(l.addrs[:]); n == 0 {
				return
			}
			l.left = l.addrs[:n]
		}
		l.prepare(l.left[0])
		if l.echo++; l.echo == l.sweep.count {
			l.left, l.echo = l.left[1:], 0
		}
	}
}

// prepare makes one request ready, or reports what is wrong with the address.
func (l *lane) prepare(addr netip.Addr) {
	i := family(addr.Is6())
	err := l.sweep.pinger.checkFor(addr, l.sweep.config.network)
	if err == nil && l.ports[i] == nil && l.templates[i] != nil {
		l.join(i)
	}
	if err == nil {
		err = l.errs[i]
	}
	if err != nil {
		l.report = append(l.report, swept{addr, Reply{Seq: l.echo, Err: err}})
		return
	}
	if len(l.free) == 0 {
		l.free = append(l.free, len(l.flying))
		l.flying = append(l.flying, pending{})
	}
	tag := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.flying[tag] = pending{addr, l.echo}
	config := l.sweep.config
	l.ready[i] = append(l.ready[i], request{
		bulk:         true,
		dst:          l.sweep.pinger.numbered(addr),
		template:     l.templates[i],
		timeout:      config.timeout,
		tag:          int64(tag),
		ttl:          config.ttl,
		trafficClass: config.trafficClass,
		dontFragment: config.dontFragment,
		flow:         config.flow,
		flowLabel:    flowLabel(i == 1, config.flow),
	})
}

// send sends what is ready, as far as it has its turn and there is room for it. It reports whether it has got rid of
// some.
func (l *lane) send() (sent bool, room [2]<-chan struct{}) {
	for i, ready := range l.ready { // to be refused needs no turn
		if len(ready) > 0 && l.ports[i] == nil {
			l.join(i)
		}
		switch p := l.ports[i]; {
		case len(ready) == 0:
		case p == nil:
			l.refuse(i, ready, l.errs[i])
			sent = true
		case p.conn.ended.Load():
			l.refuse(i, ready, p.conn.cause())
			sent = true
		}
	}
	n := len(l.ready[0]) + len(l.ready[1])
	if n == 0 {
		l.turnAt = time.Time{}
		return sent, room
	}
	if l.sweep.pinger.limiter != nil {
		if l.turnAt.IsZero() {
			l.turnAt = l.sweep.pinger.limiter.reserve(time.Now(), n)
		}
		if time.Until(l.turnAt) > 0 {
			return sent, room
		}
	}
	for i, ready := range l.ready {
		if len(ready) == 0 {
			continue
		}
		p := l.ports[i]
		n, full, err := p.conn.tryLaunch(p.in, ready)
		p.flying += n
		if err != nil {
			l.refuse(i, ready[n:], err)
			sent = true
			continue
		}
		l.ready[i] = ready[:copy(ready, ready[n:])]
		room[i] = full
		sent = sent || n > 0
		if full != nil && p.conn.crowded.Load() {
			signal(l.sweep.full)
		}
		p.conn.glance(glanceBatches)
	}
	if len(l.ready[0])+len(l.ready[1]) == 0 {
		l.turnAt = time.Time{}
	}
	return sent, room
}

// refuse reports that what is ready of a family cannot be sent.
func (l *lane) refuse(family int, ready []request, err error) {
	for _, r := range ready {
		l.settle(&outcome{tag: r.tag, err: err})
	}
	l.ready[family] = l.ready[family][:0]
}

// collect takes what has been settled.
func (l *lane) collect() {
	for p := range l.joined {
		if p.flying == 0 {
			continue
		}
		l.outcomes = p.conn.collect(p.in, l.outcomes)
		p.flying -= len(l.outcomes)
		for i := range l.outcomes {
			if len(l.report) == chunkSize && !l.flush() {
				return
			}
			l.settle(&l.outcomes[i])
		}
	}
}

// settle reports one outcome.
func (l *lane) settle(o *outcome) {
	t := &l.flying[o.tag]
	l.free = append(l.free, int(o.tag))
	l.report = append(l.report, swept{t.addr, o.reply(t.addr)})
	l.report[len(l.report)-1].reply.Seq = t.seq
}

// flush hands the report over, if there is one. It reports false if the sweep has ended.
func (l *lane) flush() bool {
	if len(l.report) == 0 {
		return true
	}
	select {
	case l.sweep.results <- l.report:
		l.report = l.sweep.replies.Get().(*[chunkSize]swept)[:0]
		return true
	case <-l.sweep.ctx.Done():
		return false
	}
}
