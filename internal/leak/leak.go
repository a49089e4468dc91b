// Package leak fails a package's tests that leave goroutines or file descriptors behind.
package leak

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
)

// patience is how long what has been told to end may take to do so, on a machine that is busy with other things.
const patience = 10 * time.Second

// Main runs a package's tests, and then looks for what they left behind. If they passed all the same, it lists that,
// and the exit code that it returns is 1. Last, it lists which tests did not run, or not in full, as they told package
// skipped.
func Main(m interface{ Run() int }) int {
	defer skipped.Report(os.Stderr)
	return run(m, os.Stderr, patience)
}

func run(m interface{ Run() int }, report io.Writer, patience time.Duration) int {
	before := survey()
	code := m.Run()
	if code != 0 || fuzzing() { // a test that failed may leave what it likes; a fuzzer has its own processes
		return code
	}
	left := difference(before, survey())
	for deadline := time.Now().Add(patience); len(left) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // each look stops the world for those that are to end
		left = difference(before, survey())
	}
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(report, "the tests left behind:\n\n%s\n", strings.Join(left, "\n\n"))
	return 1
}

// fuzzing reports whether the testing package runs a fuzzer.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

// survey lists the goroutines and open files of the process, by a name that is never given twice in a process's life.
func survey() map[string]string {
	found := map[string]string{}
	openFiles(found)
	stacks := make([]byte, 1<<16)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	stacks = stacks[:n]
	for i, stack := range bytes.Split(bytes.TrimSpace(stacks), []byte("\n\n")) {
		name, _, _ := strings.Cut(string(stack), " [") // "goroutine 7"
		if i > 0 && !ofTheSystem(string(stack)) {      // the first is this one
			found[name] = string(stack)
		}
	}
	return found
}

// ofTheSystem reports whether a goroutine is one that os/signal starts on first use and never ends.
func ofTheSystem(stack string) bool {
	return strings.Contains(stack, "\ncreated by os/signal.") || strings.Contains(stack, "runtime.ensureSigM")
}

// difference lists what was not there before.
func difference(before, after map[string]string) (list []string) {
	for name, what := range after {
		if _, ok := before[name]; !ok {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	return list
}
