package ping_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// What WithSource and WithInterface name is used, and what cannot be is an error that names it, and leaves nothing
// open.
func TestSourceAndInterface(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		source := func(addr string) ping.Option { return ping.WithSource(netip.MustParseAddr(addr)) }
		p := openPinger(t, kind, source("127.0.0.7"), ping.WithInterface("lo"))
		if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
		if _, err := p.Ping(t.Context(), "::1"); err == nil || !strings.Contains(err.Error(), "WithSource(127.0.0.7)") {
			t.Errorf("IPv6 from an IPv4 source: %v", err)
		}
		p = openPinger(t, kind, source("::1"), source("127.0.0.1"))
		for _, host := range []string{"127.0.0.1", "::1"} {
			if _, err := p.Ping(t.Context(), host); err != nil {
				t.Error(err)
			}
		}

		check := nothingLeft(t)
		for _, c := range []struct {
			opt  ping.Option
			err  error
			want string
		}{
			{source("192.0.2.77"), syscall.EADDRNOTAVAIL, "WithSource(192.0.2.77): "},
			{source("2001:db8::77"), syscall.EADDRNOTAVAIL, "WithSource(2001:db8::77): "},
			{ping.WithInterface("nosuch0"), syscall.ENODEV, `WithInterface("nosuch0"): `},
		} {
			p, err := ping.New(kind, c.opt)
			if p != nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.want, err)
			}
		}
		check()
	})
}

// A mark needs a privilege, which is not that for a socket.
func TestMark(t *testing.T) {
	p := openPinger(t, ping.WithMark(1<<31-1))
	if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Error(err)
	}
	err := unprivileged(func() error {
		p, err := ping.New(ping.WithMark(7))
		if p != nil {
			p.Close()
		}
		return err
	})
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ping.ErrNotPermitted) ||
		!strings.Contains(err.Error(), "WithMark(7) needs CAP_NET_ADMIN or CAP_NET_RAW: ") {
		t.Errorf("without privilege: %v", err)
	}
}

// Without IPv6, IPv4 works, and the error for IPv6 is the kernel's.
func TestWithoutIPv6(t *testing.T) {
	netlab.Require(t)
	netlab.New(t).Do(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil {
			t.Skip(err)
		}
		p := mustNew(t)
		if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
		var errno syscall.Errno
		if _, err := p.Ping(t.Context(), "::1"); !errors.As(err, &errno) {
			t.Errorf("IPv6: %v", err)
		}
	})
}

// Resolve refuses an address that the Pinger has no socket for, with the words of Ping.
func TestResolveWithoutSocket(t *testing.T) {
	p := openPinger(t, ping.WithSource(netip.MustParseAddr("127.0.0.1")))
	_, want := p.Ping(t.Context(), "::1")
	addr, err := p.Resolve(t.Context(), "::1")
	if err == nil || want == nil || err.Error() != want.Error() || addr.IsValid() {
		t.Errorf("%v, %v, want the error %v", addr, err, want)
	}
	if addr, err := p.Resolve(t.Context(), "127.0.0.2"); err != nil || addr != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("%v, %v", addr, err)
	}
}
