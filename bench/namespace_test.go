//go:build linux

package main

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

func TestLink(t *testing.T) {
	netlab.Require(t)
	restore, err := link()
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range []job{{Work: "path-mtu", Targets: 2}, {Work: "too-big", Echoes: 1}} {
		s, err := works[j.Work](j)
		if err != nil || s.Echoes != max(j.Targets, j.Echoes) || s.Wall <= 0 {
			t.Errorf("%+v: %+v, %v", j, s, err)
		}
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
	if _, err := net.InterfaceByName("bench-near"); err == nil {
		t.Error("the link is still there")
	}
}

func TestHealthy(t *testing.T) {
	netlab.Require(t)
	j := job{Work: "healthy", Targets: 3, Length: 100 * time.Millisecond}
	if s, err := works[j.Work](j); err == nil {
		t.Errorf("no error where nobody refuses: %+v", s)
	}
	restore, err := refuse()
	if lacks := (missing{}); errors.As(err, &lacks) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := works[j.Work](j)
	if err := errors.Join(err, restore()); err != nil || s.Echoes == 0 || len(s.RTTs) != s.Echoes {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestMissing has a row whose surroundings cannot be had here.
func TestMissing(t *testing.T) {
	r, _ := exampleRow()
	r.contenders[0].run = func() (sample, error) { return sample{}, errors.New("it has run") }
	isUndone := false
	r.around = func() (func() error, error) {
		return build(func(tb testing.TB) {
			tb.Cleanup(func() { isUndone = true })
			tb.Skip("no room")
		})
	}
	b := bench{runs: 1}
	if samples, err := b.measure(&r); err != nil || samples != nil || !isUndone {
		t.Errorf("%v, %v, undone: %v", samples, err, isUndone)
	}
	for _, c := range r.contenders {
		if c.lacks == nil || c.lacks.Error() != "no room" {
			t.Errorf("%s lacks %v", c.name, c.lacks)
		}
	}
	r.contenders = nil
	r.around = func() (func() error, error) {
		return build(func(tb testing.TB) { tb.Cleanup(func() { tb.Fatal("no way back") }) })
	}
	if _, err := b.measure(&r); err == nil || err.Error() != "no way back" {
		t.Errorf("got %v, want what kept it from being undone", err)
	}
	r.around = func() (func() error, error) {
		return build(func(tb testing.TB) { tb.Fatalf("no %s", "way") })
	}
	if _, err := b.measure(&r); err == nil || err.Error() != "no way" {
		t.Errorf("got %v, want the reason", err)
	}
}

func TestSilence(t *testing.T) {
	netlab.Require(t)
	restore, err := silence()
	if err != nil {
		t.Fatal(err)
	}
	j := job{Work: "sweep", Library: "ours", Targets: 100, Echoes: 1, Timeout: 50 * time.Millisecond}
	s, err := works[j.Work](j)
	if err = errors.Join(err, restore()); err != nil || s.Lost != 100 {
		t.Errorf("%+v, %v, want 100 lost", s, err)
	}
}
