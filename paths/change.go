package paths

import (
	"cmp"
	"fmt"
	"time"
)

// A ChangeKind says what is most notable in a [Change].
type ChangeKind uint8

const (
	Longer      ChangeKind = iota + 1 // the target, or the farthest router that answers, is farther away
	Shorter                           // it is nearer
	OtherRouter                       // another router, or host, answers at some distance
	OtherTTL                          // the answers of the same routers arrive with another TTL: the way back is another
)

// String returns "longer", "shorter", "other router" or "other reply TTL".
func (k ChangeKind) String() string {
	switch k {
	case Longer:
		return "longer"
	case Shorter:
		return "shorter"
	case OtherRouter:
		return "other router"
	case OtherTTL:
		return "other reply TTL"
	}
	return fmt.Sprintf("ChangeKind(%d)", uint8(k))
}

// MarshalText returns String's text.
func (k ChangeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// A Change is a way that became another one. See [Watch].
type Change struct {
	Kind     ChangeKind `json:"kind"`
	Since    time.Time  `json:"since"`    // the first answer came that was not as before
	Distance int        `json:"distance"` // the first that differs
	Before   []Step     `json:"before"`   // by distance, from 1
	After    []Step     `json:"after"`
}

// newChange compares two ways. The kind is 0 where they are alike.
func newChange(since time.Time, before, after []Step) Change {
	c := Change{Since: since, Before: before, After: after}
	for i := range max(len(before), len(after)) {
		switch was, is := stepAt(before, i), stepAt(after, i); {
		case was == is:
			continue
		case was.From != is.From || was.Target != is.Target:
			c.Kind = OtherRouter
		case c.Kind == 0:
			c.Kind = OtherTTL
		}
		c.Distance = cmp.Or(c.Distance, i+1)
	}
	switch {
	case len(after) > len(before):
		c.Kind = Longer
	case len(after) < len(before):
		c.Kind = Shorter
	}
	return c
}

// stepAt is the step of an index, or silence beyond the end.
func stepAt(steps []Step, i int) Step {
	if i < len(steps) {
		return steps[i]
	}
	return Step{}
}

// String is such as "longer at 3: 192.0.2.7 instead of 192.0.2.3, 6 hops instead of 5".
func (c Change) String() string {
	was, is := stepAt(c.Before, c.Distance-1), stepAt(c.After, c.Distance-1)
	text := fmt.Sprintf("%v at %d: %s instead of %s", c.Kind, c.Distance, is.name(), was.name())
	switch {
	case c.Kind == OtherTTL:
		text = fmt.Sprintf("%v at %d: %d instead of %d, from %s", c.Kind, c.Distance, is.TTL, was.TTL, is.name())
	case len(c.Before) != len(c.After):
		text += fmt.Sprintf(", %d hops instead of %d", len(c.After), len(c.Before))
	}
	return text
}

// name is who answers, in a word or two.
func (s Step) name() string {
	switch {
	case !s.From.IsValid():
		return "silence"
	case s.Target:
		return "the target"
	}
	return s.From.String()
}
