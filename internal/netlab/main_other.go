//go:build !linux

package netlab

import (
	"runtime"
	"testing"

	"github.com/icmpsock/ping/internal/leak"
	"github.com/icmpsock/ping/internal/skipped"
)

// Main runs the tests where they are. Those that leave goroutines behind fail.
func Main(m interface{ Run() int }) int { return leak.Main(m) }

// Require skips the test: there are no network namespaces here.
func Require(tb testing.TB) {
	tb.Helper()
	skipped.Test(tb, "netlab: no network namespaces on", runtime.GOOS)
}
