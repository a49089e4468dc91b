package monitor

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"sync"
	"time"
)

// A Change is something that a Monitor noticed.
type Change struct {
	Time time.Time
	Kind Kind
	// Target is whom it is about; the zero Target if that is a group, or this host itself.
	Target Target
	// Group is the name of the group that it is about, if it is about one.
	Group string
	// From and To are the state before and after, for StateChanged and GroupChanged.
	From, To State
	// Reason and Err say why, where that is known.
	Reason Reason
	Err    error
	// Addr is the address concerned, and for AddressChanged the new one.
	Addr netip.Addr
	// Before and After are the medians of the RTT, for RTTShifted.
	Before, After time.Duration
	// Missed is how many changes before this one found no room in the queue.
	Missed int
}

// A Kind is a kind of Change.
type Kind uint8

const (
	// StateChanged: a target has another State.
	StateChanged Kind = iota
	// GroupChanged: a group has another State.
	GroupChanged
	// CutOff: this host can send nothing to anybody. States stay as they are until that is over.
	CutOff
	// Restored: this host can send again.
	Restored
	// RTTShifted: the RTT of a target has come to another level.
	RTTShifted
	// AddressChanged: a name has come to another address.
	AddressChanged
	// LookupFailed: a name could not be looked up. Told once, until it can.
	LookupFailed
	// IdentifierIgnored: a target answers the second Pinger, and not the first.
	IdentifierIgnored
)

// String says it in a word or two, such as "state" or "cut off".
func (k Kind) String() string {
	switch k {
	case StateChanged:
		return "state"
	case GroupChanged:
		return "group"
	case CutOff:
		return "cut off"
	case Restored:
		return "restored"
	case RTTShifted:
		return "RTT shifted"
	case AddressChanged:
		return "address"
	case LookupFailed:
		return "lookup failed"
	case IdentifierIgnored:
		return "identifier ignored"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MarshalText returns what String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes what MarshalText returns. The error names what it is given, and all that it takes.
func (k *Kind) UnmarshalText(text []byte) error { return fromText(k, IdentifierIgnored, text) }

// String is a line for a log, such as "db1: up -> down (timeout)".
func (c Change) String() string {
	subject := c.Target.Name
	switch {
	case c.Group != "":
		subject = "group " + c.Group
	case subject == "":
		subject = "this host"
	}
	text := subject + ": " + c.Kind.String()
	switch c.Kind {
	case StateChanged, GroupChanged:
		text = fmt.Sprintf("%s: %v -> %v", subject, c.From, c.To)
	case RTTShifted:
		text += fmt.Sprintf(" from %v to %v", c.Before, c.After)
	case AddressChanged:
		text += " " + c.Addr.String()
	}
	switch {
	case c.Err != nil:
		text += " (" + c.Err.Error() + ")"
	case c.Reason != ReasonNone:
		text += " (" + c.Reason.String() + ")"
	}
	return text
}

// queueLen is how many changes wait for a subscriber at most.
const queueLen = 1024

// A queue holds the changes that a subscriber has not taken yet. It never makes who adds one wait.
type queue struct {
	ready chan struct{} // has a token when there is something

	mu      sync.Mutex
	changes []Change
	missed  int // since the last that was added
}

// add adds a change, or counts it if there is no room. It reports whether there was.
func (q *queue) add(c Change) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.changes) == queueLen {
		q.missed++
		return false
	}
	c.Missed, q.missed = q.missed, 0
	q.changes = append(q.changes, c)
	signal(q.ready)
	return true
}

// next takes the first of them.
func (q *queue) next() (c Change, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.changes) == 0 {
		q.changes = nil
		return c, false
	}
	c = q.changes[0]
	q.changes[0] = Change{}
	q.changes = q.changes[1:]
	return c, true
}

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Changes yields what changes from this call on, until ctx ends. Each call has a queue of its own, with room for 1,024
// changes: what goes beyond that is left out, and counted in the Missed of the next Change. The loop may take all the
// time it needs: no probe waits for it. ctx must end at some time, else the queue stays for as long as the Monitor.
func (m *Monitor) Changes(ctx context.Context) iter.Seq[Change] {
	q := m.subscribe()
	context.AfterFunc(ctx, func() { m.unsubscribe(q) })
	return func(yield func(Change) bool) { q.each(ctx, yield) }
}

// each yields changes until ctx ends, and then those that have come by then.
func (q *queue) each(ctx context.Context, yield func(Change) bool) {
	for {
		ended := ctx.Err() != nil
		for c, ok := q.next(); ok; c, ok = q.next() {
			if !yield(c) {
				return
			}
		}
		if ended {
			return
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
		}
	}
}

func (m *Monitor) subscribe() *queue {
	q := &queue{ready: make(chan struct{}, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queues[q] = struct{}{}
	return q
}

func (m *Monitor) unsubscribe(q *queue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.queues, q)
}

// tell tells all subscribers of a change. The caller holds m.mu.
func (m *Monitor) tell(c Change) {
	m.counters.Changes++
	for q := range m.queues {
		if !q.add(c) {
			m.counters.Missed++
		}
	}
}
