//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// jobVariable holds the job, in a process that does one.
	jobVariable = "PING_BENCH_JOB"
	// patience is more than any run takes.
	patience = time.Minute
)

var errImpatient = fmt.Errorf("it has not ended within %v", patience)

// A job is what one process measures.
type job struct {
	Work     string        // a name in works
	Library  string        // a name in libraries, for the works that use one
	Targets  int           // how many addresses
	Echoes   int           // how many to each of them, of the works that end by themselves; of a sweep, one a round
	Interval time.Duration // between the echoes to a target
	Timeout  time.Duration // of an echo; 0: a second
	Length   time.Duration // of the works that do not end by themselves
}

// works are the jobs by name.
var works = map[string]func(job) (sample, error){
	"sweep":    withLibrary(sweep),
	"serial":   withLibrary(serial),
	"stream":   withLibrary(stream),
	"monitor":  withLibrary(monitor),
	"watch":    withOurs(watch),
	"states":   withOurs(states),
	"busy":     withLibrary(busy),
	"path-mtu": withPinger(farHost(0), pathMTU),
	"too-big":  withPinger(farHost(0), tooBig),
	"healthy":  withPinger(loopback(0), healthy),
}

// child does the job and prints its sample.
func child(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	work, ok := works[j.Work]
	if !ok {
		return fmt.Errorf("no work %q", j.Work)
	}
	idle, err := peakMemory()
	if err != nil {
		return err
	}
	s, err := work(j)
	if err != nil {
		return err
	}
	s.IdleMemory = idle
	return json.NewEncoder(os.Stdout).Encode(s)
}

// A setting is what a process may use of the machine, and how it is watched.
type setting struct {
	pinned     bool // to one processor
	processors int  // GOMAXPROCS; 0: the default
	counted    bool // its system calls, which makes each slower
}

// do has the job done by a process of its own.
func (s setting) do(j job) (sample, error) {
	executable, err := os.Executable()
	if err != nil {
		return sample{}, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout strings.Builder
	cmd := exec.CommandContext(ctx, executable)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	if s.processors > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(s.processors))
	}
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	calls, err := s.run(cmd)
	if ctx.Err() != nil {
		return sample{}, errImpatient
	}
	if err != nil {
		return sample{}, err
	}
	var result sample
	if err := json.Unmarshal([]byte(stdout.String()), &result); err != nil {
		return sample{}, err
	}
	result.Calls = calls
	return result, nil
}

// run runs cmd, and returns its system calls if they are counted.
func (s setting) run(cmd *exec.Cmd) (calls map[string]int, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	done := make(chan struct{})
	// What the process is to inherit, a thread gets that then ends.
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if s.pinned {
			if err = pin(); err != nil {
				return
			}
		}
		if !s.counted {
			err = cmd.Run()
			return
		}
		var c *counter
		if c, err = startCounter(); err != nil {
			return
		}
		err = cmd.Run()
		var countErr error
		calls, countErr = c.close()
		err = errors.Join(err, countErr)
	}()
	<-done
	return calls, err
}

// pin keeps the calling thread on the last of the processors that it may use: the first is where most interrupts go.
func pin() error {
	var all, last unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := len(all) * strconv.IntSize; cpu >= 0; cpu-- {
		if all.IsSet(cpu) {
			last.Set(cpu)
			return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &last))
		}
	}
	return errors.New("no processor to run on")
}
