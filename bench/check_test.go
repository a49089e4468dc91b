//go:build linux

package main

import "testing"

func TestCheck(t *testing.T) {
	r, samples := exampleRow()
	if err := check(r.results(samples), r.unmeasured(r.results(samples))); err != nil {
		t.Errorf("a figure that is not checked fails the check: %v", err)
	}
	r.figures[1].checked = true // met
	if err := check(r.results(samples), nil); err != nil {
		t.Errorf("a figure that is met fails the check: %v", err)
	}
	r.figures[2].checked = true // missed
	err := check(r.results(samples), nil)
	if err == nil || err.Error() != "the check has failed:\nexample: lost, own: 1, target ≤ 0" {
		t.Errorf("got %v", err)
	}
	delete(samples, "limit")
	results := r.results(samples)
	r.figures[2].checked = false
	err = check(nil, r.unmeasured(results))
	if err == nil || err.Error() != "the check has failed:\nexample: of the limit, own: not measured" {
		t.Errorf("got %v", err)
	}
}
