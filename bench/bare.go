//go:build linux

package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// bareSource is the least that a program can do to ping.
//
//go:embed bare/bare.c
var bareSource []byte

// A bareLoop is the program made of it.
type bareLoop struct {
	dir  string // holds it alone
	path string
}

var errNoCompiler = errors.New("no C compiler")

// compileBare makes the program in a temporary directory, which remove deletes.
func compileBare() (bareLoop, error) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		compiler, err = exec.LookPath("gcc")
	}
	if err != nil {
		return bareLoop{}, errNoCompiler
	}
	dir, err := os.MkdirTemp("", "ping-bench-")
	if err != nil {
		return bareLoop{}, err
	}
	l := bareLoop{dir, filepath.Join(dir, "bare")}
	err = os.WriteFile(l.path+".c", bareSource, 0o600)
	if err == nil {
		var output []byte
		output, err = exec.Command(compiler, "-O2", "-pthread", "-o", l.path, l.path+".c").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %.500s", compiler, err, output)
		}
	}
	if err != nil {
		return bareLoop{}, errors.Join(err, l.remove())
	}
	return l, nil
}

func (l bareLoop) remove() error {
	if l.dir == "" {
		return nil
	}
	return os.RemoveAll(l.dir)
}

// sweep sends an echo request to each of n addresses, over as many sockets in as many threads.
func (l bareLoop) sweep(s setting, n, sockets int) (sample, error) {
	return s.program(parseBare, l.path, "sweep", strconv.Itoa(n), strconv.Itoa(sockets))
}

// serial sends n echo requests to one address, each when the one before it is answered.
func (l bareLoop) serial(s setting, n int) (sample, error) {
	return s.program(parseBare, l.path, "serial", strconv.Itoa(n))
}

// monitor sends n echo requests, to so many targets, each once a second.
func (l bareLoop) monitor(s setting, n, targets int) (sample, error) {
	return s.program(parseBare, l.path, "monitor", strconv.Itoa(n), strconv.Itoa(targets))
}

// parseBare reads what the program prints.
func parseBare(output string) (s sample, err error) {
	err = json.Unmarshal([]byte(output), &s)
	return s, err
}
