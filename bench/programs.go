//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// mostFping is a few less than the targets that fping has sequence numbers for.
const mostFping = 65_000

// fping has fping send one echo to each of n addresses.
func (s setting) fping(n int) (sample, error) {
	first, last := netip.AddrFrom4(address(0)), netip.AddrFrom4(address(n-1))
	return s.program(parseFping, "fping", "-q", "-s", "-c1", "-i0", "-p1000", "-g", first.String(), last.String())
}

// floodPing has ping send n echoes to one address, each when the one before it is answered.
func (s setting) floodPing(n int) (sample, error) {
	return s.program(parsePing, "ping", "-f", "-q", "-c", strconv.Itoa(n), netip.AddrFrom4(address(0)).String())
}

// program runs a program and has parse read what it printed. Where that does not tell what the echoes used of the
// processor, it is what the whole process did.
func (s setting) program(parse func(output string) (sample, error), name string, args ...string) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var output strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &output, &output
	_, err := s.run(cmd)
	if ctx.Err() != nil {
		return sample{}, fmt.Errorf("%s: %w", name, errImpatient)
	}
	// Both programs exit with 1 where some echo was not answered.
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %.200s", name, err, output.String())
	}
	result, err := parse(output.String())
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", name, err)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && result.CPU == 0 {
		result.CPU, result.Switches = cpuTime(usage), switches(usage)
	}
	return result, nil
}

var (
	fpingSent     = regexp.MustCompile(`(?m)^\s*(\d+) ICMP Echos sent$`)
	fpingReceived = regexp.MustCompile(`(?m)^\s*(\d+) ICMP Echo Replies received$`)
	fpingElapsed  = regexp.MustCompile(`(?m)^\s*([\d.]+) sec \(elapsed real time\)$`)

	pingSummary = regexp.MustCompile(`(?m)^(\d+) packets transmitted, (\d+) received,.* time (\d+)ms$`)
)

// parseFping reads the summary of fping -s.
func parseFping(output string) (s sample, err error) {
	sent, received := fpingSent.FindStringSubmatch(output), fpingReceived.FindStringSubmatch(output)
	elapsed := fpingElapsed.FindStringSubmatch(output)
	if sent == nil || received == nil || elapsed == nil {
		return s, fmt.Errorf("no summary in %.200q", output)
	}
	return summary(sent[1], received[1], elapsed[1]+"s")
}

// parsePing reads the summary of ping -q.
func parsePing(output string) (s sample, err error) {
	m := pingSummary.FindStringSubmatch(output)
	if m == nil {
		return s, fmt.Errorf("no summary in %.200q", output)
	}
	return summary(m[1], m[2], m[3]+"ms")
}

func summary(sent, received, elapsed string) (s sample, err error) {
	s.Echoes, err = strconv.Atoi(sent)
	answered, err2 := strconv.Atoi(received)
	s.Lost = s.Echoes - answered
	wall, err3 := time.ParseDuration(elapsed)
	s.Wall = wall
	return s, errors.Join(err, err2, err3)
}
