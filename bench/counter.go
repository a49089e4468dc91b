//go:build linux

package main

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// counted are the system calls that a counter counts: those by which a socket sends, receives and tells its state.
var counted = map[int32]string{
	unix.SYS_SENDTO:     "sendto",
	unix.SYS_SENDMSG:    "sendmsg",
	unix.SYS_SENDMMSG:   "sendmmsg",
	unix.SYS_RECVFROM:   "recvfrom",
	unix.SYS_RECVMSG:    "recvmsg",
	unix.SYS_RECVMMSG:   "recvmmsg",
	unix.SYS_GETSOCKOPT: "getsockopt",
}

// markCall is the system call by which a process says from where to where it is to be counted. It has no effect, and
// nothing else here makes it.
const markCall = unix.SYS_GETPRIORITY

// mark begins the count of this process's system calls, or ends it.
func mark() { unix.Getpriority(unix.PRIO_PROCESS, 0) }

// A counter counts system calls of a thread and of the processes that it starts. The kernel's seccomp(2) asks it about
// each, and is told to go on. A tracer would slow down all system calls, and needs to be installed.
type counter struct {
	listener int
	stop     [2]int // a pipe
	ended    sync.WaitGroup
	calls    map[string]int
	err      error
}

// cannotCount says why this system has no counters.
func cannotCount() error {
	var sizes [3]uint16 // struct seccomp_notif_sizes
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&sizes)))
	if errno != 0 || sizes[0] > uint16(unsafe.Sizeof(notification{})) || sizes[1] > uint16(unsafe.Sizeof(answer{})) {
		return errors.New("the kernel tells nobody of system calls by seccomp(2)")
	}
	return nil
}

// startCounter counts for the calling thread, which is locked to its goroutine and has to end with it.
func startCounter() (*counter, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	c := &counter{calls: make(map[string]int)}
	if err := unix.Pipe2(c.stop[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	rules := counterRules()
	program := unix.SockFprog{Len: uint16(len(rules)), Filter: &rules[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		unix.Close(c.stop[0])
		unix.Close(c.stop[1])
		return nil, os.NewSyscallError("seccomp", errno)
	}
	c.listener = int(fd)
	c.ended.Go(func() { c.err = c.listen() })
	return c, nil
}

// counterRules have the kernel ask about the counted calls and the mark.
func counterRules() []unix.SockFilter {
	rules := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number comes first
	ask := func(call int32) {
		rules = append(rules,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	for call := range counted {
		ask(call)
	}
	ask(markCall)
	return append(rules, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

// notification is struct seccomp_notif, and answer is struct seccomp_notif_resp.
type (
	notification struct {
		id        uint64
		pid       uint32
		flags     uint32
		call      int32
		arch      uint32
		pointer   uint64
		arguments [6]uint64
	}
	answer struct {
		id    uint64
		value int64
		err   int32
		flags uint32
	}
)

// listen lets each call pass, and counts those between two marks, until the counter is stopped.
func (c *counter) listen() error {
	counting := false
	for {
		polled := []unix.PollFd{{Fd: int32(c.listener), Events: unix.POLLIN}, {Fd: int32(c.stop[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if polled[0].Revents&unix.POLLIN == 0 {
			if polled[1].Revents != 0 {
				return nil
			}
			continue
		}
		var n notification // the kernel insists on zeros
		if err := ioctl(c.listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			if err == unix.ENOENT || err == unix.EINTR { // the process was killed meanwhile
				continue
			}
			return os.NewSyscallError("ioctl", err)
		}
		switch {
		case n.call == markCall:
			counting = !counting
		case counting:
			c.calls[counted[n.call]]++
		}
		a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if err := ioctl(c.listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)); err != nil && err != unix.ENOENT {
			return os.NewSyscallError("ioctl", err)
		}
	}
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

// close returns what was counted, once the process has ended.
func (c *counter) close() (map[string]int, error) {
	unix.Close(c.stop[1])
	c.ended.Wait()
	unix.Close(c.stop[0])
	unix.Close(c.listener)
	return c.calls, c.err
}
