package ping_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// childVariable tells the process that inChild starts what it is to run do with.
const childVariable = "PING_TEST_CHILD"

// isChild reports whether this is such a process.
func isChild() bool {
	_, ok := os.LookupEnv(childVariable)
	return ok
}

// inChild calls do in a process of its own, whose threads may be confined, with a word of the test's.
func inChild(t *testing.T, word string, do func(word string)) {
	t.Helper()
	netlab.Require(t)
	if isChild() {
		do(os.Getenv(childVariable))
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"="+word)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("the child: %v: %s", err, out)
	}
}

// forbid has a system call fail from now on, in all threads of the process; if first is not nil, only where that is its
// first argument.
func forbid(t *testing.T, call uint32, first *uint32, errno syscall.Errno) {
	t.Helper()
	refuse := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
	filter := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4}, // struct seccomp_data, nr
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1},
		refuse,
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	}
	if first != nil {
		filter = []bpf.Instruction{
			filter[0],
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 3},
			bpf.LoadAbsolute{Off: 16, Size: 4}, // args[0], on a little-endian machine
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: *first, SkipTrue: 1},
			refuse,
			filter[3],
		}
	}
	program, err := bpf.Assemble(filter)
	if err != nil {
		t.Fatal(err)
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		t.Skip("seccomp:", e)
	}
}
