package ping

import (
	"net/netip"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
)

// A lane sends and receives for a Sweep, over a socket of each family of its own. It belongs to one goroutine.
type lane struct {
	sweep   *sweep
	number  int
	wake    chan struct{} // of both calls
	calls   [2]*engine.Call
	sources [2]laneSource
	list    []swept // to report
}

// laneBatch is how many echo requests leave together at most.
const laneBatch = 8

func newLane(s *sweep, number int) *lane {
	l := &lane{sweep: s, number: number, wake: make(chan struct{}, 1), list: s.chunk()}
	for i := range l.calls {
		l.sources[i] = laneSource{supply: &s.supplies[i], shape: s.shapes[i], count: s.count}
		l.calls[i] = engine.NewCall(engine.Options{
			Epoch:   s.pinger.epoch,
			Batch:   laneBatch,
			Lasts:   true,
			Crowded: func() { s.start(maxLanes) },
			Wake:    l.wake,
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
	p, dontFragment := l.sweep.pinger, l.sweep.config.dontFragment
	if l.number > 0 {
		if c, err := p.conn(v6, dontFragment, l.number); err == nil {
			return c, nil
		}
	}
	return p.conn(v6, dontFragment, 0)
}

// deliver reports results of the family i, and the list before the lane waits.
func (l *lane) deliver(i int, results []flight.Result) bool {
	for k := range results {
		r := &results[k]
		probe := l.sources[i].settled(r.Tag)
		reply := newReply(r, probe.addr)
		reply.Seq = probe.seq
		l.list = append(l.list, swept{probe.addr, reply})
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
	supply *supply
	shape  *flight.Shape
	count  int // echoes to each address

	room  [chunkSize]target
	left  []target // from the supply, that have not got all their echoes
	echo  int      // of the count for the first of these
	ended bool     // the supply has

	inFlight []laneProbe // by tag
	free     []int64     // tags that are not in use
}

// A laneProbe is one probe in flight.
type laneProbe struct {
	addr netip.Addr
	seq  int
}

// Next implements engine.Source.
func (s *laneSource) Next(now int64, p *flight.Probe) (at int64, ok bool) {
	if len(s.left) == 0 {
		var n int
		if n, s.ended = s.supply.take(s.room[:]); n == 0 {
			return 0, false
		}
		s.left = s.room[:n]
	}
	if len(s.free) == 0 {
		s.free = append(s.free, int64(len(s.inFlight)))
		s.inFlight = append(s.inFlight, laneProbe{})
	}
	p.Dst, p.Tag, p.Shape = s.left[0].dst, s.free[len(s.free)-1], s.shape
	return now, true
}

// Sent implements engine.Source.
func (s *laneSource) Sent(int64) {
	last := len(s.free) - 1
	s.inFlight[s.free[last]] = laneProbe{s.left[0].addr, s.echo}
	s.free = s.free[:last]
	if s.echo++; s.echo == s.count {
		s.left, s.echo = s.left[1:], 0
	}
}

// Done implements engine.Source.
func (s *laneSource) Done() bool {
	return s.ended && len(s.left) == 0 && len(s.free) == len(s.inFlight)
}

// settled gives the tag free, and returns whose it was.
func (s *laneSource) settled(tag int64) laneProbe {
	s.free = append(s.free, tag)
	return s.inFlight[tag]
}
