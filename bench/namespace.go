//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// openFiles is how many descriptors the contender needs that has a socket for each of 10,000 targets.
const openFiles = 1 << 14

// inside runs the program in a user and network namespace of its own, and returns its exit code.
type inside func() int

func (run inside) Run() int { return run() }

func enter(run func() int) int {
	// Inside, nobody may raise the hard limit.
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Max < openFiles {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: openFiles, Max: openFiles})
	}
	return netlab.Main(inside(run))
}

func sysctl(key, value string) error {
	return os.WriteFile("/proc/sys/"+key, []byte(value), 0)
}

// silence keeps the kernel from answering echo requests, until restore is called.
func silence() (restore func() error, err error) {
	const key = "net/ipv4/icmp_echo_ignore_all"
	return func() error { return sysctl(key, "0") }, sysctl(key, "1")
}

// linkMTU is that of the link to far hosts, as a veth pair has it unless told otherwise.
const linkMTU = 1500

// farHost is the host beyond the link with the given index, from 0.
func farHost(i int) string { return netip.AddrFrom4([4]byte{10, 99, 1, byte(1 + i)}).String() }

// link makes a link to a namespace that has the addresses of all far hosts, and answers.
func link() (restore func() error, err error) {
	return build(func(tb testing.TB) {
		near, far := netlab.Self(tb), netlab.New(tb)
		netlab.Link(tb, near, "bench-near", far, "bench-far")
		near.Addr(tb, "bench-near", netip.MustParsePrefix("10.99.0.1/24"))
		far.Addr(tb, "bench-far", netip.MustParsePrefix("10.99.0.2/24"))
		far.Addr(tb, "lo", netip.MustParsePrefix("10.99.1.1/24")) // all of these addresses are the device's own
		near.Route(tb, netip.MustParsePrefix("10.99.1.0/24"), netip.MustParseAddr("10.99.0.2"), "")
	})
}

// refusedHost is the host with the given index, from 0, that refuse refuses.
func refusedHost(i int) string { return netip.AddrFrom4([4]byte{127, 77, 0, byte(1 + i)}).String() }

// refuse has a packet filter reject all echo requests to the hosts that are refused.
func refuse() (restore func() error, err error) {
	return build(func(tb testing.TB) {
		netlab.Self(tb).RefuseEchoes(tb, netip.MustParsePrefix("127.77.0.0/16"), netlab.Reject)
	})
}

// A missing is why a row cannot be done on this machine.
type missing struct{ error }

// build calls make with what package netlab takes for a test, and returns what undoes all that it made.
func build(make func(testing.TB)) (restore func() error, err error) {
	s := new(site)
	s.do(func() { make(s) })
	restore = func() error {
		s.err = nil
		for len(s.undo) > 0 {
			last := s.undo[len(s.undo)-1]
			s.undo = slices.Delete(s.undo, len(s.undo)-1, len(s.undo))
			s.do(last)
		}
		return s.err
	}
	if failed := s.err; failed != nil {
		return nil, errors.Join(failed, restore())
	}
	return restore, nil
}

// A site is a test to package netlab: as much of one as it uses.
type site struct {
	testing.TB
	undo []func()
	err  error
}

// do calls fn, which may end its goroutine.
func (s *site) do(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

func (s *site) Helper()                           {}
func (s *site) Cleanup(undo func())               { s.undo = append(s.undo, undo) }
func (s *site) Error(args ...any)                 { s.err = errors.Join(s.err, errors.New(fmt.Sprint(args...))) }
func (s *site) Errorf(format string, args ...any) { s.Error(fmt.Sprintf(format, args...)) }

func (s *site) Fatal(args ...any) {
	s.Error(args...)
	runtime.Goexit()
}

func (s *site) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

func (s *site) Skip(args ...any) {
	s.err = errors.Join(s.err, missing{errors.New(fmt.Sprint(args...))})
	runtime.Goexit()
}
