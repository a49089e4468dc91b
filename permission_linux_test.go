package ping_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// unprivileged runs f on the calling goroutine's locked thread with no effective capabilities.
func unprivileged(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return err
	}
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	defer unix.Capset(&header, &had[0])
	return f()
}

// As root too, the kernel refuses datagram sockets to groups that are not in the range, and the error says so. Raw
// sockets stand in, for who may open them; else the error names both ways out.
func TestNotPermitted(t *testing.T) {
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	groups = append(groups, os.Getegid())
	slices.Sort(groups)
	groups = slices.Compact(groups)
	netlab.NewClosed(t).Do(t, func() {
		open := func(opts ...ping.Option) error {
			p, err := ping.New(opts...)
			if p != nil {
				p.Close()
			}
			return err
		}
		refused := func(what string, err error, words ...string) {
			if !errors.Is(err, ping.ErrNotPermitted) || !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", what, err)
				return
			}
			for _, want := range words {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is not in %q", what, want, err)
				}
			}
		}
		const sysctl = "ICMP sockets are not permitted: net.ipv4.ping_group_range is "
		const cure = "\n\tas root in this user namespace: sysctl -w net.ipv4.ping_group_range=\"0 0\"\n"
		inTheWay := fmt.Sprintf("this process's groups are %v (socket: permission denied", groups)

		err := open(ping.WithSocket(ping.SocketDatagram))
		refused("datagram", err, sysctl, inTheWay+")\n", cure)
		if !errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "CAP_NET_RAW") {
			t.Errorf("datagram: %v", err)
		}
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if err := open(ping.WithLogger(logger)); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "kind=raw") {
			t.Errorf("the log says %s", log.String())
		}
		refused("auto, without privilege", unprivileged(func() error { return open() }),
			sysctl, inTheWay+"; ", "socket: operation not permitted)\n", cure, "CAP_NET_RAW: setcap cap_net_raw+ep ")
		err = unprivileged(func() error { return open(ping.WithSocket(ping.SocketRaw)) })
		refused("raw, without privilege", err, "not permitted: raw sockets need CAP_NET_RAW (",
			")\n\tgive the program CAP_NET_RAW: setcap ")
		if !errors.Is(err, syscall.EPERM) || strings.Contains(err.Error(), "ping_group_range") {
			t.Errorf("raw, without privilege: %v", err)
		}
	})
}

// Datagram sockets need no privilege.
func TestUnprivileged(t *testing.T) {
	netlab.Require(t)
	if err := unprivileged(func() error {
		p, err := ping.New()
		if err != nil {
			return err
		}
		defer p.Close()
		for _, host := range []string{"127.0.0.1", "::1"} {
			opts := []ping.ProbeOption{ping.WithTTL(3), ping.WithTrafficClass(8), ping.WithDontFragment(true)}
			if _, err := p.Ping(t.Context(), host, opts...); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// sharedVariable makes TestSharedNotPermittedChild do its work.
const sharedVariable = "PING_TEST_SHARED"

// TestSharedNotPermittedChild is the process that TestSharedNotPermitted starts, in which no call has opened the
// shared Pinger yet.
func TestSharedNotPermittedChild(t *testing.T) {
	if os.Getenv(sharedVariable) == "" {
		t.Skip("for TestSharedNotPermitted alone")
	}
	netlab.NewClosed(t).Do(t, func() {
		if err := unprivileged(func() error {
			if r, err := ping.Ping(t.Context(), "127.0.0.1"); !errors.Is(err, ping.ErrNotPermitted) || r.Err != err {
				t.Errorf("Ping: %+v, %v", r, err)
			}
			s, err := ping.PingN(t.Context(), "127.0.0.1", 1)
			if !errors.Is(err, ping.ErrNotPermitted) || s != nil {
				t.Errorf("PingN: %v, %v", s, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	if _, err := ping.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Errorf("where it is permitted: %v", err)
	}
}

// Where the shared Pinger cannot be opened, the functions say why, and try again the next time.
func TestSharedNotPermitted(t *testing.T) {
	netlab.Require(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^TestSharedNotPermittedChild$", "-test.v")
	cmd.Env = append(os.Environ(), sharedVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSharedNotPermittedChild") {
		t.Errorf("%v: %s", err, out)
	}
}

// The functions go over one Pinger, whose sockets they open once.
func TestSharedPinger(t *testing.T) {
	netlab.Require(t)
	if _, err := ping.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Error(err)
	}
	sockets := icmpSockets(t)
	for range 3 {
		if _, err := ping.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
		s, err := ping.PingN(t.Context(), "::1", 3, ping.WithInterval(0))
		if err != nil || s.Received != 3 {
			t.Errorf("got %v, %v", s, err)
		}
	}
	if now := icmpSockets(t); !slices.Equal(now, sockets) {
		t.Errorf("the ICMP sockets are %v, and were %v", now, sockets)
	}
}
