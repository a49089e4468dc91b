//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/leak"
	"github.com/icmpsock/ping/internal/skipped"
)

// stageVariable tells a test binary how far its own move into a namespace has
// come. Processes that the tests start, fuzzing workers among them, inherit it.
const (
	stageVariable = "NETLAB_STAGE"
	stageEntering = "entering" // in new namespaces, which are still bare
	stageInside   = "inside"   // in namespaces made ready
)

// reportFD is where a process that is entering reports what prevents it.
const reportFD = 3

var (
	// outside is why the tests are in no namespace of their own.
	outside = errNoMain
	// self is the namespace of the test process.
	self *Namespace

	errNoMain = errors.New("TestMain does not call netlab.Main")
)

// Main runs a package's tests in a user and a network namespace of their own
// and returns their exit code. It is called by TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
//
// The test binary starts itself again there, with the same arguments, files and
// directory. Inside, the loopback device is up, IPv4 ping sockets are open to
// the user, and the kernel limits no ICMP errors; but before 6.12 it holds all
// namespaces together to icmp_msgs_burst at a time, mostly 50. Where user
// namespaces are forbidden, root gets a network namespace alone. Where that is
// impossible too the tests run where they are, and Require skips those that need
// a namespace.
// Tests that leave goroutines or file descriptors behind fail.
func Main(m interface{ Run() int }) int {
	switch os.Getenv(stageVariable) {
	case stageEntering:
		report := os.NewFile(reportFD, "report")
		if err := settle(); err != nil {
			fmt.Fprint(report, err)
			return 1
		}
		report.Close()
		return leak.Main(m)
	case stageInside:
		if err := adopt(); err != nil {
			fmt.Fprintln(os.Stderr, "netlab:", err)
			return 1
		}
		return leak.Main(m)
	}

	code, err := reexec(unix.CLONE_NEWUSER | unix.CLONE_NEWNET)
	if err != nil && os.Geteuid() == 0 {
		var alone error
		if code, alone = reexec(unix.CLONE_NEWNET); alone == nil {
			return code
		}
		err = fmt.Errorf("%w; as root without a user namespace: %w", err, alone)
	}
	if err != nil {
		outside = err
		return leak.Main(m)
	}
	return code
}

// Elsewhere is the environment for another run of this test binary, in namespaces
// of its own: without it, they are this one's.
func Elsewhere() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, stageVariable+"=") })
}

// Require skips the test where there is no namespace for it, and says why.
func Require(tb testing.TB) {
	tb.Helper()
	if outside == errNoMain {
		tb.Fatal("netlab:", outside)
	}
	if outside != nil {
		skipped.Test(tb, "netlab: no network namespace:", outside)
	}
}

// settle makes the bare namespace of this process ready for tests.
func settle() error {
	if err := furnish(); err != nil {
		return err
	}
	if err := writeSysctl(pingGroupRange, everyone); err != nil {
		return err
	}
	if err := os.Setenv(stageVariable, stageInside); err != nil {
		return err
	}
	return adopt()
}

// adopt takes this process's namespace for the one that Self returns.
func adopt() error {
	file, err := currentNamespace()
	if err != nil {
		return err
	}
	self, outside = newNamespace(file), nil
	return nil
}

// reexec runs this test binary again in new namespaces and returns its exit
// code. An error means that no test has run.
func reexec(namespaces uintptr) (int, error) {
	executable, err := os.Executable()
	if err != nil {
		return 0, err
	}
	report, reportWriter, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer report.Close()

	attr := &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	if namespaces&unix.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd := &exec.Cmd{
		Path:        executable,
		Args:        os.Args,
		Env:         append(os.Environ(), stageVariable+"="+stageEntering),
		Stdin:       os.Stdin,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		ExtraFiles:  []*os.File{reportWriter},
		SysProcAttr: attr,
	}

	// The death signal is sent when the thread that started the process ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	// The tests decide what a signal means, so it is passed on and waited out.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	defer close(signals)
	defer signal.Stop(signals)

	err = cmd.Start()
	reportWriter.Close()
	if err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()

	prevented, err := io.ReadAll(report)
	waitErr := cmd.Wait()
	switch {
	case err != nil:
		return 0, err
	case len(prevented) > 0:
		return 0, errors.New(string(prevented))
	case cmd.ProcessState == nil:
		return 0, waitErr
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		fmt.Fprintln(os.Stderr, "netlab: tests ended by signal:", status.Signal())
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
