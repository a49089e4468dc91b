package pingtest_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// The tests leave no goroutine of the package's, or of the Pingers over it.
func TestMain(m *testing.M) {
	code := m.Run()
	left := ours()
	// One that has said that it ends still has to.
	for range 100_000 {
		if left == "" {
			break
		}
		runtime.Gosched()
		left = ours()
	}
	if left != "" {
		fmt.Println("goroutines left:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// ours are the stacks of the goroutines that run code of the module, but for this one.
func ours() string {
	buffer := make([]byte, 1<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	var list []string
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		if strings.Contains(stack, "github.com/icmpsock/ping") && !strings.Contains(stack, "TestMain") {
			list = append(list, stack)
		}
	}
	return strings.Join(list, "\n\n")
}
