package ping_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// refusedSendTime is how much processor time an echo request takes at most that this host itself refuses, on the
// average. It takes some microseconds, and what else goes on in the process, such as collecting garbage; to try it
// again and again takes tens of milliseconds.
const refusedSendTime = 8 * time.Millisecond

// refusals are the ways in which a firewall of this host refuses a packet.
var refusals = map[string]netlab.Refusal{"drop": netlab.Drop, "reject": netlab.Reject}

// A request that a firewall of this host refuses passes it once, for the firewall's answer is told at once, and costs
// no more than one that leaves.
func TestFirewallPassedOnce(t *testing.T) {
	for name, how := range refusals {
		t.Run(name, func(t *testing.T) {
			overEachKind(t, func(t *testing.T, kind ping.Option) { testFirewallPassedOnce(t, kind, how) })
		})
	}
}

func testFirewallPassedOnce(t *testing.T, kind ping.Option, how netlab.Refusal) {
	const each = 8
	refused := netip.MustParsePrefix("127.0.5.0/24")
	host := refused.Addr().Next()
	p := openPinger(t, kind)
	filter := netlab.Self(t).RefuseEchoes(t, refused, how)
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.EPERM) {
			t.Errorf("%s: %v, want %v", what, err, syscall.EPERM)
		}
	}
	counted := 0
	spent := processorTime(t)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"Ping", func() {
			for range each {
				_, err := p.Ping(t.Context(), host.String())
				check("Ping", err)
			}
		}},
		{"PingN", func() {
			s, err := p.PingN(t.Context(), host.String(), each, ping.WithInterval(0))
			if err != nil || s.SendErrors != each || s.Sent != 0 {
				t.Fatalf("PingN: %v, %v", s, err)
			}
			for _, r := range s.Replies {
				check("PingN", r.Err)
			}
		}},
		{"Sweep", func() {
			addrs := func(yield func(netip.Addr) bool) {
				for i, a := 0, host; i < each && yield(a); i, a = i+1, a.Next() {
				}
			}
			for _, r := range p.Sweep(t.Context(), addrs) {
				check("Sweep", r.Err)
			}
		}},
	} {
		c.call()
		n := filter.Count()
		if n-counted != each {
			t.Errorf("%s: %d requests passed the firewall %d times", c.name, each, n-counted)
		}
		counted = n
	}
	if spent = processorTime(t) - spent; spent > 3*each*refusedSendTime {
		t.Errorf("%v of processor time for %d refused requests", spent, 3*each)
	}
	if n := p.Counters(); n.SendErrors != 3*each || n.Sent != 0 || n.LocalDrops != 0 {
		t.Errorf("counters are %+v", n)
	}
}

// For IPv6 it is the same, but a datagram socket is not told, and only the firewall's own ICMP error tells.
func TestFirewallPassedOnce6(t *testing.T) {
	const each = 8
	for name, how := range refusals {
		t.Run(name, func(t *testing.T) {
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				p := openPinger(t, kind)
				filter := netlab.Self(t).RefuseEchoes(t, netip.MustParsePrefix("::1/128"), how)
				runtime.GC() // what other tests have left is none of its time
				spent := processorTime(t)
				for range each {
					_, err := p.Ping(t.Context(), "::1", ping.WithTimeout(skipped.AtLength(t, 10*ms, 50*ms)))
					var told *ping.ICMPError
					if !errors.Is(err, syscall.EPERM) && !errors.Is(err, ping.ErrTimeout) && !errors.As(err, &told) {
						t.Error(err)
					}
				}
				if spent = processorTime(t) - spent; spent > each*refusedSendTime {
					t.Errorf("%v of processor time for %d refused requests", spent, each)
				}
				if n := filter.Count(); n != each {
					t.Errorf("%d requests passed the firewall %d times", each, n)
				}
			})
		})
	}
}

// Streams to targets that a firewall of this host rejects delay no other call: while a Ping lasts, each has its few
// turns and no more, and none costs more processor time than a request that leaves. (How long a Ping takes by the
// clock would say more of what else this machine does: the kernel may take the processor from all of them.)
func TestRejectedBesideHealthy(t *testing.T) {
	const (
		streams = 20
		pings   = 100
		turns   = 5 // requests of each stream that are rejected during a Ping, at most
	)
	least := skipped.AtLength(t, 80, 200) // in all
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		filter := netlab.Self(t).RefuseEchoes(t, netip.MustParsePrefix("127.0.6.0/24"), netlab.Reject)
		ctx, cancel := context.WithCancel(t.Context())
		var others sync.WaitGroup
		defer others.Wait()
		defer cancel()
		spent := processorTime(t)
		for i := range streams {
			others.Go(func() {
				for r, err := range p.Stream(ctx, fmt.Sprintf("127.0.6.%d", 1+i), ping.WithInterval(50*time.Millisecond)) {
					if err == nil && !errors.Is(r.Err, syscall.EPERM) {
						t.Errorf("rejected: %v", r.Err)
					}
				}
			})
		}
		made := 0
		for rejected := 0; made < pings || rejected < least; made++ {
			if _, err := p.Ping(t.Context(), "127.0.0.1", ping.WithTimeout(time.Minute)); err != nil {
				t.Fatal(err)
			}
			now := filter.Count()
			if most := turns * streams; now-rejected > most {
				t.Fatalf("%d requests were rejected while a Ping lasted, want %d at most", now-rejected, most)
			}
			rejected = now
		}
		made += filter.Count()
		if spent = processorTime(t) - spent; spent > time.Duration(made)*refusedSendTime {
			t.Errorf("%v of processor time for %d requests", spent, made)
		}
	})
}

// The routes and the firewall of this host refuse a probe at once, and the run goes on.
func TestRefusedHere(t *testing.T) {
	ns := netlab.Self(t)
	for _, c := range []struct {
		name  string
		route int // 0: none
		want  error
	}{
		{"no route", 0, syscall.ENETUNREACH},
		{"unreachable", unix.RTN_UNREACHABLE, syscall.EHOSTUNREACH},
		{"prohibit", unix.RTN_PROHIBIT, syscall.EACCES},
		{"blackhole", unix.RTN_BLACKHOLE, syscall.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.route != 0 {
				ns.RouteType(t, netip.MustParsePrefix("192.0.2.0/24"), c.route)
			}
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				p := openPinger(t, kind)
				s, err := p.PingN(t.Context(), "192.0.2.1", 3, ping.WithInterval(ms))
				if err != nil || s.SendErrors != 3 || s.Sent != 0 {
					t.Fatalf("got %v, %v", s, err)
				}
				for _, r := range s.Replies {
					if !errors.Is(r.Err, c.want) {
						t.Errorf("got %v, want %v", r.Err, c.want)
					}
				}
				if _, err := p.Ping(t.Context(), "192.0.2.1"); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
					t.Error(err)
				}
			})
		})
	}
	t.Run("firewall", func(t *testing.T) {
		overEachKind(t, func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			undo := ns.RefuseOutput(t)
			s, err := p.PingN(t.Context(), "127.0.0.1", 3, ping.WithInterval(ms))
			if err != nil || s.SendErrors != 3 || !errors.Is(s.Replies[0].Err, fs.ErrPermission) {
				t.Errorf("got %v, %v", s, err)
			}
			undo()
			if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
				t.Error(err)
			}
		})
	})
}
