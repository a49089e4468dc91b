package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/pingtest"
)

// A lab is a line of two routers and a host: namespaces of the kernel's own, or pingtest's.
type lab struct {
	kernel *netlab.Chain
	fake   *pingtest.Network
	hosts  [2][3]*pingtest.Host // by family
	addrs  [2][]netip.Addr
	self   [2]netip.Addr // the address of those that ping
	pinger *ping.Pinger
}

// nobodies are addresses of the first link that no host has.
var nobodies = [2]string{"10.77.0.99", "fd77::99"}

// ping is what becomes of one request after another.
func (l *lab) ping(t *testing.T, host netip.Addr, n int, opts ...ping.ProbeOption) (outcomes []string) {
	opts = append([]ping.ProbeOption{ping.WithTimeout(5 * time.Second)}, opts...)
	for range n {
		_, err := l.pinger.Ping(t.Context(), host.String(), opts...)
		outcomes = append(outcomes, outcome(err))
	}
	return outcomes
}

// outcome is an error without what the kernel and pingtest may say in different words.
func outcome(err error) string {
	var refused *ping.ICMPError
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, syscall.EMSGSIZE):
		return "too big to leave"
	}
	return ping.ErrorKind(err)
}

// What pingtest does, the kernels of Linux on both ends and between do.
func TestAsTheKernel(t *testing.T) {
	const size = 1400
	narrow := func(mtu int) func(t *testing.T, l *lab) {
		return func(t *testing.T, l *lab) {
			if l.kernel == nil {
				for _, family := range l.hosts {
					family[0].Set(pingtest.MTU(mtu))
				}
				return
			}
			// A route, not a link: answers are not limited.
			for i, prefix := range []string{"10.77.2.0/24", "fd77:0:2::/64"} {
				l.kernel.Routers[0].NarrowRoute(t, netip.MustParsePrefix(prefix), l.addrs[i][1], mtu)
			}
		}
	}
	link := func(mtu int) func(t *testing.T, l *lab) {
		return func(t *testing.T, l *lab) {
			if l.kernel == nil {
				l.fake.LinkMTU(mtu)
				return
			}
			netlab.Self(t).SetMTU(t, "down0", mtu)
			l.kernel.Routers[0].SetMTU(t, "up0", mtu)
			// The far end learns of it by an answer that it loses.
			l.ping(t, l.addrs[1][2], 1, ping.WithSize(size), ping.WithTimeout(50*ms))
		}
	}
	whole, pieces := ping.WithDontFragment(true), ping.WithDontFragment(false)
	for _, c := range []struct {
		name    string
		slow    bool
		prepare func(t *testing.T, l *lab)
		run     func(t *testing.T, l *lab, family int) []string
	}{
		{"answers", false, nil, func(t *testing.T, l *lab, family int) []string {
			return l.ping(t, l.addrs[family][2], 2, ping.WithSize(size))
		}},
		{"hops", false, nil, func(t *testing.T, l *lab, family int) (outcomes []string) {
			for ttl := range 3 {
				outcomes = append(outcomes, l.ping(t, l.addrs[family][2], 1, ping.WithTTL(ttl+1))...)
			}
			return outcomes
		}},
		{"narrow", false, narrow(1280), func(t *testing.T, l *lab, family int) []string {
			host := l.addrs[family][2]
			return slices.Concat(
				l.ping(t, host, 2, ping.WithSize(size), whole),
				l.ping(t, host, 3, ping.WithSize(size), pieces),
				l.ping(t, host, 2, ping.WithSize(size), whole),
				l.ping(t, host, 2, ping.WithSize(size), pieces),
			)
		}},
		{"narrow, in pieces", false, narrow(1280), func(t *testing.T, l *lab, family int) []string {
			return l.ping(t, l.addrs[family][2], 3, ping.WithSize(size), pieces)
		}},
		{"own link", false, link(1280), func(t *testing.T, l *lab, family int) []string {
			host := l.addrs[family][2]
			return slices.Concat(
				l.ping(t, host, 2, ping.WithSize(size), whole),
				l.ping(t, host, 2, ping.WithSize(size), pieces),
				l.ping(t, host, 1, ping.WithSize(56), whole),
			)
		}},
		{"own link, and narrow beyond", false, func(t *testing.T, l *lab) { link(1380)(t, l); narrow(1300)(t, l) },
			func(t *testing.T, l *lab, family int) []string {
				return l.ping(t, l.addrs[family][2], 3, ping.WithSize(size), pieces)
			}},
		{"link-local", false, nil, func(t *testing.T, l *lab, family int) []string {
			if family == 0 {
				return nil // where they need no zone
			}
			return l.ping(t, netip.MustParseAddr("fe80::7"), 1)
		}},
		{"nobody on the link", true, func(t *testing.T, l *lab) {
			if l.kernel == nil {
				for i, addr := range nobodies {
					l.fake.Host(addr, pingtest.Unreachable(l.self[i].String()))
				}
			}
		}, func(t *testing.T, l *lab, family int) (outcomes []string) {
			// The second is refused when the first is, though it leaves a second later.
			s, err := l.pinger.PingN(t.Context(), nobodies[family], 2, ping.WithTimeout(10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range s.Replies {
				outcomes = append(outcomes, outcome(r.Err))
			}
			return append(outcomes, fmt.Sprint("the second waits less: ", s.Replies[1].RTT < s.Replies[0].RTT))
		}},
		{"limited router", false, func(t *testing.T, l *lab) {
			if l.kernel == nil {
				l.hosts[0][0].Set(pingtest.ErrorLimit(6, 5*time.Second))
				l.hosts[1][0].Set(pingtest.Silent()) // whose limit depends on the routes that it has
				return
			}
			l.kernel.Routers[0].Sysctl(t, "net/ipv4/icmp_ratelimit", "5000")
			l.kernel.Routers[0].Sysctl(t, "net/ipv6/icmp/ratelimit", "5000")
		}, func(t *testing.T, l *lab, family int) []string {
			if family == 1 {
				return nil
			}
			s, err := l.pinger.PingN(t.Context(), l.addrs[0][2].String(), 7,
				ping.WithTTL(1), ping.WithInterval(0), ping.WithTimeout(skipped.AtLength(t, 300*ms, time.Second)))
			return []string{fmt.Sprint(s.Errors, " of 7, ", err), strings.Join(l.ping(t, l.addrs[0][2], 1), " ")}
		}},
	} {
		if c.slow && skipped.AtLength(t, 0, 1) == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			run := func(t *testing.T, l *lab) (got [2][]string) {
				if c.prepare != nil {
					c.prepare(t, l)
				}
				for family := range got {
					got[family] = c.run(t, l, family)
				}
				return got
			}
			var fake, kernel [2][]string
			synctest.Test(t, func(t *testing.T) { fake = run(t, newFakeLab(t)) })
			kernel = run(t, newKernelLab(t))
			t.Logf("%q", kernel)
			for family := range kernel {
				if !slices.Equal(fake[family], kernel[family]) {
					t.Errorf("IPv%d: pingtest\n%q\nthe kernel\n%q", 4+2*family, fake[family], kernel[family])
				}
			}
		})
	}
}

func newKernelLab(t *testing.T) *lab {
	chain := netlab.NewChain(t, netlab.Self(t), 2)
	return &lab{
		kernel: chain,
		addrs:  [2][]netip.Addr{chain.Addrs4, chain.Addrs6},
		pinger: mustNew(t),
	}
}

func newFakeLab(t *testing.T) *lab {
	n := pingtest.NewNetwork()
	l := &lab{
		fake:   n,
		self:   [2]netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1")},
		pinger: n.Pinger(t),
	}
	for family, format := range []string{"10.77.%d.2", "fd77:0:%x::2"} {
		var router *pingtest.Host
		for i := range 3 {
			h := n.Host(fmt.Sprintf(format, i), pingtest.Behind(router))
			l.hosts[family][i], router = h, h
			l.addrs[family] = append(l.addrs[family], h.Addr())
		}
	}
	return l
}
