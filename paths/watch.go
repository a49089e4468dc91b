package paths

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/icmpsock/ping"
)

// A Round is how a way stands after a round of a [Watch]. It belongs to the caller.
type Round struct {
	Number int        `json:"round"` // from 0
	Time   time.Time  `json:"time"`
	Target netip.Addr `json:"target"`
	// Reached says that the last of the Hops is the target's.
	Reached bool `json:"reached"`
	// Hops are the distances from 1 to that of the target; where it is not Reached, to the first one beyond the farthest
	// router that has answered, or if probes are refused there, to the first with a Refusal.
	Hops []Hop `json:"hops"`
	// Change is how the way changed; nil: it did not.
	Change *Change `json:"change,omitempty"`
}

// A Hop is one distance of a way.
type Hop struct {
	Distance int `json:"distance"`
	// Routers are those that answered here, the latest first, and no more than 8. There is always one, whose Addr is
	// invalid while nobody has answered.
	Routers []Router `json:"routers"`
	// Refusal is how a probe to here was refused on the way, such as "destination host unreachable"; nil where one has
	// been answered since.
	Refusal *ping.ICMPError `json:"refusal,omitempty"`
	// Unsent is why the latest probe to here could not be sent, such as that there is no route; nil: it was.
	Unsent error `json:"-"`
}

// A Router is who answered at one distance: a router, or the target itself.
type Router struct {
	Addr   netip.Addr       `json:"addr,omitzero"`
	Target bool             `json:"target,omitempty"` // it is the target: an echo reply came
	TTL    int              `json:"ttl,omitempty"`    // with which its last answer arrived; 0: unknown
	Labels []ping.MPLSLabel `json:"mpls,omitempty"`   // of its last answer (RFC 4950)
	NAT    bool             `json:"nat,omitempty"`    // of that, as in a ping.ICMPError
	Quoted netip.Addr       `json:"quoted,omitzero"`  // of that, as there
	Since  time.Time        `json:"since,omitzero"`   // it has been the one that answers here
	Last   time.Time        `json:"last,omitzero"`    // its last answer came
	RTT    time.Duration    `json:"rtt_ns,omitempty"` // of that
	// Statistics are over its answers, and over the probes that nobody answered while it was the one here. Those that
	// were refused are lost, and count as Errors.
	Statistics ping.Statistics `json:"statistics"`
}

// A Step is who answers at one distance, as far as a [Change] compares that. The zero Step is silence.
type Step struct {
	From   netip.Addr `json:"from,omitzero"`
	TTL    int        `json:"ttl,omitempty"`    // with which the answers arrive
	Target bool       `json:"target,omitempty"` // it is the target
}

// Watch sends an echo request to each distance on the way to host, round after round, and yields after each how the way
// stands, until ctx ends, the loop breaks, or as many rounds are over as WithRounds says. Its memory is constant.
//
// The first round goes out at once, up to four distances beyond the farthest that has answered, and one more for every
// 30 ms of silence, to find how far away the target is. The probes of later rounds are spread evenly over WithInterval,
// which is 1 s, one to each distance: a router that is met once on the way is asked no more than once a round, which
// leaves limits on ICMP errors alone, see the package's description. Where a router refuses what is to go farther, the
// distances of that and its own have a probe by turns, and only the first of those that nobody has answered is tried.
// Linux takes 3 s to find that a host on its link is missing: where a probe waits less, by [ping.WithTimeout], that is
// silence. A Round is yielded once nothing is in flight, or else when the next one begins, so that the last probes of
// it may still be in flight; they count in a later one. With WithRounds, the last waits for all of them.
//
// The way has changed where three answers in a row at some distance are not what they were: from another router, with
// another TTL, or from the target. What was noticed together is one [Change], once each distance that answers has
// answered so three times, or eight rounds later. Silence, and what routers refuse in passing, are loss, and no change.
// Nor is it one if a distance goes to and fro: where it has come back three times, 32 answers in a row are asked for.
//
// A round that falls due while the body of the loop is at work begins after that; no RTT is distorted by it. What
// cannot be sent counts as SendErrors. An error that ends the watch comes last: that of ctx or of Close, with the Round
// that they ended, as it stands then, and what was in flight as Pending; that of a bad option or of a name, with an
// empty one.
func Watch(ctx context.Context, p *ping.Pinger, host string, opts ...Option) iter.Seq2[Round, error] {
	return func(yield func(Round, error) bool) {
		more := true
		last, err := watch(ctx, p, host, opts, func(r Round) bool {
			more = yield(r, nil)
			return more
		})
		if err != nil && more {
			yield(last, err)
		}
	}
}

// watchFlow is that of a Trace.
const watchFlow = 1<<16 - 1

// watch yields the rounds. It returns the one that the error has ended.
func watch(ctx context.Context, p *ping.Pinger, host string, opts []Option, yield func(Round) bool) (Round, error) {
	c, err := newConfig(watching, opts)
	if err != nil {
		return Round{}, err
	}
	probe := append([]ping.ProbeOption{ping.WithFlow(watchFlow)}, c.probe...)
	b, err := newProber(ctx, p, host, probe)
	if err != nil {
		return Round{}, err
	}
	w := &watcher{way: newWay(b.target, c), yield: yield}
	err = b.run(ctx, w)
	return w.stand(time.Now(), nil), err
}

// A watcher is the planner of a Watch.
type watcher struct {
	*way
	yield func(Round) bool
}

// take implements planner.
func (w *watcher) take(now time.Time) bool {
	if w.roundOver(now) && !w.yield(w.turn(now)) {
		return false
	}
	return !w.done
}
