//go:build linux

package main

import (
	"cmp"
	"slices"
)

// A figure is something that is worked out of each run of a contender.
type figure struct {
	name string
	of   func(sample) float64
	// against is the contender whose figure in the same turn relate sets it in relation to; "": it stands for itself.
	against string
	relate  func(own, other float64) float64
	// only names the contenders that it is for; nil: all.
	only []string
	// targets are what it should come to, by contender.
	targets map[string]target
	// checked is whether the targets are the same on any machine, as those of ratios and counts are.
	checked bool
}

func (f *figure) isFor(contender string) bool {
	return contender != f.against && (f.only == nil || slices.Contains(f.only, contender))
}

func ratio(own, other float64) float64      { return own / other }
func difference(own, other float64) float64 { return own - other }

// A target is what a median should come to.
type target struct {
	limit  float64
	atMost bool // rather than at least
}

func atLeast(x float64) target { return target{x, false} }
func atMost(x float64) target  { return target{x, true} }

func (t target) met(x float64) bool {
	if t.atMost {
		return x <= t.limit
	}
	return x >= t.limit
}

func (t target) String() string {
	if t.atMost {
		return "≤ " + number(t.limit)
	}
	return "≥ " + number(t.limit)
}

// A result is a figure of a contender over all its runs.
type result struct {
	Row       string    `json:"row"`
	Figure    string    `json:"figure"`
	Contender string    `json:"contender"`
	Median    float64   `json:"median"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Runs      []float64 `json:"runs"`
	Target    string    `json:"target,omitempty"`
	Met       *bool     `json:"met,omitempty"`
	Checked   bool      `json:"checked,omitempty"`
}

// newResult works the figure out of the contender's samples, and of others, those that it is set in relation to.
func newResult(row string, f *figure, contender string, samples, others []sample) result {
	r := result{Row: row, Figure: f.name, Contender: contender}
	for i, s := range samples {
		x := f.of(s)
		if f.relate != nil {
			x = f.relate(x, f.of(others[i]))
		}
		r.Runs = append(r.Runs, x)
	}
	r.Median, r.Min, r.Max = percentile(r.Runs, 0.5), slices.Min(r.Runs), slices.Max(r.Runs)
	if t, ok := f.targets[contender]; ok {
		met := t.met(r.Median)
		r.Target, r.Met, r.Checked = t.String(), &met, f.checked
	}
	return r
}

// percentile is the least of list that at least the part q of list does not exceed: the nearest rank. The median of an
// even number of values is thus the lower of the two in the middle.
func percentile[T cmp.Ordered](list []T, q float64) T {
	if len(list) == 0 {
		var none T
		return none
	}
	sorted := slices.Sorted(slices.Values(list))
	rank := int(q * float64(len(sorted)))
	if float64(rank) < q*float64(len(sorted)) {
		rank++
	}
	return sorted[max(rank, 1)-1]
}
