//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace: devices, addresses, routes and settings of
// its own.
type Namespace struct {
	file  *os.File
	peers map[string]end // the far ends of the links made by Link
}

// end is one end of a link.
type end struct {
	ns  *Namespace
	dev string
}

func newNamespace(file *os.File) *Namespace {
	return &Namespace{file: file, peers: make(map[string]end)}
}

// Self returns the namespace that the test process lives in, and with it every
// socket that is opened outside of Do.
func Self(tb testing.TB) *Namespace {
	tb.Helper()
	Require(tb)
	return self
}

// New returns a new namespace in which only the loopback device is up. Packets
// are not forwarded there, and the other settings are as Main makes them. It
// ends with the test.
func New(tb testing.TB) *Namespace {
	tb.Helper()
	ns := NewClosed(tb)
	ns.Do(tb, func() {
		if err := writeSysctl(pingGroupRange, everyone); err != nil {
			tb.Fatal("netlab:", err)
		}
	})
	return ns
}

// NewClosed returns a namespace like New's, but with the group range that the
// kernel gives to every new one: nobody may open a ping socket. In a namespace
// once open that can't be had again, for the range that closes it names a group
// which the user namespace lacks.
func NewClosed(tb testing.TB) *Namespace {
	tb.Helper()
	Require(tb)

	runtime.LockOSThread()
	old, err := currentNamespace()
	if err != nil {
		runtime.UnlockOSThread()
		tb.Fatal("netlab:", err)
	}
	defer old.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		tb.Fatal("netlab: unshare:", err)
	}
	defer leave(tb, old)

	file, err := currentNamespace()
	if err != nil {
		tb.Fatal("netlab:", err)
	}
	tb.Cleanup(func() { file.Close() })
	if err := furnish(); err != nil {
		tb.Fatal("netlab:", err)
	}
	return newNamespace(file)
}

// Do runs fn on a thread inside the namespace. A socket opened by fn belongs to
// the namespace for good and may be used from anywhere afterwards. Goroutines
// that fn starts are not in the namespace.
func (ns *Namespace) Do(tb testing.TB, fn func()) {
	tb.Helper()
	runtime.LockOSThread()
	old, err := currentNamespace()
	if err != nil {
		runtime.UnlockOSThread()
		tb.Fatal("netlab:", err)
	}
	defer old.Close()
	if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		tb.Fatal("netlab: setns:", err)
	}
	defer leave(tb, old)
	fn()
}

// leave brings the locked thread back to the namespace old and unlocks it. A
// thread that can't go back stays locked, so that it ends with its goroutine
// and serves no other.
func leave(tb testing.TB, old *os.File) {
	tb.Helper()
	if err := unix.Setns(int(old.Fd()), unix.CLONE_NEWNET); err != nil {
		tb.Fatal("netlab: setns:", err)
	}
	runtime.UnlockOSThread()
}

// Sysctl sets a value below /proc/sys, such as "net/ipv4/ip_default_ttl", in the
// namespace. The test's Cleanup brings back the value before.
func (ns *Namespace) Sysctl(tb testing.TB, key, value string) {
	tb.Helper()
	ns.Do(tb, func() {
		before, err := os.ReadFile(sysctlPath(key))
		if err != nil {
			tb.Fatal("netlab:", err)
		}
		if err := writeSysctl(key, value); err != nil {
			tb.Fatal("netlab:", err)
		}
		tb.Cleanup(func() {
			ns.Do(tb, func() {
				err := writeSysctl(key, strings.TrimSpace(string(before)))
				// A device takes its settings along when it is deleted, and the
				// group range of NewClosed can be left only.
				lost := errors.Is(err, fs.ErrNotExist) ||
					key == pingGroupRange && errors.Is(err, unix.EINVAL)
				if err != nil && !lost {
					tb.Error("netlab:", err)
				}
			})
		})
	})
}

// Forward makes the namespace a router of IPv4 and IPv6.
func (ns *Namespace) Forward(tb testing.TB) {
	tb.Helper()
	ns.Sysctl(tb, "net/ipv4/ip_forward", "1")
	ns.Sysctl(tb, "net/ipv6/conf/all/forwarding", "1")
}

// The one group that exists in the user namespace may open ping sockets.
const (
	pingGroupRange = "net/ipv4/ping_group_range"
	everyone       = "0 0"
)

// settings are what every namespace has from the start. Some of IPv4's would
// otherwise be copies of the machine's. A setting that the kernel doesn't know
// is left out.
var settings = []struct{ key, value string }{
	{"net/ipv4/ip_forward", "0"}, // first, for it resets others
	{"net/ipv6/conf/all/forwarding", "0"},

	// A peer's second error is as welcome as its first.
	{"net/ipv4/icmp_ratelimit", "0"},
	{"net/ipv4/icmp_msgs_per_sec", "1000000"},
	{"net/ipv4/icmp_msgs_burst", "1000000"},
	{"net/ipv6/icmp/ratelimit", "0"},

	// Answers may come from anywhere.
	{"net/ipv4/conf/all/rp_filter", "0"},
	{"net/ipv4/conf/default/rp_filter", "0"},

	// Addresses are good at once, and nothing is sent that no test asked for.
	{"net/ipv6/conf/all/disable_ipv6", "0"},
	{"net/ipv6/conf/default/disable_ipv6", "0"},
	{"net/ipv6/conf/all/accept_dad", "0"},
	{"net/ipv6/conf/default/accept_dad", "0"},
	{"net/ipv6/conf/default/router_solicitations", "0"},
}

// furnish makes the calling thread's new namespace ready for tests.
func furnish() error {
	for _, s := range settings {
		if err := writeSysctl(s.key, s.value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return setFlags("lo", unix.IFF_UP, unix.IFF_UP)
}

// currentNamespace opens the network namespace of the calling thread.
func currentNamespace() (*os.File, error) {
	return os.Open("/proc/thread-self/ns/net")
}

func sysctlPath(key string) string { return filepath.Join("/proc/sys", key) }

// writeSysctl sets a value for the calling thread's namespace, which is the one
// that /proc/sys/net shows to it.
func writeSysctl(key, value string) error {
	file, err := os.OpenFile(sysctlPath(key), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(value); err != nil {
		return fmt.Errorf("set %s to %q: %w", key, value, err)
	}
	return nil
}
