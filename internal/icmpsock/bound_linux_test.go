package icmpsock

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/wire"
)

// bindable is a link whose near end is v0.
func bindable(t *testing.T, far *netlab.Namespace) {
	self := netlab.Self(t)
	netlab.Link(t, self, "v0", far, "v1")
	self.Addr(t, "v0", netip.MustParsePrefix(near4+"/24"))
	self.Addr(t, "v0", netip.MustParsePrefix(near6+"/64"))
	far.Addr(t, "v1", netip.MustParsePrefix(far4+"/24"))
	far.Addr(t, "v1", netip.MustParsePrefix(far6+"/64"))
}

// identifier is what the socket's requests carry.
func identifier(t *testing.T, s *Socket) int {
	t.Helper()
	if s.id != 0 {
		return int(s.id)
	}
	name, err := unix.Getsockname(int(s.fd))
	if err != nil {
		t.Fatal(err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return name.Port
	case *unix.SockaddrInet6:
		return name.Port
	}
	return 0
}

// Where the network interface is made anew, the socket is bound to it again, with the same identifier; or, where the
// process may not do that, a new socket takes over, once, also for the one that waits.
func TestDeviceMadeAnew(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		for _, privileged := range []bool{true, false} {
			if c.Raw && !privileged {
				continue
			}
			far := netlab.New(t)
			bindable(t, far)
			host := far4
			c.Device, c.Source = "v0", netip.MustParseAddr(near4)
			if c.V6 {
				host, c.Source = far6, netip.MustParseAddr(near6)
			}
			s := open(t, c)
			files := openFiles(t)
			try := func(seq int) error {
				_, err := s.Send([]wire.Packet{request(t, host, seq, 56)})
				return err
			}
			if err := try(1); err != nil {
				t.Fatal(err)
			}
			receive(t, s, 1, usualMessage)
			first := identifier(t, s)
			if err := unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
				t.Fatal(err)
			}
			await(t, "something is dropped", func() bool {
				var m memory
				return try(1) == nil && m.read(s.fd) == nil && m[unix.SK_MEMINFO_DROPS] > 0
			})
			for more := true; more; {
				_, backlog, err := s.TryReceive(room(batchSize, usualMessage), true)
				if more = backlog.Replies; err != nil {
					t.Fatal(err)
				}
			}

			netlab.Self(t).DelLink(t, "v0")
			if err := try(2); err == nil {
				t.Error("sent without the interface")
			}
			came := make(chan error)
			go func() { came <- s.Wait() }()
			bindable(t, far)
			now, want := 0, first
			look := func() {
				s.sending.Lock()
				s.sending.followed = time.Time{}
				s.sending.Unlock()
				if err := try(3); err != nil {
					t.Fatal(err)
				}
			}
			if privileged {
				look()
			} else {
				withoutCapabilities(t, look)
				want = identifier(t, s)
			}
			<-came
			receive(t, s, 1, usualMessage)
			if s.Drops() == 0 {
				t.Error("what was dropped before is forgotten")
			}
			for i := range 3 {
				look()
				receive(t, s, 1, usualMessage)
				if now = identifier(t, s); now != want || (now == first) != privileged {
					t.Errorf("privileged %t, probe %d: identifier %d, before %d, first %d", privileged, i, now, want, first)
				}
			}
			if n := openFiles(t); n != files {
				t.Errorf("%d open files, %d before", n, files)
			}
			netlab.Self(t).DelLink(t, "v0")
		}
	})
}

// If neither can be done, the error of what is sent says so.
func TestDeviceLost(t *testing.T) {
	far := netlab.New(t)
	bindable(t, far)
	s := open(t, Config{Device: "v0"})
	netlab.Self(t).DelLink(t, "v0")
	bindable(t, far)
	s.config.Source = netip.MustParseAddr("192.0.2.1")
	withoutCapabilities(t, func() {
		for range 2 {
			_, err := s.Send([]wire.Packet{request(t, far4, 1, 56)})
			if !errors.Is(err, unix.ENODEV) || !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), `"v0"`) {
				t.Error(err)
			}
		}
	})
}

// A subnet's broadcast address is told as what it is, and a prohibited one is not; nothing is sent to either.
func TestBroadcast(t *testing.T) {
	for _, raw := range []bool{false, true} {
		r := newResponder(t, nil)
		prohibited := netip.MustParsePrefix("198.18.0.0/24")
		netlab.Self(t).RouteType(t, prohibited, unix.RTN_PROHIBIT)
		for _, device := range []string{"", "veth0"} {
			s := open(t, Config{Raw: raw, Device: device})
			for host, broadcast := range map[string]bool{"198.51.100.255": true, "198.18.0.1": false} {
				if device != "" && !broadcast {
					continue // the route does not hold for what is bound to an interface
				}
				_, err := s.Send([]wire.Packet{request(t, host, 1, 56)})
				if err == nil || strings.Contains(err.Error(), host+" is a broadcast address") != broadcast {
					t.Errorf("raw %t, device %q, %s: %v", raw, device, host, err)
				}
			}
			if v, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_BROADCAST); v != 0 || err != nil {
				t.Errorf("SO_BROADCAST is %d, %v", v, err)
			}
		}
		if n, _ := r.Count(); n != 0 {
			t.Errorf("%d requests left", n)
		}
		netlab.Self(t).DelLink(t, "veth0")
		netlab.Self(t).DelRoute(t, prohibited)
	}
}
