// Package skipped tells, when a package's tests have run, which of them were left out or cut short, and why: a passing
// run says nothing of that otherwise. It has the flag -long, with which none is cut short for the sake of time.
package skipped

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A note is what was done with tests, and why.
type note struct{ what, why string }

// notes are the names of the tests by what there is to tell of them. Any test may add to them.
var notes struct {
	sync.Mutex
	tests map[note][]string
}

// Test skips the test, because of what why says.
func Test(tb testing.TB, why ...any) {
	tb.Helper()
	add(tb.Name(), note{"skipped", strings.TrimSuffix(fmt.Sprintln(why...), "\n")})
	tb.Skip(why...)
}

// Part notes that the test, or one of its subtests, does less than it can, because of what why says.
func Part(tb testing.TB, why string) {
	name, _, _ := strings.Cut(tb.Name(), "/")
	add(name, note{"shortened", why})
}

func add(name string, n note) {
	notes.Lock()
	defer notes.Unlock()
	if notes.tests == nil {
		notes.tests = make(map[note][]string)
	}
	if !slices.Contains(notes.tests[n], name) {
		notes.tests[n] = append(notes.tests[n], name)
	}
}

// Report writes a line for each reason, with the tests that were skipped or shortened for it, and forgets them. Of
// subtests it names the test that they are part of.
func Report(w io.Writer) {
	notes.Lock()
	defer notes.Unlock()
	for _, n := range slices.SortedFunc(maps.Keys(notes.tests), func(a, b note) int {
		return strings.Compare(a.what+a.why, b.what+b.why)
	}) {
		tests := notes.tests[n]
		many := "tests"
		if len(tests) == 1 {
			many = "test"
		}
		var names []string
		for _, name := range tests {
			if top, _, ok := strings.Cut(name, "/"); ok {
				name = top + "/..."
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		fmt.Fprintf(w, "%s %d %s: %s: %s\n", n.what, len(tests), many, n.why, strings.Join(names, ", "))
	}
	notes.tests = nil
}
