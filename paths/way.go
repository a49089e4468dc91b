package paths

import (
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

const (
	// ahead is how many distances beyond the farthest that has answered are tried at once in the first round, and stride
	// how long after one distance the next is tried without that. So it is in a Trace.
	ahead  = 4
	stride = 30 * time.Millisecond
	// unknown is how many distances beyond the farthest that has answered are tried in later rounds, where the target
	// has not; mtr(8) has the same default (max-unknown).
	unknown = 12
	// sure is how many answers in a row are to differ from what was, and sureOfMany where a distance goes to and fro. It
	// is said to if it has come back three times or more, each of which counts for wobble answers, and no more than four.
	sure       = 3
	sureOfMany = 32
	wobble     = 256
	toAndFro   = 2 * wobble
	// patience is how many rounds a change waits for the distances that have not answered often enough.
	patience = 8
	// maxRouters is how many are kept for each distance.
	maxRouters = 8
)

// A way is what a Watch knows, and what it sends. It is told the time.
type way struct {
	target   netip.Addr
	interval time.Duration
	rounds   int // 0: without end
	maxHops  int

	round    int       // that is being sent, from 0
	began    time.Time // when it began; zero: not yet
	latest   time.Time // when its last probe left
	probed   int       // the last distance to which one has left in it
	inFlight int
	farthest int // that has answered
	hops     []hop
	known    []Step // the way as the caller knows it
	since    int    // the round in which a change was sure; -1: none is
	done     bool
}

// A hop is a distance that probes are sent to.
type hop struct {
	routers []Router // the latest first, and never empty
	refusal *ping.ICMPError
	unsent  error
	refuser netip.Addr // who refused the last probe that was settled; invalid: nobody did
	seen    Step       // of the last answer
	heard   time.Time  // when that came
	unlike  int        // answers in a row that are not as known
	since   time.Time  // when the first of them came
	wobbles int        // how often answers came back to what is known
}

func newWay(target netip.Addr, c *config) *way {
	return &way{target: target, interval: c.interval, rounds: c.rounds, maxHops: c.maxHops, since: -1}
}

// length is the distance of the target, by the latest answers; 0: unknown.
func (w *way) length() int {
	return 1 + slices.IndexFunc(w.hops, func(h hop) bool { return h.seen.Target })
}

// last is the last distance to probe. It is no farther than one beyond all answers where probes are refused now.
func (w *way) last() int {
	if n := w.length(); n > 0 {
		return n
	}
	last := w.maxHops
	if w.round > 0 {
		last = min(w.farthest+unknown, last)
	}
	for d := w.farthest + 1; d <= min(last, len(w.hops)); d++ {
		if w.hops[d-1].refuser.IsValid() {
			return d
		}
	}
	return last
}

// following is the distance to probe after those that have been in this round; more than last: none.
func (w *way) following(last int) int {
	d := w.probed + 1
	for d <= last && w.spared(d, last) {
		d++
	}
	return d
}

// spared reports whether a distance has no turn in this round. Where a router refuses probes, their distances and its
// own have one by turns, so that it is not asked more than once a round.
func (w *way) spared(distance, last int) bool {
	if distance > len(w.hops) {
		return false
	}
	asked := w.hops[distance-1].asked()
	turns, turn, refuses := 0, 0, false
	for i := range w.hops[:min(last, len(w.hops))] {
		if h := &w.hops[i]; h.asked() == asked {
			if i == distance-1 {
				turn = turns
			}
			turns++
			refuses = refuses || h.refuser.IsValid()
		}
	}
	return refuses && w.round%turns != turn
}

// asked is which router a probe to the distance has to send an ICMP error, by the last ones; invalid: it is not known.
func (h *hop) asked() netip.Addr {
	switch {
	case h.refuser.IsValid():
		return h.refuser
	case h.seen.Target:
		return netip.Addr{}
	}
	return h.seen.From
}

// next implements planner.
func (w *way) next(now time.Time) (p probe, at time.Time, ok bool) {
	if w.began.IsZero() {
		w.began = now
	}
	last := w.last()
	p.distance = w.following(last)
	switch {
	case p.distance > last && w.final():
		return probe{}, time.Time{}, false // until nothing is in flight
	case p.distance > last:
		return probe{}, w.began.Add(w.interval), true
	case w.round > 0:
		return p, w.began.Add(w.interval / time.Duration(last) * time.Duration(p.distance-1)), true
	case p.distance <= w.farthest+ahead:
		return p, now, true
	}
	return p, w.latest.Add(stride), true
}

// sent implements planner.
func (w *way) sent(p probe, now time.Time) {
	w.probed, w.latest = p.distance, now
	w.inFlight++
	if p.distance > len(w.hops) {
		w.hops = append(w.hops, hop{routers: make([]Router, 1)})
	}
}

// settled implements planner.
func (w *way) settled(r result) {
	w.inFlight--
	if n := w.length(); r.distance > len(w.hops) || n > 0 && r.distance > n {
		return // the target is nearer than was thought
	}
	h := &w.hops[r.distance-1]
	h.unsent = unsent(r.reply)
	from, refusal := judge(r.reply)
	if !from.IsValid() {
		h.routers[0].Statistics.Add(r.reply)
		h.refuser = netip.Addr{}
		if refusal != nil {
			h.refusal, h.refuser = refusal, refusal.From
		}
		return
	}
	if h.refuser.IsValid() { // and lets probes pass again
		for i, refuser := 0, h.refuser; i < len(w.hops); i++ {
			if w.hops[i].refuser == refuser {
				w.hops[i].refuser = netip.Addr{}
			}
		}
	}
	w.farthest = max(w.farthest, r.distance)
	h.answered(r.reply, from)
	for len(w.known) < r.distance {
		w.known = append(w.known, Step{})
	}
	switch known := &w.known[r.distance-1]; {
	case *known == h.seen:
		h.wobbles = max(h.wobbles-1, 0)
		if h.unlike > 0 {
			h.wobbles = min(h.wobbles+wobble, 2*toAndFro)
		}
		h.unlike = 0
	case *known == Step{}:
		*known, h.unlike = h.seen, 0
	default:
		if h.unlike == 0 {
			h.since = h.heard
		}
		h.unlike++
	}
}

// answered takes note of who answered.
func (h *hop) answered(r ping.Reply, from netip.Addr) {
	target := r.Err == nil
	h.seen, h.heard, h.refusal = Step{From: from, TTL: r.TTL, Target: target}, r.Received, nil
	i := slices.IndexFunc(h.routers, func(o Router) bool { return o.Addr == from && o.Target == target })
	switch {
	case i > 0:
		is := h.routers[i]
		h.routers = slices.Insert(slices.Delete(h.routers, i, i+1), 0, is)
		h.routers[0].Since = r.Received
	case i < 0:
		if h.routers[0].Addr.IsValid() {
			h.routers = slices.Insert(h.routers, 0, Router{})
			h.routers = h.routers[:min(len(h.routers), maxRouters)]
		}
		is := &h.routers[0]
		is.Addr, is.Target, is.Since = from, target, r.Received
		is.Statistics.Target = from
	}
	is := &h.routers[0]
	is.TTL, is.RTT, is.Last = r.TTL, r.RTT, r.Received
	is.Labels, is.NAT, is.Quoted = nil, false, netip.Addr{}
	if e := icmpError(r); e != nil {
		is.Labels, is.NAT, is.Quoted = e.MPLS, e.NAT, e.Quoted
	}
	r.Err = nil
	is.Statistics.Add(r)
}

// final reports whether the round is the last one.
func (w *way) final() bool { return w.rounds > 0 && w.round == w.rounds-1 }

// roundOver reports whether all there is to tell of the round is known.
func (w *way) roundOver(now time.Time) bool {
	switch last := w.last(); {
	case w.began.IsZero() || w.following(last) <= last:
		return false
	case w.inFlight == 0:
		return true
	}
	return !w.final() && now.Sub(w.began) >= w.interval
}

// stand is how the way stands.
func (w *way) stand(now time.Time, change *Change) Round {
	n := w.length()
	r := Round{Number: w.round, Time: now, Target: w.target, Reached: n > 0, Change: change}
	if !r.Reached {
		beyond := slices.IndexFunc(w.hops[w.farthest:], func(h hop) bool { return h.refusal != nil })
		n = min(w.farthest+1+max(beyond, 0), len(w.hops))
	}
	for i := range w.hops[:n] {
		h := &w.hops[i]
		routers := slices.Clone(h.routers)
		for k := range routers {
			routers[k].Labels = slices.Clone(routers[k].Labels)
		}
		r.Hops = append(r.Hops, Hop{Distance: i + 1, Routers: routers, Refusal: h.refusal, Unsent: h.unsent})
	}
	return r
}

// turn ends the round, and begins the next.
func (w *way) turn(now time.Time) Round {
	change := w.judge()
	if n := w.length(); n > 0 && !slices.ContainsFunc(w.hops[:n], func(h hop) bool { return h.unlike > 0 }) {
		w.hops, w.known, w.farthest = w.hops[:n], toTarget(w.known), n
	}
	r := w.stand(now, change)
	w.done = w.final()
	w.round++
	w.probed = 0
	if w.began = w.began.Add(w.interval); now.Sub(w.began) >= w.interval {
		w.began = now // what was missed is not made up for
	}
	return r
}

// wavers reports whether a distance goes to and fro, so that what it answers now is no change.
func (h *hop) wavers() bool { return h.wobbles > toAndFro && h.unlike < sureOfMany }

// judge returns how the way has changed, if it has and if all of the change is known.
func (w *way) judge() *Change {
	hops := w.hops[:min(w.last(), len(w.known))]
	var suspect time.Time // when the first answer came that is not as known
	sureOf := false
	for i := range hops {
		if h := &hops[i]; h.unlike > 0 && !h.wavers() {
			if suspect.IsZero() || h.since.Before(suspect) {
				suspect = h.since
			}
			sureOf = sureOf || h.unlike >= sure
		}
	}
	if !sureOf {
		w.since = -1
		return nil
	}
	if w.since < 0 {
		w.since = w.round
	}
	open := func(i int) bool { // whether a distance has not answered often enough
		h := &hops[i]
		return stepAt(w.known, i) != Step{} &&
			(h.unlike > 0 && h.unlike < sure && !h.wavers() || h.heard.Before(suspect))
	}
	for i := range hops {
		if open(i) && w.round < w.since+patience {
			return nil
		}
	}
	before := slices.Clone(w.known)
	w.accept(hops, suspect)
	c := newChange(suspect, toTarget(before), slices.Clone(w.known))
	w.since = -1
	if c.Kind == 0 {
		return nil
	}
	return &c
}

// accept takes the latest answers of those distances that do not waver for the way.
func (w *way) accept(hops []hop, suspect time.Time) {
	heard := 0 // the last distance that has answered since the change began
	for i := range hops {
		if !hops[i].heard.Before(suspect) {
			heard = i
		}
	}
	for i := range hops {
		switch h := &hops[i]; {
		case h.unlike > 0 && !h.wavers():
			w.known[i] = h.seen
			h.unlike = 0
		case i < heard && h.heard.Before(suspect):
			w.known[i] = Step{} // a silent router
		}
	}
	w.known = toTarget(w.known)
}

// toTarget is a way without what comes after the target.
func toTarget(steps []Step) []Step {
	if i := slices.IndexFunc(steps, func(s Step) bool { return s.Target }); i >= 0 {
		return steps[:i+1]
	}
	return steps
}
