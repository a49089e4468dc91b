//go:build !linux

package netlab

import (
	"runtime"
	"testing"
)

// Main runs the tests where they are.
func Main(m interface{ Run() int }) int { return m.Run() }

// Require skips the test: there are no network namespaces here.
func Require(tb testing.TB) {
	tb.Helper()
	tb.Skip("netlab: no network namespaces on", runtime.GOOS)
}
