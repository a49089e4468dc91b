//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// A sample is what one run of a contender came to.
type sample struct {
	Echoes     int             // sent
	Lost       int             // of them
	Drops      int             // replies that the run's own socket dropped
	Wall       time.Duration   // of the echoes
	CPU        time.Duration   // user and system
	Switches   int             // of context, voluntary and not
	Mallocs    uint64          // heap allocations
	PeakMemory int             // bytes resident
	IdleMemory int             // of them, what the process had before it began
	Goroutines int             // beside the callers' own
	RTTs       []time.Duration // of the works that are about them
	Calls      map[string]int  // of the system, in a setting that counts them
}

func (s sample) rate() float64          { return float64(s.Echoes) / s.Wall.Seconds() }
func (s sample) wallPerEcho() float64   { return microseconds(s.Wall) / float64(s.Echoes) }
func (s sample) cpuPerEcho() float64    { return microseconds(s.CPU) / float64(s.Echoes) }
func (s sample) allocations() float64   { return float64(s.Mallocs) / float64(s.Echoes) }
func (s sample) megabytes() float64     { return float64(s.PeakMemory) / 1e6 }
func (s sample) moreMegabytes() float64 { return float64(s.PeakMemory-s.IdleMemory) / 1e6 }
func (s sample) goroutines() float64    { return float64(s.Goroutines) }
func (s sample) lost() float64          { return float64(s.Lost) }
func (s sample) drops() float64         { return float64(s.Drops) }
func (s sample) seconds() float64       { return s.Wall.Seconds() }
func (s sample) cpuMillis() float64     { return s.CPU.Seconds() * 1000 }
func (s sample) rtt(q float64) float64  { return microseconds(percentile(s.RTTs, q)) }

// switchesPer is how many context switches there would have been in as many echoes.
func (s sample) switchesPer(echoes float64) float64 {
	return float64(s.Switches) / float64(s.Echoes) * echoes
}

// calls is how many system calls there were of those named.
func (s sample) calls(names ...string) (n float64) {
	for _, name := range names {
		n += float64(s.Calls[name])
	}
	return n
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// A meter measures this process from the moment that it is made.
type meter struct {
	start   time.Time
	usage   syscall.Rusage
	mallocs uint64
}

func startMeter() meter {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return meter{start: time.Now(), usage: usage(), mallocs: memory.Mallocs}
}

// stop puts into s what the process has used since the meter was started.
func (m meter) stop(s *sample) error {
	s.Wall = time.Since(m.start)
	now := usage()
	s.CPU, s.Switches = cpuTime(&now)-cpuTime(&m.usage), switches(&now)-switches(&m.usage)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	s.Mallocs = memory.Mallocs - m.mallocs
	var err error
	s.PeakMemory, err = peakMemory()
	return err
}

// usage is what this process has used, with all of its threads.
func usage() (u syscall.Rusage) {
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u
}

func cpuTime(u *syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }

func switches(u *syscall.Rusage) int { return int(u.Nvcsw + u.Nivcsw) }

// peakMemory is the most that the process has had resident. Getrusage would count the process before its exec, too.
func peakMemory() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, line, ok := bytes.Cut(status, []byte("\nVmHWM:"))
	if !ok {
		return 0, errors.New("no VmHWM in /proc/self/status")
	}
	fields := bytes.Fields(line)
	if len(fields) < 2 || string(fields[1]) != "kB" {
		return 0, fmt.Errorf("VmHWM is %.20q in /proc/self/status", line)
	}
	kilobytes, err := strconv.Atoi(string(fields[0]))
	return kilobytes << 10, err
}
