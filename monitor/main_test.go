package monitor_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// long is set where there is time: before a change lands, not after each edit.
var long = flag.Bool("long", false, "run the tests in full, also those that then take long")

// atLength is full with -long, and else usual.
func atLength[T int | time.Duration](t *testing.T, usual, full T) T {
	if *long {
		return full
	}
	skipped.Part(t, "-long runs them in full")
	return usual
}

func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
