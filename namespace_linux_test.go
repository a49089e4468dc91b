package ping_test

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// thereTTL is the TTL with which hosts of another namespace answer.
const thereTTL = 33

// newThere returns a namespace whose hosts are told by the TTL of their answers.
func newThere(t *testing.T) *netlab.Namespace {
	t.Helper()
	there := netlab.New(t)
	there.Do(t, func() {
		for _, key := range []string{"ipv4/ip_default_ttl", "ipv6/conf/lo/hop_limit"} {
			if err := os.WriteFile("/proc/sys/net/"+key, []byte(fmt.Sprint(thereTTL)), 0); err != nil {
				t.Error(err)
			}
		}
	})
	return there
}

// threadNamespaces are those of all threads of this process.
func threadNamespaces(t *testing.T) (list []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name, err := os.Readlink(file); err == nil {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// many is a host so often that a Sweep puts all processors to use.
func many(t *testing.T, host string) iter.Seq[netip.Addr] {
	return slices.Values(slices.Repeat([]netip.Addr{netip.MustParseAddr(host)}, skipped.AtLength(t, 5000, 20_000)))
}

// A Pinger stays in the network namespace that it was opened in, whichever its callers are in: each call is answered
// from there, also over sockets that are opened later, and no thread is left there.
func TestOneNamespace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	there := newThere(t)
	there.SetMTU(t, "lo", 1400)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		others := icmpSockets(t)
		var p *ping.Pinger
		there.Do(t, func() { p = openPinger(t, kind) })
		check := func(call string, r ping.Reply, err error) {
			t.Helper()
			if err != nil || r.TTL != thereTTL {
				t.Errorf("%s: TTL %d, want %d: %v", call, r.TTL, thereTTL, err)
			}
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			r, err := p.Ping(t.Context(), host)
			check("Ping", r, err)
			r, err = p.Ping(t.Context(), host, ping.WithDontFragment(true))
			check("Ping with WithDontFragment", r, err)
			if mtu, err := p.PathMTU(t.Context(), host); mtu != 1400 || err != nil {
				t.Errorf("PathMTU: %d, %v", mtu, err)
			}
			n := 0
			for _, r := range p.Sweep(t.Context(), many(t, host)) {
				if n++; r.Err != nil || r.TTL != thereTTL {
					t.Fatalf("Sweep: TTL %d, want %d: %v", r.TTL, thereTTL, r.Err)
				}
			}
			if err := p.Reopen(); err != nil {
				t.Errorf("Reopen: %v", err)
			}
			r, err = p.Ping(t.Context(), host)
			check("after Reopen", r, err)
		}
		if since, release := kernelSince(t, 5, 14); since {
			var want uint64
			there.Do(t, func() { want = cookie(t, -1) })
			for _, fd := range icmpSockets(t) {
				if got := cookie(t, fd); !slices.Contains(others, fd) && got != want {
					t.Errorf("a socket is in the namespace with cookie %d, want %d", got, want)
				}
			}
		} else {
			skipped.Part(t, "SO_NETNS_COOKIE needs Linux 5.14, and this is "+release)
		}
		if list := threadNamespaces(t); len(list) != 1 {
			t.Errorf("threads are in %v", list)
		}
	})
}

// Of a name's addresses, the first is taken that the Pinger's namespace has a route to, and not the caller's.
func TestRouteOfNamespace(t *testing.T) {
	here, there := netlab.Self(t), netlab.New(t)
	near, far := netip.MustParsePrefix("198.18.1.1/24"), netip.MustParsePrefix("198.18.2.1/24")
	for prefix, ns := range map[netip.Prefix]*netlab.Namespace{near: here, far: there} {
		netlab.Link(t, ns, "r0", netlab.New(t), "r1")
		ns.Addr(t, "r0", prefix)
	}
	var p *ping.Pinger
	there.Do(t, func() { p = openPinger(t, listed(near.Addr().Next().String(), far.Addr().Next().String())) })
	if addr, err := p.Resolve(t.Context(), "name.example"); addr != far.Addr().Next() || err != nil {
		t.Errorf("%v, %v, want %v", addr, err, far.Addr().Next())
	}
}

// cookie is that of the network namespace of a socket, or of the calling thread if fd is -1.
func cookie(t *testing.T, fd int) uint64 {
	t.Helper()
	if fd < 0 {
		var err error
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Where the namespace cannot be entered again, what needs another socket fails, and names both namespaces; the rest
// goes on.
func TestNamespaceForbidden(t *testing.T) {
	inChild(t, "", func(string) {
		var p *ping.Pinger
		var name string
		there := newThere(t)
		there.Do(t, func() {
			p = openPinger(t)
			name, _ = os.Readlink("/proc/thread-self/ns/net")
		})
		forbid(t, unix.SYS_SETNS, nil, unix.EPERM)
		check := func(call string, err error) {
			t.Helper()
			if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ping.ErrNotPermitted) {
				t.Errorf("%s: %v", call, err)
				return
			}
			for _, want := range append(threadNamespaces(t), name) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is not in %q", call, want, err)
				}
			}
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			_, err := p.Ping(t.Context(), host, ping.WithDontFragment(true))
			check("Ping with WithDontFragment", err)
			_, err = p.PathMTU(t.Context(), host)
			check("PathMTU", err)
			check("Reopen", p.Reopen())
			n := 0
			for _, r := range p.Sweep(t.Context(), many(t, host)) {
				if n++; r.Err != nil || r.TTL != thereTTL {
					t.Fatalf("Sweep: TTL %d, want %d: %v", r.TTL, thereTTL, r.Err)
				}
			}
			if r, err := p.Ping(t.Context(), host); err != nil || r.TTL != thereTTL {
				t.Errorf("Ping: TTL %d, want %d: %v", r.TTL, thereTTL, err)
			}
		}
	})
}
