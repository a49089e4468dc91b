package paths

import (
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

const (
	// burst and rate are what a router of Linux sends of ICMP errors to one prober: so many at once, and then so many a
	// second (icmp_ratelimit, and XRLIM_BURST_FACTOR in net/ipv4/inetpeer.c).
	burst = 6
	rate  = 1
	// limitPause is how long after a probe that was not answered the next one of that flow to that distance leaves: the
	// second after which a limit lets one more pass, and a little more, for it counts in ticks.
	limitPause = 1100 * time.Millisecond
	// tries is how many of them are sent at most, where others to that distance were answered, and triesOfSilent where
	// none were, but some to farther ones, or so many flows were not that there is a silent router for certain.
	tries         = 5
	triesOfSilent = 2
	silentFlows   = 2
	// triesOfRefused is how many are sent at most where a router refused one, and others got as far: what is refused in
	// passing, such as while a route changes, ends no path.
	triesOfRefused = 3
	// gap is how many distances beyond the farthest that answers are tried where the target does not.
	gap = 8
	// uneven is how many times less than an even share of the flows a router may have, for its next hops to be looked for.
	uneven   = 16
	maxFlows = 1<<16 - 1
	never    = 1 << 30 // a distance
)

// A search is what Enumerate knows, and what it sends. It is told the time.
type search struct {
	maxHops int
	stops   stops

	levels   []*level // by distance; 0 is this host
	flows    int      // that have a number
	probes   int
	inFlight int
	opened   time.Time // when the last level was opened
	changed  bool      // since wants was worked out
	wants    []want
	end      []int // by flow: the distance where it ends, never if that is not known
	routes   []route
	uneven   bool  // some router was given up
	err      error // a probe could not be sent
}

// A level is a distance.
type level struct {
	cells  []cell // by flow
	hosts  []*node
	none   *node     // silence
	nodes  []*node   // those of hosts and none that flows met which had not ended before
	whole  bool      // its nodes are all there are, as far as the rule says
	passed bool      // somebody answered there or farther away, other than by a refusal
	tries  int       // after so many probes of a flow it is silent
	errors int       // ICMP errors that routers have sent, or may send for what is in flight
	first  time.Time // when the first probe left
}

// A cell is a flow at a distance.
type cell struct {
	node     *node // who answered; nil: nobody has
	refusal  *node // who refused one of the probes; nil: nobody has
	tries    int
	inFlight bool
	last     time.Time // when a probe left
}

// A node is who answers at a distance. An invalid addr is silence.
type node struct {
	distance int
	addr     netip.Addr
	target   bool
	refusal  *ping.ICMPError
	labels   []ping.MPLSLabel
	nat      bool
	quoted   netip.Addr
	rtt      time.Duration // the least
	flows    int
}

// ends reports whether flows go no farther.
func (n *node) ends() bool { return n.target || n.refusal != nil }

func (n *node) silent() bool { return !n.addr.IsValid() }

// A want is a probe to send, not before a time.
type want struct {
	probe
	at time.Time
}

// A route is the nodes that a flow meets.
type route struct {
	flow  int
	nodes []*node
}

func newSearch(c *config) *search {
	return &search{
		maxHops: c.maxHops, stops: stops{bound: c.miss}, changed: true, end: []int{0},
		levels: []*level{{nodes: []*node{{}}, whole: true}}, // this host
	}
}

// cell is a flow at a distance.
func (s *search) cell(distance, flow int) *cell {
	l := s.levels[distance]
	for len(l.cells) <= flow {
		l.cells = append(l.cells, cell{})
	}
	return &l.cells[flow]
}

// single is the node that all flows meet at a distance; nil if there are several, or may be.
func (s *search) single(distance int) *node {
	if l := s.levels[distance]; l.whole && len(l.nodes) == 1 {
		return l.nodes[0]
	}
	return nil
}

// met is the node that a flow is known to have met at a distance; nil: unknown.
func (s *search) met(distance, flow int) *node {
	l, c := s.levels[distance], s.cell(distance, flow)
	switch {
	case c.node != nil || c.inFlight || c.tries == 0:
		return c.node
	case c.refusal != nil:
		if c.tries >= triesOfRefused || !l.passed && !tooBig(c.refusal.refusal) {
			return c.refusal
		}
	case c.tries >= l.tries:
		return l.none
	}
	return nil
}

// at is the node that a flow meets at a distance, with its own probes or because all do; nil: unknown.
func (s *search) at(distance, flow int) *node {
	if n := s.single(distance); n != nil {
		return n
	}
	return s.met(distance, flow)
}

// next implements planner.
func (s *search) next(now time.Time) (p probe, at time.Time, ok bool) {
	s.plan()
	for _, w := range s.wants {
		if t := later(w.at, s.levels[w.distance].free()); !ok || t.Before(at) {
			p, at, ok = w.probe, t, true
		}
	}
	if n := len(s.levels); n <= s.last() && (!ok || at.After(now)) {
		opening := now
		if n > s.farthest()+ahead {
			opening = s.opened.Add(stride)
		}
		switch {
		case !opening.After(now):
			none := &node{distance: n}
			s.levels, s.opened, s.changed = append(s.levels, &level{none: none}), now, true
			return s.next(now)
		case !ok || opening.Before(at):
			p, at, ok = probe{}, opening, true
		}
	}
	return p, later(at, now), ok
}

// free is when the routers at the distance may be asked once more.
func (l *level) free() time.Time {
	routers := 0
	for _, n := range l.nodes {
		if !n.target && !n.silent() {
			routers++
		}
	}
	routers = max(routers, 1)
	over := l.errors - burst*routers
	if over < 0 {
		return time.Time{}
	}
	return l.first.Add(time.Duration(over+1) * time.Second / time.Duration(rate*routers))
}

// sent implements planner.
func (s *search) sent(p probe, now time.Time) {
	l, c := s.levels[p.distance], s.cell(p.distance, p.flow)
	if l.first.IsZero() {
		l.first = now
	}
	l.errors++
	c.tries++
	c.inFlight, c.last = true, now
	s.inFlight++
	s.probes++
	s.changed = true
}

// settled implements planner.
func (s *search) settled(r result) {
	s.inFlight--
	s.changed = true
	c := s.cell(r.distance, r.flow)
	c.inFlight = false
	switch err := unsent(r.reply); {
	case err == nil:
	case c.refusal != nil: // for it was too big, and may not leave in fragments
		c.tries = triesOfRefused
	default:
		s.err = err
	}
	from, refusal := judge(r.reply)
	if refusal != nil {
		from = refusal.From
	}
	l, target := s.levels[r.distance], r.reply.Err == nil
	if target || !from.IsValid() {
		l.errors-- // of which there was none
	}
	if !from.IsValid() {
		return
	}
	i := slices.IndexFunc(l.hosts, func(n *node) bool {
		return n.addr == from && n.target == target && (n.refusal == nil) == (refusal == nil)
	})
	if i < 0 {
		i = len(l.hosts)
		l.hosts = append(l.hosts, &node{
			distance: r.distance, addr: from, target: target, refusal: refusal, rtt: r.reply.RTT,
		})
	}
	n := l.hosts[i]
	n.rtt = min(n.rtt, r.reply.RTT)
	if e := icmpError(r.reply); e != nil {
		n.labels, n.nat, n.quoted = e.MPLS, e.NAT, e.Quoted
	}
	if refusal != nil {
		c.refusal = n
	} else {
		c.node = n
	}
}

// take implements planner.
func (s *search) take(time.Time) bool {
	s.plan()
	return s.err == nil && (s.inFlight > 0 || len(s.wants) > 0 || len(s.levels) <= s.last())
}

// farthest is the last distance at which somebody answered.
func (s *search) farthest() int {
	for h := len(s.levels) - 1; h > 0; h-- {
		if len(s.levels[h].hosts) > 0 {
			return h
		}
	}
	return 0
}

// last is the last distance that matters, as far as is known.
func (s *search) last() int {
	ended, passed := 0, 0 // the farthest where a flow ends, and where one goes on
	for h, l := range s.levels[1:] {
		for _, n := range l.nodes {
			switch {
			case n.ends():
				ended = h + 1
			case !n.silent():
				passed = h + 1
			}
		}
	}
	if ended == 0 {
		return min(passed+gap, s.maxHops)
	}
	return min(max(ended, passed+1), s.maxHops)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
