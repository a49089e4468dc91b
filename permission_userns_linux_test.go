package ping_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// mappedVariable makes TestNotPermittedMappedChild do its work.
const mappedVariable = "PING_TEST_MAPPED"

// TestNotPermittedMappedChild is the process that TestNotPermittedMapped starts in a user namespace where sockets are
// not permitted. It prints why, and does as that says.
func TestNotPermittedMappedChild(t *testing.T) {
	if os.Getenv(mappedVariable) == "" {
		t.Skip("for TestNotPermittedMapped alone")
	}
	open := func() error {
		p, err := ping.New(ping.WithSocket(ping.SocketDatagram), ping.WithNetwork("ip4"))
		if err == nil {
			p.Close()
		}
		return err
	}
	err := open()
	if !errors.Is(err, ping.ErrNotPermitted) {
		t.Fatal(err)
	}
	t.Log("it says: " + err.Error())
	set := regexp.MustCompile(`in this user namespace: sysctl -w net.ipv4.ping_group_range="(\d+ \d+)"\n`)
	m := set.FindStringSubmatch(err.Error())
	if m == nil {
		return
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(m[1]), 0); err != nil {
		t.Errorf("to set %q: %v", m[1], err)
	}
	if err := open(); err != nil {
		t.Errorf("with %q set: %v", m[1], err)
	} else {
		t.Logf("%q helps", m[1])
	}
}

// In a user namespace groups have other numbers, if any. The kernel takes the range that the error tells to set, and
// that range lets the process in; where none would, the error says so.
func TestNotPermittedMapped(t *testing.T) {
	netlab.Require(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const network = syscall.CLONE_NEWNET
	for _, c := range []struct {
		name   string
		groups []syscall.SysProcIDMap
		flags  uintptr
		want   string
	}{
		{"group 0", []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}, network, `"0 0" helps`},
		{"group 7", []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Getegid(), Size: 1}}, network, `"7 7" helps`},
		{
			"the number that stands for others",
			[]syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getegid(), Size: 1}}, network, `"65534 65534" helps`,
		},
		{"no group", nil, network, "map a group of this process into its user namespace"},
		{
			"another's network", []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}, 0,
			"outside of this user namespace, which the network does not belong to",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(executable, "-test.run=^TestNotPermittedMappedChild$", "-test.v")
			cmd.Env = append(os.Environ(), mappedVariable+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  unix.CLONE_NEWUSER | c.flags,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
				GidMappings: c.groups,
			}
			netlab.NewClosed(t).Do(t, func() {
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "--- PASS: TestNotPermittedMappedChild") ||
					!strings.Contains(string(out), c.want) {
					t.Errorf("%v, want %q in\n%s", err, c.want, out)
				}
			})
		})
	}
}
