package ping_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/skipped"
)

// kernelSince reports whether the kernel is of a version or a later one, by the release that it tells, and which that
// is.
func kernelSince(t testing.TB, major, minor int) (since bool, release string) {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var x, y int
	release = unix.ByteSliceToString(name.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &x, &y); err != nil {
		t.Fatalf("the kernel's release is %q: %v", release, err)
	}
	return x > major || x == major && y >= minor, release
}

// requireKernel skips the test on a kernel older than that.
func requireKernel(t testing.TB, major, minor int) {
	t.Helper()
	if since, release := kernelSince(t, major, minor); !since {
		skipped.Test(t, fmt.Sprintf("needs Linux %d.%d, and this is %s", major, minor, release))
	}
}
