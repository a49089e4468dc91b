package ping_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// inheritedVariable makes TestInheritedChild list its sockets.
const inheritedVariable = "PING_TEST_INHERITED"

// inheritedLine begins the line with each of them.
const inheritedLine = "inherited: "

// TestInheritedChild is the program that TestInherited starts.
func TestInheritedChild(t *testing.T) {
	if os.Getenv(inheritedVariable) == "" {
		t.Skip("for TestInherited alone")
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name, err := os.Readlink(file); err == nil && strings.HasPrefix(name, "socket:") {
			fmt.Printf("\n%s%s\n", inheritedLine, name)
		}
	}
}

// A program that is started while a Pinger opens its sockets inherits none of them: it would keep the identifier, and
// would get the Pinger's replies. The window is short, so that there are many tries.
func TestInherited(t *testing.T) {
	netlab.Require(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inherited := func() (sockets []string) {
		cmd := exec.Command(executable, "-test.run=^TestInheritedChild$", "-test.v")
		cmd.Env = append(os.Environ(), inheritedVariable+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestInheritedChild") {
			t.Fatalf("the child: %v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if name, ok := strings.CutPrefix(line, inheritedLine); ok {
				sockets = append(sockets, strings.TrimSpace(name))
			}
		}
		return sockets
	}
	before := fmt.Sprint(inherited()) // what this process itself has inherited
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		t.Run(kind.String(), func(t *testing.T) {
			var done atomic.Bool
			var opening sync.WaitGroup
			defer opening.Wait()
			defer done.Store(true)
			var opened atomic.Int64
			for range 4 {
				opening.Go(func() {
					for !done.Load() {
						p, err := ping.New(ping.WithSocket(kind))
						if err != nil {
							t.Error(err)
							return
						}
						p.Close()
						opened.Add(1)
					}
				})
			}
			starts := skipped.AtLength(t, 15, 40)
			if raceEnabled { // with it a program takes a second to start
				starts = 4
			}
			leaks := 0
			for range starts {
				if fmt.Sprint(inherited()) != before {
					leaks++
				}
			}
			if leaks > 0 {
				t.Errorf("%d of %d programs inherited a socket, while %d Pingers were opened", leaks, starts, opened.Load())
			}
		})
	}
}
