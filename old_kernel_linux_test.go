package ping_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// uname26 is the personality(2) to which the kernel says that it is Linux 2.6.
const uname26 = 0x0020000

// Before Linux 5.18, an IPv6 datagram socket takes no notice of control messages: the socket's options do the same. It
// is the kernel's release that tells, so that any kernel can play an old one.
func TestOldKernel(t *testing.T) {
	if since, release := kernelSince(t, 5, 18); !since && !strings.HasPrefix(release, "2.6.") {
		skipped.Test(t, "the other tests do the same where the kernel is old, as", release, "is")
	}
	for name, test := range map[string]func(*testing.T){
		"AllocsOverSockets": testAllocsOfOldKernel,
		"FlowOnTheWire":     TestFlowOnTheWire,
		"HeaderPerMessage":  TestHeaderPerMessage,
		"Loopback":          TestLoopback,
		"PathMTULoopback":   TestPathMTULoopback,
		"Router":            TestRouter,
		"TraceBesidePings":  TestTraceBesidePings,
		"TraceMTURouters":   TestTraceMTURouters,
		"TraceNetwork":      TestTraceNetwork,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each in a process of its own
			asOldKernel(t, func() { test(t) })
		})
	}
}

// testAllocsOfOldKernel is TestAllocsOverSockets; without -long, of the sockets alone that the kernel's age changes.
func testAllocsOfOldKernel(t *testing.T) {
	if skipped.AtLength(t, false, true) {
		TestAllocsOverSockets(t)
		return
	}
	echoAllocs(t, "::1", func(t *testing.T) *ping.Pinger {
		return mustNew(t, ping.WithSocket(ping.SocketDatagram), ping.WithTimeout(time.Minute))
	})
}

// asOldKernel runs f in a process to which the kernel says that it is an old one.
func asOldKernel(t *testing.T, f func()) {
	netlab.Require(t)
	if !alone(t, uname26, netlab.Elsewhere()) {
		return
	}
	if since, release := kernelSince(t, 3, 0); since {
		t.Fatalf("the kernel says that it is %s", release)
	}
	f()
}

// What the kernel is too old for is refused with a sentence that says so, and with it nothing else.
func TestTooOldKernel(t *testing.T) {
	asOldKernel(t, func() {
		_, release := kernelSince(t, 3, 0)
		p := openPinger(t, ping.WithSocket(ping.SocketDatagram))
		check := func(what string, err error, words ...string) {
			t.Helper()
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", what, err)
				return
			}
			for _, w := range append(words, release) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %v has no %q", what, err, w)
				}
			}
		}
		_, err := p.Ping(t.Context(), "::1", ping.WithFlow(3))
		check("a flow", err, "flow label", "Linux 6.0")
		if _, err := p.Ping(t.Context(), "127.0.0.1", ping.WithFlow(3)); err != nil {
			t.Error(err)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			_, err = p.AskInterface(t.Context(), host, ping.InterfaceID{Name: "lo"})
			check("a question", err, "extended echo request", "Linux 5.13")
		}
		_, err = p.Ping(t.Context(), "::1", ping.WithDontFragment(true), ping.WithSize(20_000))
		check("a large packet", err, "15013 bytes", "Linux 6.1")
		_, err = p.PathMTU(t.Context(), "::1", ping.WithTimeout(skipped.AtLength(t, 200*ms, time.Second)))
		check("the path MTU", err, "15013 bytes", "Linux 6.1")
		if mtu, err := p.PathMTU(t.Context(), "127.0.0.1"); mtu != 65535 || err != nil {
			t.Errorf("the path MTU is %d, %v", mtu, err)
		}
		raw := openPinger(t, ping.WithSocket(ping.SocketRaw))
		if _, err := raw.Ping(t.Context(), "::1", ping.WithFlow(3)); err != nil {
			t.Error(err)
		}
		if mtu, err := raw.PathMTU(t.Context(), "::1"); mtu != 65536 || err != nil {
			t.Errorf("the path MTU is %d, %v", mtu, err)
		}
	})
}

// Where an option is missing too that would say what the control messages do not, a probe that needs it is refused, and
// no other.
func TestOldHalfKernel(t *testing.T) {
	for _, c := range []struct {
		name   string
		option int
		needs  ping.ProbeOption
	}{
		{"IPV6_UNICAST_HOPS", unix.IPV6_UNICAST_HOPS, ping.WithTTL(5)},
		{"IPV6_TCLASS", unix.IPV6_TCLASS, ping.WithTrafficClass(8)},
	} {
		t.Run(c.name, func(t *testing.T) {
			asOldKernel(t, func() {
				refuseCalls(t, setting(unix.IPPROTO_IPV6, c.option))
				p := openPinger(t, ping.WithSocket(ping.SocketDatagram))
				for range 2 {
					if _, err := p.Ping(t.Context(), "::1", c.needs); !errors.Is(err, errors.ErrUnsupported) ||
						!strings.Contains(err.Error(), c.name) {
						t.Errorf("with it: %v", err)
					}
					if _, err := p.Ping(t.Context(), "::1"); err != nil {
						t.Errorf("without it: %v", err)
					}
					if _, err := p.Ping(t.Context(), "127.0.0.1", c.needs); err != nil {
						t.Errorf("over IPv4: %v", err)
					}
				}
			})
		})
	}
}
