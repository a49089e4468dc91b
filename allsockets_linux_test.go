package ping_test

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// With WithAllSockets, no call needs to open another socket, in whichever namespace its caller is.
func TestAllSockets(t *testing.T) {
	inChild(t, "", func(string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
		there := newThere(t)
		var pingers []*ping.Pinger
		for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
			there.Do(t, func() {
				before := len(icmpSockets(t))
				pingers = append(pingers, openPinger(t, ping.WithSocket(kind), ping.WithAllSockets(true)))
				if n := len(icmpSockets(t)) - before; n != 2*2*3 {
					t.Errorf("%d sockets for 3 processors", n)
				}
			})
		}
		for _, p := range pingers {
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
		opened := len(icmpSockets(t))
		forbid(t, unix.SYS_SOCKET, nil, unix.EPERM)
		for range 2 {
			for _, p := range pingers {
				for _, host := range []string{"127.0.0.1", "::1"} {
					allSocketsCalls(t, p, host)
				}
				if err := p.Reopen(); !errors.Is(err, unix.EPERM) {
					t.Errorf("Reopen: %v", err)
				}
			}
		}
		if n := len(icmpSockets(t)); n != opened {
			t.Errorf("%d sockets, %d before", n, opened)
		}
	})
}

// allSocketsCalls has the Pinger put all its sockets to use, for a host of the namespace that newThere made.
func allSocketsCalls(t *testing.T, p *ping.Pinger, host string) {
	t.Helper()
	for _, whole := range []bool{false, true} {
		if r, err := p.Ping(t.Context(), host, ping.WithDontFragment(whole)); err != nil || r.TTL != thereTTL {
			t.Errorf("%s, in one piece %t: %+v, %v", host, whole, r, err)
		}
		for _, r := range p.Sweep(t.Context(), many(t, host), ping.WithDontFragment(whole)) {
			if r.Err != nil || r.TTL != thereTTL {
				t.Fatalf("Sweep, %s, in one piece %t: %+v", host, whole, r)
			}
		}
	}
	if _, err := p.PathMTU(t.Context(), host); err != nil && !refusesLarge(t, host, err) {
		t.Errorf("PathMTU, %s: %v", host, err)
	}
}

// When there are more processors later, a Sweep makes do with the sockets that there are.
func TestAllSocketsAndMoreProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := openPinger(t, ping.WithAllSockets(true))
	before := len(icmpSockets(t))
	runtime.GOMAXPROCS(6)
	for _, r := range p.Sweep(t.Context(), many(t, "::1")) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if n := len(icmpSockets(t)); n != before {
		t.Errorf("%d sockets, %d before", n, before)
	}
}

// Where one of them cannot be opened, New fails, and leaves nothing open.
func TestAllSocketsFail(t *testing.T) {
	netlab.Require(t)
	mustNew(t).Close() // what the runtime opens once is open
	check := nothingLeft(t)
	f := newFamine(t)
	f.spare(12) // for two sockets, and some more
	p, err := ping.New(ping.WithAllSockets(true))
	if p != nil || !errors.Is(err, unix.EMFILE) || !strings.HasPrefix(err.Error(), "ping: WithAllSockets: ") {
		t.Errorf("%v, %v", p, err)
	}
	p, err = ping.New()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	f.end()
	check()
}

// Without a socket of a family there are no others of it.
func TestAllSocketsOfOneFamily(t *testing.T) {
	before := len(icmpSockets(t))
	p := openPinger(t, ping.WithAllSockets(true), ping.WithSource(netip.MustParseAddr("127.0.0.1")))
	want := 2 * min(max(runtime.GOMAXPROCS(0), 2), 16)
	if n := len(icmpSockets(t)) - before; n != want {
		t.Errorf("%d sockets, want %d", n, want)
	}
	if _, err := p.Ping(t.Context(), "::1"); err == nil || !strings.Contains(err.Error(), "WithSource(127.0.0.1)") {
		t.Error(err)
	}
}
