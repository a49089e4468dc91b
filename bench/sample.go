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
	Mallocs    uint64          // heap allocations
	PeakMemory int             // bytes resident
	IdleMemory int             // of them, what the process had before it began
	Goroutines int             // beside the callers' own
	RTTs       []time.Duration // of the works that are about them
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
func (s sample) rtt(q float64) float64  { return microseconds(percentile(s.RTTs, q)) }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// A meter measures this process from the moment that it is made.
type meter struct {
	start   time.Time
	cpu     time.Duration
	mallocs uint64
}

func startMeter() meter {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return meter{start: time.Now(), cpu: cpuTime(), mallocs: memory.Mallocs}
}

// stop puts into s what the process has used since the meter was started.
func (m meter) stop(s *sample) error {
	s.Wall = time.Since(m.start)
	s.CPU = cpuTime() - m.cpu
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	s.Mallocs = memory.Mallocs - m.mallocs
	var err error
	s.PeakMemory, err = peakMemory()
	return err
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

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
