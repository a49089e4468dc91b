//go:build linux

package netlab

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestRouterChain(t *testing.T) {
	a, r, b := Self(t), New(t), New(t)
	Link(t, a, "a0", r, "r0")
	Link(t, r, "r1", b, "b0")
	r.Forward(t)
	for _, v := range []struct{ a, ra, rb, b string }{
		{"10.1.0.1/24", "10.1.0.2/24", "10.2.0.2/24", "10.2.0.1/24"},
		{"fd01::1/64", "fd01::2/64", "fd02::2/64", "fd02::1/64"},
	} {
		near, far := netip.MustParsePrefix(v.a), netip.MustParsePrefix(v.b)
		nearRouter, farRouter := netip.MustParsePrefix(v.ra), netip.MustParsePrefix(v.rb)
		a.Addr(t, "a0", near)
		r.Addr(t, "r0", nearRouter)
		r.Addr(t, "r1", farRouter)
		b.Addr(t, "b0", far)
		a.Route(t, far.Masked(), nearRouter.Addr(), "")
		b.Route(t, near.Masked(), farRouter.Addr(), "b0")

		s := newPinger(t, far.Addr())
		if err := s.send(far.Addr(), 1, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got := s.receive(); got.from != far.Addr() || string(got.payload) != "hello" {
			t.Errorf("reply %q from %v, want %q from %v", got.payload, got.from, "hello", far.Addr())
		}

		s.setTTL(1)
		if err := s.send(far.Addr(), 2, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.receiveError(); got.offender != nearRouter.Addr() {
			t.Errorf("time exceeded from %v, want %v", got.offender, nearRouter.Addr())
		}
	}
}

func TestRouteType(t *testing.T) {
	ns := Self(t)
	for _, tt := range []struct {
		kind int
		want error
	}{
		{unix.RTN_PROHIBIT, unix.EACCES},
		{unix.RTN_UNREACHABLE, unix.EHOSTUNREACH},
		{unix.RTN_BLACKHOLE, unix.EINVAL},
	} {
		for _, dst := range []string{"192.0.2.0/24", "2001:db8::/32"} {
			prefix := netip.MustParsePrefix(dst)
			ns.RouteType(t, prefix, tt.kind)
			addr := prefix.Addr().Next()
			if err := newPinger(t, addr).send(addr, 1, nil); !errors.Is(err, tt.want) {
				t.Errorf("send by route type %d to %v: %v, want %v", tt.kind, addr, err, tt.want)
			}
			ns.DelRoute(t, prefix)
		}
	}
}

func TestNoRoom(t *testing.T) {
	ns, far := Self(t), New(t)
	Link(t, ns, "q0", far, "q1")
	ns.Addr(t, "q0", netip.MustParsePrefix("10.1.0.1/24"))
	far.Addr(t, "q1", netip.MustParsePrefix("10.1.0.2/24"))
	addr := netip.MustParseAddr("10.1.0.2")
	s := newPinger(t, addr)
	for seq := 1; seq <= 3; seq += 2 { // the neighbour is known after the first
		if err := s.send(addr, uint16(seq), nil); err != nil {
			t.Fatal(err)
		}
		if got := s.receive(); int(got.seq) != seq {
			t.Errorf("reply %d, want %d", got.seq, seq)
		}
		undo := ns.NoRoom(t, "q0")
		if err := s.send(addr, uint16(seq+1), nil); !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("send: %v, want %v", err, unix.ENOBUFS)
		}
		undo()
	}
}

func TestDropInput(t *testing.T) {
	for _, dst := range []string{"127.0.0.1", "::1"} {
		addr := netip.MustParseAddr(dst)
		s := newPinger(t, addr)
		undo := Self(t).DropInput(t)
		if err := s.send(addr, 1, nil); err != nil {
			t.Errorf("send to %v: %v", addr, err)
		}
		undo()
		if err := s.send(addr, 2, nil); err != nil {
			t.Errorf("send to %v after undo: %v", addr, err)
		}
		if got := s.receive(); got.seq != 2 {
			t.Errorf("reply %d from %v, want the second only", got.seq, addr)
		}
	}
}

func TestRefuseOutput(t *testing.T) {
	for _, tt := range []struct {
		dst  string
		want error
	}{
		{"127.0.0.1", unix.EPERM},
		{"::1", nil}, // its ping sockets don't tell
	} {
		addr := netip.MustParseAddr(tt.dst)
		s := newPinger(t, addr)
		undo := Self(t).RefuseOutput(t)
		if err := s.send(addr, 1, nil); !errors.Is(err, tt.want) {
			t.Errorf("send to %v: %v, want %v", addr, err, tt.want)
		}
		undo()
		if err := s.send(addr, 2, nil); err != nil {
			t.Errorf("send to %v after undo: %v", addr, err)
		}
		if got := s.receive(); got.seq != 2 {
			t.Errorf("reply %d from %v, want the second only", got.seq, addr)
		}
	}
}

func TestSetUp(t *testing.T) {
	a, b := Self(t), New(t)
	Link(t, a, "a0", b, "b0")
	near, far := netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.1.0.2/24")
	a.Addr(t, "a0", near)
	b.Addr(t, "b0", far)
	s := newPinger(t, far.Addr())
	for seq := range uint16(3) {
		a.SetUp(t, "a0", false)
		if err := s.send(far.Addr(), seq, nil); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("send by a device that is down: %v, want %v", err, unix.ENETUNREACH)
		}
		a.SetUp(t, "a0", true)
		if err := s.send(far.Addr(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.receive(); got.seq != seq {
			t.Errorf("reply %d, want %d", got.seq, seq)
		}
	}
}

func TestDelAddr(t *testing.T) {
	for _, s := range []string{"192.0.2.1/32", "2001:db8::1/128"} {
		prefix := netip.MustParsePrefix(s)
		Self(t).Addr(t, "lo", prefix)
		for _, want := range []bool{true, false} {
			got, err := isLocal(prefix.Addr())
			if got != want || err != nil {
				t.Errorf("%v is local: %t, %v; want %t", prefix, got, err, want)
			}
			if got {
				Self(t).DelAddr(t, "lo", prefix)
			}
		}
	}
}

func TestSetMTU(t *testing.T) {
	a, b := Self(t), New(t)
	Link(t, a, "a0", b, "b0")
	far := netip.MustParsePrefix("10.1.0.2/24")
	a.Addr(t, "a0", netip.MustParsePrefix("10.1.0.1/24"))
	b.Addr(t, "b0", far)
	a.SetMTU(t, "a0", 1300)
	s := newPinger(t, far.Addr())
	s.set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	if err := s.send(far.Addr(), 1, make([]byte, 1300-28+1)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("send more than the MTU: %v, want %v", err, unix.EMSGSIZE)
	}
	if err := s.send(far.Addr(), 2, make([]byte, 1300-28)); err != nil {
		t.Errorf("send the MTU: %v", err)
	}
}

func TestSysctl(t *testing.T) {
	ns := New(t)
	const key = "net/ipv4/ip_default_ttl"
	value := func() (v string) {
		ns.Do(t, func() {
			b, err := os.ReadFile(sysctlPath(key))
			if err != nil {
				t.Fatal(err)
			}
			v = strings.TrimSpace(string(b))
		})
		return v
	}
	before := value()
	t.Run("set", func(t *testing.T) {
		ns.Sysctl(t, key, "7")
		if got := value(); got != "7" {
			t.Errorf("value %q, want %q", got, "7")
		}
	})
	if got := value(); got != before {
		t.Errorf("value %q after Cleanup, want %q", got, before)
	}
}

func TestNewClosed(t *testing.T) {
	opened := NewClosed(t)
	opened.Sysctl(t, pingGroupRange, everyone)
	for name, tt := range map[string]struct {
		ns   *Namespace
		want error
	}{
		"Self":      {Self(t), nil},
		"New":       {New(t), nil},
		"NewClosed": {NewClosed(t), unix.EACCES},
		"opened":    {opened, nil},
	} {
		tt.ns.Do(t, func() {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
			if err == nil {
				unix.Close(fd)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("ping socket in %s: %v, want %v", name, err, tt.want)
			}
		})
	}
}

func TestDo(t *testing.T) {
	ns := New(t)
	addr := netip.MustParsePrefix("192.0.2.1/32")
	ns.Addr(t, "lo", addr)
	local := func() bool {
		ok, err := isLocal(addr.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	ns.Do(t, func() {
		if !local() {
			t.Error("not inside")
		}
		Self(t).Do(t, func() {
			if local() {
				t.Error("inside, within Self")
			}
		})
		if !local() {
			t.Error("not inside after a visit to Self")
		}
	})
	if local() {
		t.Error("inside after Do")
	}
}
