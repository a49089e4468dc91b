package flight

import (
	"flag"
	"os"
	"testing"

	"github.com/icmpsock/ping/internal/leak"
	"github.com/icmpsock/ping/internal/skipped"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// long is set where there is time.
var long = flag.Bool("long", false, "run the tests in full, also those that then take long")

// atLength is full with -long, and else usual.
func atLength(t testing.TB, usual, full int) int {
	if *long {
		return full
	}
	skipped.Part(t, "-long runs them in full")
	return usual
}
