package flight

// maxAnomalies is how many anomalies an inbox keeps until they are collected, so that a flood of them does not grow
// its memory. What is beyond that is only counted.
const maxAnomalies = 64

// An Inbox is where the results of one caller's probes wait for it. It belongs to one Table from Register to Release,
// and whoever holds that table's lock may use it; Wake may be received from without the lock.
type Inbox struct {
	Wake      chan struct{} // of capacity 1: holds a token when there is something new
	Anomalies bool          // ask for Results that settle nothing

	results   []Result
	anomalies int // among results
	oddities  Oddities

	seat    uint32 // index into owners.seats
	newest  uint16 // of its probes in flight; the others follow, in a ring
	pending int    // how many probes are in that ring
}

// Oddities counts the messages that settled none of an inbox's probes.
type Oddities struct{ Duplicates, Late, Corrupted, Stray int }

// Plus is the sum of both.
func (o Oddities) Plus(p Oddities) Oddities {
	return Oddities{o.Duplicates + p.Duplicates, o.Late + p.Late, o.Corrupted + p.Corrupted, o.Stray + p.Stray}
}

// NewInbox returns an inbox that wakes its caller through wake, a channel of capacity 1.
func NewInbox(wake chan struct{}) *Inbox { return &Inbox{Wake: wake} }

// Swap returns the results that wait, in the order in which they came, and keeps the memory of empty for the next.
func (in *Inbox) Swap(empty []Result) []Result {
	results := in.results
	in.results, in.anomalies = empty[:0], 0
	return results
}

// Reset makes a released inbox as good as new.
func (in *Inbox) Reset() {
	clear(in.results[:cap(in.results)])
	*in = Inbox{Wake: in.Wake, results: in.results[:0]}
	select {
	case <-in.Wake:
	default:
	}
}

// InFlight is how many of its probes are in flight.
func (in *Inbox) InFlight() int { return in.pending }

// Settled is how many of its probes had left and are settled in the results that wait.
func (in *Inbox) Settled() (n int) {
	for i := range in.results {
		if k := in.results[i].Kind; k.Settles() && k != Unsent {
			n++
		}
	}
	return n
}

// Oddities returns how many messages settled nothing since the inbox was new.
func (in *Inbox) Oddities() Oddities { return in.oddities }

// Signal wakes the caller.
func (in *Inbox) Signal() {
	select {
	case in.Wake <- struct{}{}:
	default:
	}
}

// add delivers a result, which the caller fills in at once: to copy one costs as much as all else that is done here.
func (in *Inbox) add() *Result {
	in.results = append(in.results, Result{})
	in.Signal()
	return &in.results[len(in.results)-1]
}

// note counts an anomaly, and reports whether it is to be delivered as well.
func (in *Inbox) note(kind Kind) bool {
	switch kind {
	case Late:
		in.oddities.Late++
	case Duplicate:
		in.oddities.Duplicates++
	case Corrupted:
		in.oddities.Corrupted++
	case Stray:
		in.oddities.Stray++
	}
	if !in.Anomalies || in.anomalies == maxAnomalies {
		return false
	}
	in.anomalies++
	return true
}
