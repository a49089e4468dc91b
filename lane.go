package ping

import (
	"net/netip"
	"time"
)

// A lane sends and receives over a socket of each family of its own.
type lane struct {
	sweep     *sweep
	number    int
	conns     [2]*conn
	errs      [2]error
	templates [2][]byte
	in        [2]*inbox     // nil while there is no conn
	wake      chan struct{} // of both
	ready     [2][]request

	job   []netip.Addr // addresses from the chunk
	next  int          // index in job
	echo  int          // of the count for that address
	ended bool         // no more jobs

	flying []pending // by tag
	free   []int     // places in flying
	timer  *time.Timer
	turnAt time.Time // when what is ready may leave; zero: not reserved

	outcomes []outcome
	report   []swept
}

// A pending is one probe in flight.
type pending struct {
	addr netip.Addr
	seq  int
}

func newLane(s *sweep, number int) *lane {
	l := &lane{sweep: s, number: number, report: s.replies.Get().(*[chunkSize]swept)[:0], wake: make(chan struct{}, 1)}
	for i := range l.conns {
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
		if l.retired() && l.idle() {
			l.leave() // the next address joins
		}
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

// join takes part in the family's present socket, which Reopen may exchange at any moment. If there is none it leaves
// the reason in l.errs.
func (l *lane) join(family int) {
	for {
		c, err := l.sweep.pinger.conn(family == 1, l.sweep.config.dontFragment, l.number)
		if err != nil && l.report != nil && l.number > 0 { // better a socket that is shared than none
			c, err = l.sweep.pinger.conn(family == 1, l.sweep.config.dontFragment, 0)
		}
		l.conns[family], l.errs[family] = c, err
		if err != nil {
			return
		}
		in := newInbox()
		in.wake = l.wake
		if c.register(in) {
			l.in[family] = in
			return
		}
	}
}

// leave takes part in them no more.
func (l *lane) leave() {
	if n := len(l.ready[0]) + len(l.ready[1]); n > 0 && time.Until(l.turnAt) > 0 {
		l.sweep.pinger.limiter.giveBack(l.turnAt, n)
	}
	for i, in := range l.in {
		if in != nil {
			l.conns[i].release(in)
			l.in[i] = nil
		}
	}
	l.turnAt = time.Time{}
}

// retired reports whether there are other sockets to use instead, once all that is in flight is settled.
func (l *lane) retired() bool {
	for i, in := range l.in {
		if in != nil && l.conns[i].retired.Load() {
			return true
		}
	}
	return false
}

// idle reports whether nothing is ready or in flight.
func (l *lane) idle() bool { return len(l.free) == len(l.flying) }

// wait returns when there may be something to do.
func (l *lane) wait(waiting bool, room [2]<-chan struct{}) {
	var jobs <-chan []netip.Addr
	var turn <-chan time.Time
	var ended [2]<-chan struct{}
	switch {
	case !waiting && !l.ended && !l.retired():
		jobs = l.sweep.jobs
	case !waiting && l.idle():
		return // to move
	case waiting && room[0] == nil && room[1] == nil: // for the turn, then
		l.timer.Reset(time.Until(l.turnAt))
		turn = l.timer.C
		for i, ready := range l.ready {
			if len(ready) > 0 {
				ended[i] = l.conns[i].done
			}
		}
	}
	for i, in := range l.in {
		if in != nil {
			l.conns[i].listen()
		}
	}
	select {
	case job, ok := <-jobs:
		l.take(job, ok)
	case <-l.wake:
	case <-turn:
	case <-ended[0]:
		l.turnAt = time.Now() // to be refused needs no turn
	case <-ended[1]:
		l.turnAt = time.Now()
	case <-room[0]:
	case <-room[1]:
	case <-l.sweep.ctx.Done():
	}
}

func (l *lane) take(job []netip.Addr, ok bool) {
	l.job, l.next, l.echo, l.ended = job, 0, 0, !ok
}

// fill makes requests ready, of the addresses at hand: a batch, or as many as have their turn together.
func (l *lane) fill() {
	if !l.turnAt.IsZero() || l.retired() {
		return // no more than has a turn, or than the old sockets have
	}
	limit := batchSize
	if r := l.sweep.pinger.limiter; r != nil {
		limit = min(limit, r.turns())
	}
	for len(l.ready[0])+len(l.ready[1]) < limit && len(l.report) < chunkSize-batchSize {
		if l.next == len(l.job) {
			if l.job != nil {
				l.sweep.chunks.Put((*[chunkSize]netip.Addr)(l.job[:chunkSize]))
				l.job, l.next = nil, 0
			}
			if l.ended {
				return
			}
			select {
			case job, ok := <-l.sweep.jobs:
				l.take(job, ok)
				continue
			default:
				return
			}
		}
		l.prepare(l.job[l.next])
		if l.echo++; l.echo == l.sweep.count {
			l.next, l.echo = l.next+1, 0
		}
	}
}

// prepare makes one request ready, or reports what is wrong with the address.
func (l *lane) prepare(addr netip.Addr) {
	i := family(addr.Is6())
	err := l.sweep.pinger.checkFor(addr, l.sweep.config.network)
	if err == nil && l.in[i] == nil && l.templates[i] != nil {
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

// send sends what is ready, as far as it has its turn and there is room for it.
func (l *lane) send() (sent bool, room [2]<-chan struct{}) {
	n := len(l.ready[0]) + len(l.ready[1])
	if n == 0 {
		return false, room
	}
	if l.sweep.pinger.limiter != nil {
		if l.turnAt.IsZero() {
			l.turnAt = l.sweep.pinger.limiter.reserve(time.Now(), n)
		}
		if time.Until(l.turnAt) > 0 {
			return false, room
		}
	}
	for i, ready := range l.ready {
		if len(ready) == 0 {
			continue
		}
		n, full, err := l.conns[i].tryLaunch(l.in[i], ready)
		if err != nil {
			for _, r := range ready[n:] {
				l.settle(outcome{tag: r.tag, err: err})
			}
			n = len(ready)
		}
		l.ready[i] = ready[:copy(ready, ready[n:])]
		room[i] = full
		sent = sent || n > 0
		if full != nil && l.conns[i].crowded.Load() {
			select {
			case l.sweep.full <- struct{}{}:
			default:
			}
		}
		l.conns[i].glance()
	}
	if len(l.ready[0])+len(l.ready[1]) == 0 {
		l.turnAt = time.Time{}
	}
	return sent, room
}

// collect takes what has been settled.
func (l *lane) collect() {
	for i, in := range l.in {
		if in == nil {
			continue
		}
		l.outcomes = l.conns[i].collect(in, l.outcomes[:0])
		for j := range l.outcomes {
			if len(l.report) == chunkSize && !l.flush() {
				return
			}
			l.settle(l.outcomes[j])
		}
	}
}

// settle reports one outcome.
func (l *lane) settle(o outcome) {
	t := l.flying[o.tag]
	l.free = append(l.free, int(o.tag))
	r := o.reply(t.addr)
	r.Seq = t.seq
	l.report = append(l.report, swept{t.addr, r})
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
