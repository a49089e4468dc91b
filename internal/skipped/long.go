package skipped

import (
	"flag"
	"testing"
	"time"
)

// LongRuns is why a test is shortened that AtLength shortens.
const LongRuns = "-long runs them in full"

// long is set where there is time: before a change lands, not after each edit.
var long bool

// Programs that make networks as the tests do have no such flag.
func init() {
	if testing.Testing() {
		flag.BoolVar(&long, "long", false, "run the tests in full, also those that then take long")
	}
}

// Long reports whether the tests are to be run in full: the flag -long, which each test binary has that imports this
// package.
func Long() bool { return long }

// AtLength is full with -long, and else usual, which is noted as the test's.
func AtLength[T bool | int | time.Duration](tb testing.TB, usual, full T) T {
	if long {
		return full
	}
	Part(tb, LongRuns)
	return usual
}
