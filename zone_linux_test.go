package ping_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// zoned returns the link-local address of the far end of a new link, whose near end, of the namespace near, is c0.
func zoned(t *testing.T, near *netlab.Namespace) netip.Addr {
	t.Helper()
	far := netlab.New(t)
	netlab.LinkAt(t, 12345, near, "c0", far, "c1") // an index as a machine has it that has been up for long
	near.Addr(t, "c0", netip.PrefixFrom(remadeNear, 64))
	far.Addr(t, "c1", netip.PrefixFrom(remadeFar, 64))
	return remadeFar
}

// Zones are found without netlink, as the sockets are that a service may have with
// RestrictAddressFamilies=AF_INET AF_INET6 (systemd.exec(5)).
func TestZoneWithoutNetlink(t *testing.T) {
	var host string
	if !isChild() {
		host = zoned(t, netlab.Self(t)).String()
	}
	inChild(t, host, func(host string) {
		netlink := uint32(unix.AF_NETLINK)
		forbid(t, unix.SYS_SOCKET, &netlink, unix.EAFNOSUPPORT)
		addr := netip.MustParseAddr(host)
		overEachKind(t, func(t *testing.T, kind ping.Option) {
			for _, opts := range [][]ping.Option{{kind}, {kind, ping.WithInterface("c0")}} {
				p := openPinger(t, opts...)
				for name, err := range zonedCalls(t, p, addr.WithZone("c0")) {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				for name, err := range zonedCalls(t, p, addr.WithZone("nosuch0")) {
					if err == nil || !strings.Contains(err.Error(), `zone "nosuch0" is no network interface`) {
						t.Errorf("%s, no such zone: %v", name, err)
					}
				}
			}
		})
	})
}

// zonedCalls pings addr by calls of each kind, and returns what is wrong with each.
func zonedCalls(t *testing.T, p *ping.Pinger, addr netip.Addr) map[string]error {
	errs := map[string]error{}
	check := func(call string, r ping.Reply, err error) {
		if err == nil && r.From != addr {
			err = fmt.Errorf("an answer from %v, want %v", r.From, addr)
		}
		errs[call] = err
	}
	r, err := p.Ping(t.Context(), addr.String())
	check("Ping", r, err)
	r, err = p.Ping(t.Context(), addr.String(), ping.WithDontFragment(true))
	check("Ping with WithDontFragment", r, err)
	for _, r := range p.Sweep(t.Context(), func(yield func(netip.Addr) bool) { yield(addr) }) {
		check("Sweep", r, r.Err)
	}
	w := newWatcher(t, p, ping.WithInterval(ms))
	if err := w.Add(1, addr); err != nil {
		errs["Watcher"] = err
		return errs
	}
	for _, r := range w.Replies(t.Context()) {
		check("Watcher", r, r.Err)
		break
	}
	return errs
}

// A zone is one of the namespace that the Pinger is in, whichever its callers are in; where the ioctl that finds it is
// refused, a number is used as it is, and of a name nothing is said that is not known.
func TestZoneOfNamespace(t *testing.T) {
	there := netlab.New(t)
	addr := zoned(t, there)
	netlab.Link(t, netlab.Self(t), "elsewhere0", netlab.New(t), "elsewhere1")
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		var p *ping.Pinger
		var index int
		there.Do(t, func() { p, index = openPinger(t, kind), indexOf(t, "c0") })
		for _, zone := range []string{"c0", fmt.Sprint(index)} {
			for name, err := range zonedCalls(t, p, addr.WithZone(zone)) {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		_, err := p.Ping(t.Context(), addr.WithZone("elsewhere0").String())
		if err == nil || !strings.Contains(err.Error(), `zone "elsewhere0" is no network interface`) {
			t.Errorf("a zone of another namespace: %v", err)
		}
		if _, err := p.Resolve(t.Context(), addr.WithZone("c0").String()); err != nil {
			t.Errorf("Resolve: %v", err)
		}
		_, err = ping.Resolve(t.Context(), addr.WithZone("c0").String())
		if err == nil || !strings.Contains(err.Error(), `zone "c0" is no network interface`) {
			t.Errorf("Resolve of no Pinger, from another namespace: %v", err)
		}
		there.Do(t, func() {
			if _, err := ping.Resolve(t.Context(), addr.WithZone("c0").String()); err != nil {
				t.Errorf("Resolve of no Pinger: %v", err)
			}
		})
	})
}

func TestZoneNotKnown(t *testing.T) {
	var host string
	if !isChild() {
		addr := zoned(t, netlab.Self(t))
		host = addr.WithZone(fmt.Sprint(indexOf(t, "c0"))).String()
	}
	inChild(t, host, func(host string) {
		p := openPinger(t)
		forbid(t, unix.SYS_IOCTL, nil, unix.EPERM)
		if r, err := p.Ping(t.Context(), host); err != nil || r.From.String() != host {
			t.Errorf("%+v, %v", r, err)
		}
		_, err := p.Ping(t.Context(), "fe80::1%c0")
		if err == nil || strings.Contains(err.Error(), "is no network") || !strings.Contains(err.Error(), "ioctl") {
			t.Errorf("a name that cannot be looked up: %v", err)
		}
	})
}

// To find a zone, and to see that an interface is the same, costs no allocation.
func TestAllocsOfPlaces(t *testing.T) {
	const pings = 2_000
	addr := zoned(t, netlab.Self(t))
	for _, c := range []struct {
		host string
		opts []ping.Option
	}{{addr.WithZone("c0").String(), nil}, {addr.String(), []ping.Option{ping.WithInterface("c0")}}} {
		t.Run(c.host, func(t *testing.T) {
			p := mustNew(t, c.opts...)
			atMost(t, spareAllocs, pings, func(begin func()) {
				begin()
				for range pings {
					if _, err := p.Ping(t.Context(), c.host); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func indexOf(t *testing.T, dev string) int {
	t.Helper()
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	return ifi.Index
}

// A router with nothing but a link-local address answers from that, whose zone is the name of the interface.
func TestZoneOfRouter(t *testing.T) {
	near, router := netlab.Self(t), netlab.New(t)
	router.Sysctl(t, "net/ipv6/conf/default/addr_gen_mode", "1") // no link-local address but the one below
	netlab.Link(t, near, "c0", router, "c1")
	router.Addr(t, "c1", netip.PrefixFrom(remadeFar, 64))
	router.Forward(t)
	near.Addr(t, "c0", netip.MustParsePrefix(near6+"/64"))
	router.Route(t, netip.MustParsePrefix(near6+"/64"), netip.Addr{}, "c1")
	router.Route(t, netip.MustParsePrefix(beyond6+"/64"), netip.Addr{}, "lo")
	near.Route(t, netip.MustParsePrefix(beyond6+"/64"), remadeFar, "c0")
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for range 2 {
			r, err := p.Ping(t.Context(), beyond6, ping.WithTTL(1))
			if want := remadeFar.WithZone("c0"); r.From != want {
				t.Errorf("from %v, want %v: %v", r.From, want, err)
			}
		}
	})
}
