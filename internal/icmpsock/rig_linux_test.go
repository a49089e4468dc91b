package icmpsock

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

// The addresses of a link, and of what is behind a router at the far end of it.
const (
	near4, near6     = "198.51.100.1", "2001:db8:1::1"
	far4, far6       = "198.51.100.2", "2001:db8:1::2"
	beyond4, beyond6 = "203.0.113.5", "2001:db8:2::5"
)

// newResponder plays all that is beyond a link.
func newResponder(t testing.TB, script func(*netlab.Request) []netlab.Answer) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		MTU:    1500,
		Addrs:  []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
		Script: script,
	})
}

// open opens a socket that is closed with the test.
func open(t testing.TB, c Config) *Socket {
	t.Helper()
	netlab.Require(t)
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sendsLabels reports whether the socket sends IPv6 flow labels. All do since Linux 6.0; before, a datagram socket says
// why not.
func sendsLabels(t testing.TB, s *Socket) bool {
	t.Helper()
	if s.noLabels == nil {
		return true
	}
	p := request(t, "::1", 0, 56)
	p.FlowLabel = 1
	if n, err := s.Send([]wire.Packet{p}); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a flow label: %d sent, %v", n, err)
	}
	if kernel().since(labels6) || s.Raw() {
		t.Errorf("no flow label: %v", s.noLabels)
	}
	skipped.Part(t, fmt.Sprint("flow labels: ", s.noLabels))
	return false
}

// eachSocket runs a test over both kinds of socket of both IP versions.
func eachSocket(t *testing.T, test func(t *testing.T, c Config)) {
	for _, c := range []Config{{}, {Raw: true}, {V6: true}, {V6: true, Raw: true}} {
		name := "datagram4"
		switch {
		case c.V6 && c.Raw:
			name = "raw6"
		case c.V6:
			name = "datagram6"
		case c.Raw:
			name = "raw4"
		}
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// template is an echo request with size bytes of payload.
func template(t testing.TB, v6 bool, size int) []byte {
	t.Helper()
	b, err := wire.NewTemplate(v6, size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// request is an echo request to addr, with the number and as much payload as told.
func request(t testing.TB, addr string, seq, size int) wire.Packet {
	t.Helper()
	to := netip.MustParseAddr(addr)
	return wire.Packet{Addr: to, Data: wire.AppendEcho(nil, template(t, to.Is6(), size), uint16(seq), uint64(seq))}
}

// send sends all packets.
func send(t testing.TB, s *Socket, packets ...wire.Packet) {
	t.Helper()
	if n, err := s.Send(packets); n != len(packets) || err != nil {
		t.Fatalf("%d of %d sent: %v", n, len(packets), err)
	}
}

// room is n packets to receive into, of the usual size or that told.
func room(n, size int) []wire.Packet {
	packets := make([]wire.Packet, n)
	for i := range packets {
		packets[i].Data = make([]byte, size)
	}
	return packets
}

// receive waits until n packets have come, each of which has room for size bytes.
func receive(t testing.TB, s *Socket, n, size int) (came []wire.Packet) {
	t.Helper()
	for len(came) < n {
		packets := room(n-len(came), size)
		got, more, err := s.TryReceive(packets, true)
		if err != nil {
			t.Fatal(err)
		}
		if came = append(came, packets[:got]...); len(came) < n && !more.Replies && !more.Reports {
			if err := s.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return came
}

// await waits until something is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// held is how much the socket's receive buffer holds.
func held(s *Socket) int {
	var m memory
	m.read(s.fd)
	return int(m[unix.SK_MEMINFO_RMEM_ALLOC])
}

// openFiles is how many descriptors are open.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// withoutCapabilities runs f on the calling goroutine's locked thread with no effective capabilities.
func withoutCapabilities(t testing.TB, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		t.Fatal(err)
	}
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	defer unix.Capset(&header, &had[0])
	f()
}
