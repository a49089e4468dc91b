//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// isMissed reports whether a figure misses a target that is the same on any machine.
func (x *result) isMissed() bool { return x.Checked && !*x.Met }

// unmeasured lists what the row should have measured to be checked, but has no result of.
func (r *row) unmeasured(results []result) (list []string) {
	for _, f := range r.figures {
		if !f.checked {
			continue
		}
		for _, contender := range slices.Sorted(maps.Keys(f.targets)) {
			is := func(x result) bool { return x.Figure == f.name && x.Contender == contender }
			if !slices.ContainsFunc(results, is) {
				list = append(list, fmt.Sprintf("%s: %s, %s", r.name, f.name, contender))
			}
		}
	}
	return list
}

// check returns an error that lists the checked figures which miss their targets, and those that could not be measured.
func check(results []result, unmeasured []string) error {
	var failures []error
	for _, x := range results {
		if x.isMissed() {
			failures = append(failures, fmt.Errorf("%s: %s, %s: %s, target %s", x.Row, x.Figure, x.Contender,
				number(x.Median), x.Target))
		}
	}
	for _, what := range unmeasured {
		failures = append(failures, fmt.Errorf("%s: not measured", what))
	}
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("the check has failed:\n%w", errors.Join(failures...))
}
