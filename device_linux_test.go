package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// A remade is a link between the tests' namespace and far, which can be made anew: the interfaces have the same names
// and addresses then, and other indexes.
type remade struct{ far *netlab.Namespace }

// The link-local addresses of both ends.
var remadeNear, remadeFar = netip.MustParseAddr("fe80::a"), netip.MustParseAddr("fe80::b")

func newRemade(t *testing.T) *remade {
	r := &remade{netlab.New(t)}
	r.make(t)
	return r
}

func (r *remade) make(t *testing.T) {
	self := netlab.Self(t)
	netlab.Link(t, self, "v0", r.far, "v1")
	self.Addr(t, "v0", netip.MustParsePrefix(near4+"/24"))
	self.Addr(t, "v0", netip.MustParsePrefix(near6+"/64"))
	self.Addr(t, "v0", netip.PrefixFrom(remadeNear, 64))
	r.far.Addr(t, "v1", netip.MustParsePrefix(far4+"/24"))
	r.far.Addr(t, "v1", netip.MustParsePrefix(far6+"/64"))
	r.far.Addr(t, "v1", netip.PrefixFrom(remadeFar, 64))
}

// again makes the link anew.
func (r *remade) again(t *testing.T) {
	netlab.Self(t).DelLink(t, "v0")
	r.make(t)
}

// remadeTargets are hosts beyond the link, and the options with which they are reached through its interface alone.
var remadeTargets = []struct {
	name string
	host string
	opts []ping.Option
}{
	{"IPv4", far4, []ping.Option{ping.WithInterface("v0")}},
	{"IPv6", far6, []ping.Option{ping.WithInterface("v0")}},
	{"from a source", far6, []ping.Option{ping.WithInterface("v0"), ping.WithSource(netip.MustParseAddr(near6))}},
	{"from a link-local source", far6, []ping.Option{ping.WithInterface("v0"), ping.WithSource(remadeNear)}},
	{"zone", remadeFar.WithZone("v0").String(), nil},
	{"from a zone", remadeFar.String() + "%v0", []ping.Option{ping.WithSource(remadeNear.WithZone("v0"))}},
	{"link-local", remadeFar.String(), []ping.Option{ping.WithInterface("v0")}},
}

// A network interface is the one that has the name: where it is made anew, what runs goes on by itself.
func TestInterfaceMadeAnew(t *testing.T) {
	link := newRemade(t)
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	answers := map[string]*atomic.Int64{}
	begin := func(kind ping.SocketKind, name, host string, opts []ping.Option) {
		p := openPinger(t, append(slices.Clone(opts), ping.WithSocket(kind), ping.WithInterval(10*ms),
			ping.WithTimeout(100*ms))...)
		run := func(call string, f func(seen func(ping.Reply))) {
			n := new(atomic.Int64)
			answers[fmt.Sprintf("%s, %v socket, %s", name, kind, call)] = n
			calls.Go(func() {
				f(func(r ping.Reply) {
					if r.Err == nil {
						n.Add(1)
					}
				})
			})
		}
		run("Stream", func(seen func(ping.Reply)) {
			for r := range p.Stream(ctx, host) {
				seen(r)
			}
		})
		run("Sweep", func(seen func(ping.Reply)) {
			for _, r := range p.Sweep(ctx, paced(ctx, host)) {
				seen(r)
			}
		})
		run("Watcher", func(seen func(ping.Reply)) {
			w := newWatcher(t, p)
			if err := w.Add(1, netip.MustParseAddr(host)); err != nil {
				t.Error(err)
			}
			for _, r := range w.Replies(ctx) {
				seen(r)
			}
		})
	}
	for _, target := range remadeTargets {
		begin(ping.SocketDatagram, target.name, target.host, target.opts)
		begin(ping.SocketRaw, target.name, target.host, target.opts)
	}
	for round := range skipped.AtLength(t, 2, 3) {
		if round > 0 {
			link.again(t)
		}
		before := map[string]int64{}
		for name, n := range answers {
			before[name] = n.Load()
		}
		for name, n := range answers {
			eventually(t, name+" goes on", func() bool { return n.Load() > before[name]+3 })
		}
	}
}

// Reopen does that at once.
func TestReopenInterfaceMadeAnew(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		link := newRemade(t)
		pingers := make([]*ping.Pinger, len(remadeTargets))
		for i, target := range remadeTargets {
			pingers[i] = openPinger(t, append(slices.Clone(target.opts), kind)...)
			if _, err := pingers[i].Ping(t.Context(), target.host); err != nil {
				t.Errorf("%s: %v", target.name, err)
			}
		}
		link.again(t)
		for i, target := range remadeTargets {
			if err := pingers[i].Reopen(); err != nil {
				t.Error(err)
			}
			if _, err := pingers[i].Ping(t.Context(), target.host); err != nil {
				t.Errorf("%s: %v", target.name, err)
			}
		}
	})
}

// A socket that is bound to a network interface is told of the kernel's own ICMP errors, and of routers'.
func TestErrorsOnInterface(t *testing.T) {
	chain(t)
	hasten(t, netlab.Self(t), "c0")
	var all []func()
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		for _, wire := range []bool{false, true} {
			p := openPinger(t, ping.WithSocket(kind), ping.WithWireTimestamps(wire), ping.WithInterface("c0"),
				ping.WithTimeout(time.Minute))
			for _, c := range []struct{ host, from string }{
				{"198.51.100.77", near4}, {"2001:db8:1::77", near6}, {beyond4, "198.51.100.254"}, {beyond6, "2001:db8:1::fe"},
			} {
				all = append(all, func() {
					r, err := p.Ping(t.Context(), c.host, ping.WithTTL(1))
					if !errors.As(err, new(*ping.ICMPError)) || r.From.String() != c.from {
						t.Errorf("%s, %v socket, wire stamps %t: %+v, %v", c.host, kind, wire, r, err)
					}
					if _, err := p.Ping(t.Context(), c.from); c.from != near4 && c.from != near6 && err != nil {
						t.Errorf("%s, %v socket, wire stamps %t: %v", c.from, kind, wire, err)
					}
				})
			}
		}
	}
	together(all)
}

// paced yields an address every 10 ms, until ctx ends.
func paced(ctx context.Context, host string) func(yield func(netip.Addr) bool) {
	addr := netip.MustParseAddr(host)
	return func(yield func(netip.Addr) bool) {
		tick := time.NewTicker(10 * ms)
		defer tick.Stop()
		for yield(addr) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Where WithInterface and the zone of WithSource are not the same interface, that is an error, which names both
// options.
func TestSourceOfOtherInterface(t *testing.T) {
	newRemade(t)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, c := range []struct{ device, zone, want string }{
			{"v0", "v0", ""},
			{"v0", fmt.Sprint(indexOf(t, "v0")), ""},
			{"lo", "v0", `WithSource(fe80::a%v0): its zone is not the network interface "lo"`},
			{"v0", "nosuch0", `WithSource(fe80::a%nosuch0): zone "nosuch0" is no network interface`},
			{"nosuch0", "v0", `WithInterface("nosuch0"): setsockopt: no such device`},
		} {
			check := nothingLeft(t)
			p, err := ping.New(kind, ping.WithInterface(c.device), ping.WithSource(remadeNear.WithZone(c.zone)))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("interface %q, zone %q: %v", c.device, c.zone, err)
			}
			if p != nil {
				if _, err := p.Ping(t.Context(), remadeFar.String()); err != nil {
					t.Errorf("interface %q, zone %q: %v", c.device, c.zone, err)
				}
				p.Close()
			}
			check()
		}
	})
}
