//go:build linux

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

func TestBareLoop(t *testing.T) {
	netlab.Require(t)
	loop, err := compileBare()
	if errors.Is(err, errNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]func() (sample, error){
		"one socket":  func() (sample, error) { return loop.sweep(setting{pinned: true}, 1001, 1) },
		"two sockets": func() (sample, error) { return loop.sweep(setting{}, 1002, 2) },
		"serial":      func() (sample, error) { return loop.serial(setting{}, 1003) },
		"monitor":     func() (sample, error) { return loop.monitor(setting{}, 1004, 5000) },
	}
	wants := map[string]int{"one socket": 1001, "two sockets": 1002, "serial": 1003, "monitor": 1004}
	for name, run := range runs {
		s, err := run()
		if err != nil || s.Echoes != wants[name] || s.Lost != 0 || s.Wall <= 0 || s.CPU <= 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	restore, err := silence()
	if err != nil {
		t.Fatal(err)
	}
	s, err := loop.sweep(setting{}, 10, 1)
	if err := errors.Join(err, restore()); err != nil || s.Echoes != 10 || s.Lost != 10 {
		t.Errorf("unanswered: %+v, %v, want 10 lost", s, err)
	}
	if err := loop.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(loop.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

func TestNoCompiler(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := compileBare(); err != errNoCompiler {
		t.Fatalf("got %v, want %v", err, errNoCompiler)
	}
	r := pingSerial(quick, bareContenders{lacks: errNoCompiler})
	samples := map[string][]sample{"Ping": {{Echoes: 1, Wall: time.Second}}}
	results := r.results(samples)
	var b bytes.Buffer
	table{&b}.row(&r, results)
	isTold := strings.Contains(b.String(), "bare loop: left out: no C compiler\n")
	if !isTold || strings.Contains(b.String(), "times the bare loop") {
		t.Errorf("printed:\n%s", &b)
	}
	if got := r.unmeasured(results); !slices.Equal(got, []string{"ping-serial: CPU of the bare loop, Ping"}) {
		t.Errorf("unmeasured: %q", got)
	}
}
