package ping

import (
	"net/netip"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/pool"
)

// A lane sends and receives for a Sweep, over a socket of each family of its own. It belongs to one goroutine.
type lane struct {
	sweep   *sweep
	number  int
	calls   [2]*engine.Call // by family; they are woken together
	sources [2]laneSource
	list    []swept // to report
}

func newLane(s *sweep, number int) *lane {
	l := &lane{sweep: s, number: number, list: s.chunk()}
	wake := make(chan struct{}, 1)
	for i := range l.calls {
		f := &s.families[i]
		backlog := s.pinger.neighbours.backlog(pool.Key{V6: i == 1, DontFragment: s.config.dontFragment, Lane: number})
		l.sources[i] = laneSource{
			Sweep:  plan.NewSweep(s.count, s.config.interval, f.places, backlog, f.backlog),
			family: f,
		}
		l.calls[i] = engine.NewCall(engine.Options{
			Epoch:   s.pinger.epoch,
			Batch:   engine.BatchSize,
			Lasts:   true,
			Crowded: func() { s.start(maxLanes) },
			Wake:    wake,
		})
	}
	return l
}

// run sends to the addresses that it is given, until there are no more and all is settled.
func (l *lane) run() {
	for i, c := range l.calls {
		defer c.End()
		c.Start(&l.sources[i], func() (*engine.Conn, error) { return l.conn(i == 1) })
	}
	if engine.Run(l.sweep.ctx, l.deliver, l.calls[:]...) == nil {
		l.flush()
	}
}

// conn is the lane's own Conn of a family, or where that cannot be had the first lane's.
func (l *lane) conn(v6 bool) (*engine.Conn, error) {
	sockets, k := l.sweep.pinger.sockets, pool.Key{V6: v6, DontFragment: l.sweep.config.dontFragment, Lane: l.number}
	c, err := sockets.Conn(k)
	if err != nil && k.Lane > 0 {
		k.Lane = 0
		return sockets.Conn(k)
	}
	return c, err
}

// deliver reports results of the family i, and the list before the lane waits.
func (l *lane) deliver(i int, results []flight.Result) bool {
	for k := range results {
		r := &results[k]
		n := len(l.list)
		l.list = l.list[:n+1] // filled in where it is: a copy of a Reply costs as much as all else here
		s := &l.list[n]
		var seq int
		s.addr, seq = l.sources[i].Settled(r.Tag, r.Kind == flight.Answered)
		s.reply = newReply(r, s.addr)
		s.reply.Seq = seq
		if len(l.list) == chunkSize && !l.flush() {
			return false
		}
	}
	return len(results) > 0 || l.flush()
}

// flush hands the list over, if there is anything in it. It reports false if the sweep has ended.
func (l *lane) flush() bool {
	if len(l.list) == 0 {
		return true
	}
	ok := l.sweep.report(l.list)
	l.list = l.sweep.chunk()
	return ok
}

// A laneSource is the engine.Source of the addresses of one family.
type laneSource struct {
	plan.Sweep[netip.Addr]
	family    *sweepFamily
	far, near []netip.Addr // taken from the supply, and not added to the plan yet
	farRoom   [chunkSize]netip.Addr
	nearRoom  [engine.BatchSize]netip.Addr
	ended     bool // the supply has
}

// Next implements engine.Source.
func (s *laneSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	tag, at, ok := s.Sweep.Next(now)
	for (!ok || at > now) && s.Room() && s.add() {
		tag, at, ok = s.Sweep.Next(now)
	}
	if !ok {
		return 0, false
	}
	addr, near := s.Target(tag)
	p.Dst, p.Tag, p.Shape = addr, tag, s.family.far
	if near {
		p.Shape = s.family.near
	}
	return at, true
}

// add adds a target to the plan, if there is one: a neighbour only where none waits for a place already.
func (s *laneSource) add() bool {
	s.refill()
	switch {
	case len(s.near) > 0 && !s.Parked():
		s.Add(s.near[0], true)
		s.near = s.near[1:]
	case len(s.far) > 0:
		s.Add(s.far[0], false)
		s.far = s.far[1:]
	default:
		return false
	}
	return true
}

// refill takes what there is from the supply. It leaves neighbours to lanes that may have a place for them.
func (s *laneSource) refill() {
	if len(s.far) > 0 {
		return
	}
	var near []netip.Addr
	if len(s.near) == 0 && !s.Parked() {
		near = s.nearRoom[:]
	}
	nFar, nNear, ended := s.family.supply.take(s.farRoom[:], near)
	s.far, s.ended = s.farRoom[:nFar], ended
	if nNear > 0 {
		s.near = near[:nNear]
	}
}

// Done implements engine.Source.
func (s *laneSource) Done() bool {
	return s.ended && len(s.far)+len(s.near) == 0 && s.Sweep.Done()
}
