//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestSignals has a process of its own get the signals.
func TestSignals(t *testing.T) {
	needSockets(t)
	for name, end := range map[string]os.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-i", "1ms", "127.0.0.1")
			cmd.Env = append(os.Environ(), mainVariable+"=1", "GORACE=atexit_sleep_ms=0")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stdout)
			until := func(prefix string) {
				t.Helper()
				for lines.Scan() {
					if strings.HasPrefix(lines.Text(), prefix) {
						return
					}
				}
				t.Fatalf("no line %q: %v", prefix, lines.Err())
			}
			until("64 bytes from ")
			cmd.Process.Signal(syscall.SIGQUIT)
			until("--- 127.0.0.1 ping statistics ---")
			until("64 bytes from ")
			cmd.Process.Signal(end)
			until("--- 127.0.0.1 ping statistics ---")
			until("rtt ")
			if lines.Scan() {
				t.Errorf("line %q after the statistics", lines.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v, want exit status 0", err)
			}
		})
	}
}
