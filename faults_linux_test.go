package ping_test

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// A watch is a Stream that goes on as its replies are asked for.
type watch struct {
	*testing.T
	host    string
	replies chan ping.Reply
}

// newWatch begins to ping host until the test ends.
func newWatch(t *testing.T, p *ping.Pinger, host string, opts ...ping.ProbeOption) *watch {
	w := &watch{t, host, make(chan ping.Reply)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		for r, err := range p.Stream(ctx, host, opts...) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: the stream ended: %v", host, err)
				}
				return
			}
			select {
			case w.replies <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

// until takes replies until one is as wanted. Those before must be replies, timeouts, or as allowed.
func (w *watch) until(what string, wanted, allowed func(error) bool) {
	w.Helper()
	for timeout := time.After(time.Minute); ; {
		select {
		case r := <-w.replies:
			if wanted(r.Err) {
				return
			}
			if r.Err != nil && !errors.Is(r.Err, ping.ErrTimeout) && !allowed(r.Err) {
				w.Errorf("%s, waiting for %s: %v", w.host, what, r.Err)
			}
		case <-timeout:
			w.Fatalf("%s: not within a minute: %s", w.host, what)
		}
	}
}

func answeredRightly(err error) bool { return err == nil }
func never(error) bool               { return false }

// A fault of this host's network ends the probes that it hits, each with its reason, and no others; running calls go
// on, and all is well again when the fault has passed.
func TestFaultsPass(t *testing.T) {
	ns := netlab.Self(t)
	prefix4, prefix6 := netip.MustParsePrefix(near4+"/24"), netip.MustParsePrefix(near6+"/64")
	beyond := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")}
	is := func(errs ...error) func(error) bool {
		return func(err error) bool {
			for _, e := range errs {
				if errors.Is(err, e) {
					return true
				}
			}
			return false
		}
	}
	route := func(kind int) func(*testing.T) func() {
		return func(t *testing.T) func() {
			hosts := []netip.Prefix{netip.MustParsePrefix(beyond4 + "/32"), netip.MustParsePrefix(beyond6 + "/128")}
			for _, host := range hosts {
				ns.RouteType(t, host, kind)
			}
			return func() {
				for _, host := range hosts {
					ns.DelRoute(t, host)
				}
			}
		}
	}
	for _, c := range []struct {
		name       string
		four, six  string
		fault      func(t *testing.T) (mend func())
		want4      func(error) bool
		want6      func(error) bool
		everywhere bool // on loopback too
	}{
		{"interface down", far4, far6, func(t *testing.T) func() {
			ns.SetUp(t, "veth0", false)
			return func() {
				ns.SetUp(t, "veth0", true)
				ns.Addr(t, "veth0", prefix6) // IPv6 addresses go when a device does
			}
		}, is(syscall.ENETUNREACH, syscall.ENETDOWN),
			is(syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL), false},
		{"addresses gone", far4, far6, func(t *testing.T) func() {
			ns.DelAddr(t, "veth0", prefix4)
			ns.DelAddr(t, "veth0", prefix6)
			return func() {
				ns.Addr(t, "veth0", prefix4)
				ns.Addr(t, "veth0", prefix6)
			}
		}, is(syscall.ENETUNREACH), is(syscall.ENETUNREACH, syscall.EADDRNOTAVAIL), false},
		{"routes gone", beyond4, beyond6, func(t *testing.T) func() {
			for _, p := range beyond {
				ns.DelRoute(t, p)
			}
			return func() {
				for _, p := range beyond {
					ns.Route(t, p, netip.Addr{}, "veth0")
				}
			}
		}, is(syscall.ENETUNREACH), is(syscall.ENETUNREACH), false},
		{"prohibited", beyond4, beyond6, route(unix.RTN_PROHIBIT), is(syscall.EACCES), is(syscall.EACCES), false},
		{"unreachable", beyond4, beyond6, route(unix.RTN_UNREACHABLE),
			is(syscall.EHOSTUNREACH), is(syscall.EHOSTUNREACH), false},
		{"black hole", beyond4, beyond6, route(unix.RTN_BLACKHOLE), is(syscall.EINVAL), is(syscall.EINVAL), false},
		{"sends refused by a firewall", far4, far6, func(t *testing.T) func() { return ns.RefuseOutput(t) },
			is(syscall.EPERM), is(ping.ErrTimeout, syscall.EPERM), true},
		{"replies dropped by a firewall", far4, far6, func(t *testing.T) func() { return ns.DropInput(t) },
			is(ping.ErrTimeout), is(ping.ErrTimeout), true},
		// IPv6 datagram sockets tell of neither (net/ipv6/ping.c, ping_v6_sendmsg).
		{"no buffers", far4, far6, func(t *testing.T) func() { return ns.NoRoom(t, "veth0") },
			is(ping.ErrNoRoom), is(ping.ErrNoRoom, ping.ErrTimeout), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			newResponder(t, nil)
			type faulty struct {
				*watch
				want func(error) bool
			}
			var pingers []*ping.Pinger
			var locals []*watch
			var targets []faulty
			for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
				p := openPinger(t, ping.WithSocket(kind))
				pingers = append(pingers, p)
				opts := []ping.ProbeOption{ping.WithInterval(2 * ms), ping.WithTimeout(30 * ms)}
				targets = append(targets, faulty{newWatch(t, p, c.four, opts...), c.want4},
					faulty{newWatch(t, p, c.six, opts...), c.want6})
				if !c.everywhere {
					locals = append(locals, newWatch(t, p, "127.0.0.1", ping.WithInterval(ms/5), ping.WithTimeout(time.Minute)))
				}
			}
			unharmed := func() {
				for _, w := range locals {
					for range skipped.AtLength(t, 8, 20) {
						w.until("a reply", answeredRightly, never)
					}
				}
			}
			well := func() {
				for _, w := range targets {
					w.until("a reply", answeredRightly, w.want) // after the last of those that the fault has met
				}
			}
			for range 2 { // it may come again
				well()
				mend := c.fault(t)
				for range skipped.AtLength(t, 2, 5) {
					for _, w := range targets {
						w.until(c.name, w.want, never)
					}
				}
				unharmed()
				mend()
			}
			well()
			unharmed()
			for _, p := range pingers {
				k := p.Counters()
				if k.Sent != k.Received+k.Lost+k.Abandoned+k.InFlight || k.Stray+k.Corrupted+k.Duplicates != 0 {
					t.Errorf("counters are %+v", k)
				}
			}
		})
	}
}
