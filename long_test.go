package ping_test

import (
	"flag"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
)

// long is set where there is time: before a change lands, not after each edit.
var long = flag.Bool("long", false, "run the tests in full, also those that then take long")

// longRuns is what there is to tell of tests that do less without -long.
const longRuns = "-long runs them in full"

// atLength is full with -long, and else usual.
func atLength[T bool | int | time.Duration](t testing.TB, usual, full T) T {
	if *long {
		return full
	}
	skipped.Part(t, longRuns)
	return usual
}
