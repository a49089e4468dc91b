package ping_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// aloneVariable names the test that a process is for.
const aloneVariable = "PING_TEST_ALONE"

// alone reports whether the test has this process for itself. If not, it has run the test in such a one, with the
// personality and the environment told, and what came of it there is what comes of it here. With the environment
// netlab.Elsewhere it has its network namespace for itself too.
func alone(t *testing.T, personality uintptr, environment []string) bool {
	t.Helper()
	if os.Getenv(aloneVariable) == t.Name() {
		return true
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	cmd := exec.Command(executable, "-test.run="+pattern, "-test.v", fmt.Sprintf("-long=%t", skipped.Long()))
	cmd.Env = append(environment, aloneVariable+"="+t.Name())
	output, err := withPersonality(t, personality, cmd.CombinedOutput)
	if strings.Contains(string(output), skipped.LongRuns) {
		skipped.Part(t, skipped.LongRuns)
	}
	switch {
	case err == nil && strings.Contains(string(output), "--- SKIP: "+t.Name()+" "):
		skipped.Test(t, "alone:", string(output))
	case err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()+" "):
		t.Errorf("alone: %v\n%s", err, output)
	}
	return false
}

// childVariable is the word that inChild hands on.
const childVariable = "PING_TEST_CHILD"

// isChild reports whether this is a process of inChild's.
func isChild() bool { return os.Getenv(aloneVariable) != "" }

// inChild calls do in a process of its own, whose threads may be confined, with a word of the test's.
func inChild(t *testing.T, word string, do func(word string)) {
	t.Helper()
	netlab.Require(t)
	if !isChild() {
		t.Setenv(childVariable, word)
	}
	if alone(t, 0, os.Environ()) {
		do(os.Getenv(childVariable))
	}
}

// withPersonality runs f, and what that starts, with something more in the thread's personality(2).
func withPersonality[T any](t testing.TB, more uintptr, f func() (T, error)) (T, error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const ask = 0xffffffff
	old, _, errno := unix.Syscall(unix.SYS_PERSONALITY, ask, 0, 0)
	if errno == 0 {
		_, _, errno = unix.Syscall(unix.SYS_PERSONALITY, old|more, 0, 0)
	}
	if errno != 0 {
		t.Fatal("personality:", errno)
	}
	defer unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0)
	return f()
}

// A systemCall is one that is refused where it has these arguments, by their places from 0 on.
type systemCall struct {
	number    uint32
	arguments map[int]uint32
	errno     syscall.Errno
}

// forbid has a system call fail from now on, in all threads of the process; if first is not nil, only where that is its
// first argument.
func forbid(t *testing.T, call uint32, first *uint32, errno syscall.Errno) {
	t.Helper()
	c := systemCall{number: call, errno: errno}
	if first != nil {
		c.arguments = map[int]uint32{0: *first}
	}
	refuseCalls(t, c)
}

// refuseCalls has the kernel refuse system calls to this process, to all of its threads, until its end.
func refuseCalls(t testing.TB, calls ...systemCall) {
	t.Helper()
	if runtime.GOARCH == "386" || runtime.GOARCH == "s390x" {
		skipped.Test(t, "there the calls go through socketcall(2)")
	}
	argument := func(i int) bpf.Instruction { // the lower half of it (linux/seccomp.h, struct seccomp_data)
		offset := uint32(16 + 8*i)
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			offset += 4
		}
		return bpf.LoadAbsolute{Off: offset, Size: 4}
	}
	var program []bpf.Instruction
	for _, c := range calls {
		program = append(program, bpf.LoadAbsolute{Off: 0, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: c.number, SkipTrue: uint8(2*len(c.arguments) + 1)})
		left := len(c.arguments)
		for i, value := range c.arguments {
			left--
			program = append(program, argument(i), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(2*left + 1)})
		}
		program = append(program, bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(c.errno)})
	}
	raw, err := bpf.Assemble(append(program, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}))
	if err != nil {
		t.Fatal(err)
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	runtime.LockOSThread() // whose no_new_privs the others are given too
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal("no_new_privs:", err)
	}
	all := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
	if r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&all))); errno != 0 || r != 0 {
		skipped.Test(t, "no filter of system calls:", r, errno)
	}
}
