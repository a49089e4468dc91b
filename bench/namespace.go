//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideVariable tells the program that it is in the namespace already.
const insideVariable = "PING_BENCH_INSIDE"

// openFiles is how many descriptors the contender needs that has a socket for each of 10,000 targets.
const openFiles = 1 << 14

// enter runs this program again in a user and network namespace of its own, and returns its exit code. Where user
// namespaces are forbidden, root gets a network namespace alone.
func enter() (int, error) {
	// Inside, nobody may raise the hard limit.
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Max < openFiles {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: openFiles, Max: openFiles})
	}
	code, err := reexec(unix.CLONE_NEWUSER | unix.CLONE_NEWNET)
	if err != nil && os.Geteuid() == 0 {
		var alone error
		if code, alone = reexec(unix.CLONE_NEWNET); alone == nil {
			return code, nil
		}
		err = errors.Join(err, alone)
	}
	if err != nil {
		return 1, fmt.Errorf("no network namespace: %w", err)
	}
	return code, nil
}

func reexec(namespaces uintptr) (int, error) {
	executable, err := os.Executable()
	if err != nil {
		return 0, err
	}
	attr := &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	if namespaces&unix.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd := exec.Command(executable, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attr

	// The death signal is sent when the thread that started the process ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// furnish makes the new namespace fit for pings: the loopback device is up, and the one group that exists inside may
// open ICMP sockets.
func furnish() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return sysctl("net/ipv4/ping_group_range", "0 0")
}

func sysctl(key, value string) error {
	return os.WriteFile("/proc/sys/"+key, []byte(value), 0)
}

// silence keeps the kernel from answering echo requests, until restore is called.
func silence() (restore func() error, err error) {
	const key = "net/ipv4/icmp_echo_ignore_all"
	return func() error { return sysctl(key, "0") }, sysctl(key, "1")
}
