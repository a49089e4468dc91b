package ping_test

import (
	"flag"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
)

// long is set where there is time: before a change lands, not after each edit.
var long = flag.Bool("long", false, "run the long tests too, and all in full")

// needLong skips the test without -long. What it takes, why says.
func needLong(t testing.TB, why string) {
	t.Helper()
	if !*long {
		skipped.Test(t, why+" (-long runs them)")
	}
}

// atLength is full with -long, and else usual.
func atLength[T int | time.Duration](t testing.TB, usual, full T) T {
	if *long {
		return full
	}
	skipped.Part(t, "-long runs them in full")
	return usual
}
