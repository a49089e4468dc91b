package paths

import "slices"

// plan works out which probes are wanted, by what is known now.
func (s *search) plan() {
	if !s.changed {
		return
	}
	s.changed, s.uneven, s.wants = false, false, s.wants[:0]
	s.count()
	last := min(s.last(), len(s.levels)-1)
	for h := 1; h <= last; h++ {
		s.explore(h)
		s.again(h)
	}
	if len(s.wants) == 0 && s.inFlight == 0 && len(s.levels) > s.last() {
		s.cover(last)
	}
}

// count works out where flows end, and which nodes they met before.
func (s *search) count() {
	s.end = slices.Grow(s.end[:0], s.flows+1)[:s.flows+1]
	for f := range s.end {
		s.end[f] = never
	}
	farthest, passed := s.farthest(), false
	for h := len(s.levels) - 1; h > 0; h-- {
		l := s.levels[h]
		passed = passed || slices.ContainsFunc(l.hosts, func(n *node) bool { return n.refusal == nil })
		l.passed = passed
		l.tries = 1
		switch {
		case len(l.hosts) > 0 && l.none.flows < silentFlows:
			l.tries = tries
		case h < farthest || len(l.hosts) > 0:
			l.tries = triesOfSilent
		}
		for f := 1; f <= s.flows; f++ {
			if n := s.met(h, f); n != nil && n.ends() {
				s.end[f] = h
			}
		}
	}
	for h := 1; h < len(s.levels); h++ {
		l := s.levels[h]
		for _, n := range append(l.nodes, l.none) {
			n.flows = 0
		}
		l.nodes = l.nodes[:0]
		for f := 1; f <= s.flows; f++ {
			if n := s.met(h, f); n != nil && h <= s.end[f] {
				if n.flows == 0 {
					l.nodes = append(l.nodes, n)
				}
				n.flows++
			}
		}
	}
}

// explore asks for the probes to a distance by which the next hops of the nodes before it are found, by the rule.
func (s *search) explore(h int) {
	l, before := s.levels[h], s.levels[h-1]
	l.whole = before.whole
	for f := 1; f <= s.stops.after(1); f++ { // they are wanted, whatever is found
		s.ask(h, f)
	}
	if n := s.single(h - 1); n != nil {
		if !n.ends() {
			lacking := s.lacking(h, n)
			for f := 1; lacking > 0 && f <= maxFlows; f++ {
				lacking -= s.ask(h, f)
			}
		}
		return
	}
	seek, known := 0, 0 // flows that are missing at the distance before, and that are known there
	for _, n := range before.nodes {
		known += n.flows
	}
	for _, n := range before.nodes {
		if n.ends() {
			continue
		}
		lacking := s.lacking(h, n)
		for f := 1; lacking > 0 && f <= s.flows; f++ {
			if s.met(h-1, f) == n {
				lacking -= s.ask(h, f)
			}
		}
		switch {
		case lacking <= 0:
		case known > uneven*len(before.nodes)*n.flows:
			s.uneven = true
		default:
			seek = max(seek, lacking)
		}
	}
	for f := 1; f <= s.flows; f++ {
		if s.waiting(h-1, f) {
			seek--
		}
	}
	for f := 1; seek > 0 && f <= maxFlows; f++ {
		seek -= s.ask(h-1, f)
	}
}

// waiting reports whether a flow is being probed at a distance.
func (s *search) waiting(distance, flow int) bool {
	return s.cell(distance, flow).tries > 0 && s.met(distance, flow) == nil
}

// lacking is how many more flows through a node before the distance are to be probed there, beside those that are.
func (s *search) lacking(h int, n *node) int {
	all := n == s.single(h-1)
	probed, waiting := 0, 0
	var found []*node
	for f := 1; f <= s.flows; f++ {
		if s.end[f] < h || !all && s.met(h-1, f) != n {
			continue
		}
		if next := s.met(h, f); next != nil {
			probed++
			if !slices.Contains(found, next) {
				found = append(found, next)
			}
		} else if s.waiting(h, f) {
			waiting++
		}
	}
	need := s.stops.after(len(found))
	if probed < need {
		s.levels[h].whole = false
	}
	return need - probed - waiting
}

// ask asks for the first probe of a flow to a distance, and returns 1, or 0 if it has been sent, or is of no use
// because the flow ends before.
func (s *search) ask(h, flow int) int {
	if flow > s.flows {
		s.flows = flow
		s.end = append(s.end, never)
	}
	if s.end[flow] < h || s.cell(h, flow).tries > 0 {
		return 0
	}
	w := want{probe: probe{h, flow}}
	if !slices.Contains(s.wants, w) {
		s.wants = append(s.wants, w)
	}
	return 1
}

// again asks for the probes that were not answered once more, where that may be for chance, or for a router's limit.
func (s *search) again(h int) {
	for f := 1; f <= s.flows; f++ {
		if c := s.cell(h, f); s.waiting(h, f) && !c.inFlight && s.end[f] > h {
			s.wants = append(s.wants, want{probe{h, f}, c.last.Add(limitPause)})
		}
	}
}

// cover finds flows that together take all links, and asks for what is not known of them.
func (s *search) cover(last int) {
	s.routes = s.routes[:0]
	type link struct{ from, to *node }
	covered := map[link]bool{}
	walk := func(f int, each func(link) bool) (missing int) {
		from := s.levels[0].nodes[0]
		for h := 1; h <= min(last, s.end[f]); h++ {
			to := s.at(h, f)
			if to == nil {
				missing++
			} else if from != nil && !each(link{from, to}) {
				return missing
			}
			if from = to; to != nil && to.ends() {
				break
			}
		}
		return missing
	}
	missing := make([]int, s.flows+1)
	order := make([]int, 0, s.flows)
	for f := 1; f <= s.flows; f++ {
		missing[f] = walk(f, func(link) bool { return true })
		order = append(order, f)
	}
	slices.SortStableFunc(order, func(a, b int) int { return missing[a] - missing[b] })
	for _, f := range order {
		fresh := false
		walk(f, func(l link) bool {
			fresh = fresh || !covered[l]
			return !fresh
		})
		if !fresh {
			continue
		}
		walk(f, func(l link) bool {
			covered[l] = true
			return true
		})
		r := route{flow: f}
		for h := 1; h <= min(last, s.end[f]); h++ {
			n := s.at(h, f)
			if n == nil {
				s.ask(h, f)
				continue
			}
			if r.nodes = append(r.nodes, n); n.ends() {
				break
			}
		}
		s.routes = append(s.routes, r)
	}
}
