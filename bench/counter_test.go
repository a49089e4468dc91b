//go:build linux

package main

import (
	"errors"
	"maps"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// TestCounted counts what a process tells about itself that it has done.
func TestCounted(t *testing.T) {
	netlab.Require(t)
	if err := cannotCount(); err != nil {
		t.Skip(err)
	}
	s, err := setting{counted: true}.do(job{Work: "counted", Echoes: 100})
	want := map[string]int{"sendto": 100, "recvfrom": 100}
	if err != nil || !maps.Equal(s.Calls, want) {
		t.Errorf("counted %v, %v, want %v", s.Calls, err, want)
	}
	if s, err := (setting{}).do(job{Work: "counted", Echoes: 1}); err != nil || s.Calls != nil {
		t.Errorf("counted %v, %v where nothing is counted", s.Calls, err)
	}
}

func init() {
	works["counted"] = func(j job) (s sample, err error) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err != nil {
			return s, err
		}
		var b [1]byte
		for i := range j.Echoes + 2 { // the first and the last are not to be counted
			if i == 1 || i == j.Echoes+1 {
				mark()
			}
			sent := unix.Sendto(pair[0], b[:], 0, nil)
			_, _, received := unix.Recvfrom(pair[1], b[:], 0)
			err = errors.Join(err, sent, received)
		}
		return s, errors.Join(err, unix.Close(pair[0]), unix.Close(pair[1]))
	}
}
