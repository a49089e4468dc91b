package ping_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// setting is the refusal of a socket option.
func setting(level, option int) systemCall {
	return systemCall{unix.SYS_SETSOCKOPT, map[int]uint32{1: uint32(level), 2: uint32(option)}, unix.ENOPROTOOPT}
}

// reading is the refusal to read a socket option.
func reading(level, option int) systemCall {
	return systemCall{unix.SYS_GETSOCKOPT, map[int]uint32{1: uint32(level), 2: uint32(option)}, unix.EPERM}
}

// missing is a system call that there is not.
func missing(number uint32) systemCall { return systemCall{number: number, errno: unix.ENOSYS} }

// A halfKernel lacks something that a Pinger uses.
type halfKernel struct {
	name  string
	calls []systemCall
	noted []string // what the log says is refused
	check func(t *testing.T, kind ping.Option)
}

// halfKernels are those that a Pinger does with.
var halfKernels = []halfKernel{
	{"SO_RCVBUF", []systemCall{setting(unix.SOL_SOCKET, unix.SO_RCVBUF)}, []string{"SO_RCVBUF"}, nil},
	{"SO_SNDBUF", []systemCall{setting(unix.SOL_SOCKET, unix.SO_SNDBUF)}, []string{"SO_SNDBUF"}, nil},
	{"SO_RCVBUF-unread", []systemCall{reading(unix.SOL_SOCKET, unix.SO_RCVBUF)}, []string{"SO_RCVBUF"}, checkSweep},
	{"SO_TIMESTAMPNS", []systemCall{setting(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS)}, []string{"SO_TIMESTAMPNS"},
		func(t *testing.T, kind ping.Option) {
			for _, wire := range []bool{false, true} { // which has the kernel stamp replies too
				p := openPinger(t, kind, ping.WithWireTimestamps(wire))
				for _, host := range []string{"127.0.0.1", "::1"} {
					r, err := p.Ping(t.Context(), host)
					if err != nil || r.Clock != ping.ClockUser && !wire || r.RTT <= 0 || r.RTT > time.Minute {
						t.Errorf("%s: %+v, %v", host, r, err)
					}
				}
			}
		}},
	{"SO_TIMESTAMPING", []systemCall{setting(unix.SOL_SOCKET, unix.SO_TIMESTAMPING)}, nil,
		func(t *testing.T, kind ping.Option) {
			r, err := openPinger(t, kind, ping.WithWireTimestamps(true)).Ping(t.Context(), "::1")
			if err != nil || r.Clock != ping.ClockKernel {
				t.Errorf("%+v, %v", r, err)
			}
			if since, _ := kernelSince(t, 6, 13); since {
				checkNoted(t, []string{"SO_TIMESTAMPING"}, kind, ping.WithWireTimestamps(true))
			}
		}},
	{"RECVERR", []systemCall{setting(unix.IPPROTO_IP, unix.IP_RECVERR), setting(unix.IPPROTO_IPV6, unix.IPV6_RECVERR)},
		[]string{"IP_RECVERR", "IPV6_RECVERR"}, checkDeaf},
	{"RECVERR_RFC4884", []systemCall{setting(unix.IPPROTO_IP, unix.IP_RECVERR_RFC4884),
		setting(unix.IPPROTO_IPV6, unix.IPV6_RECVERR_RFC4884)}, []string{"IP_RECVERR_RFC4884", "IPV6_RECVERR_RFC4884"},
		checkTrace},
	{"RECVTTL", []systemCall{setting(unix.IPPROTO_IP, unix.IP_RECVTTL),
		setting(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT)}, []string{"IP_RECVTTL", "IPV6_RECVHOPLIMIT"},
		func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			for _, host := range []string{"127.0.0.1", "::1"} {
				if r, err := p.Ping(t.Context(), host); err != nil || r.TTL != 0 {
					t.Errorf("%s: %+v, %v", host, r, err)
				}
			}
			checkTrace(t, kind)
		}},
	{"IPV6_FLOWINFO_SEND", []systemCall{setting(unix.IPPROTO_IPV6, 33)}, []string{"IPV6_FLOWINFO_SEND"},
		func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind, ping.WithFlow(7))
			if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
				t.Error(err)
			}
			checkUnsupported(t, p, "::1", "flow label", ping.WithFlow(3))
			checkTrace(t, kind)
		}},
	{"MTU_DISCOVER", []systemCall{setting(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER),
		setting(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER)}, []string{"IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER"},
		func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			for _, host := range []string{"127.0.0.1", "::1"} {
				checkUnsupported(t, p, host, "WithDontFragment", ping.WithDontFragment(true))
				if mtu, err := p.PathMTU(t.Context(), host); mtu != 0 || !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("the path MTU is %d, %v", mtu, err)
				}
			}
		}},
	{"SO_MEMINFO", []systemCall{reading(unix.SOL_SOCKET, unix.SO_MEMINFO)}, []string{"SO_MEMINFO"},
		func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			for _, host := range []string{"198.18.0.1", "2001:db8:ffff::1"} {
				if _, err := p.Ping(t.Context(), host); !errors.Is(err, unix.ENETUNREACH) || errors.Is(err, ping.ErrNoRoom) {
					t.Errorf("%s: %v", host, err)
				}
			}
			checkTrace(t, kind)
			var calls sync.WaitGroup // the router's errors are those of the probes with a short way, and of no others
			for i := range 4 {
				short := i%2 == 0
				opts := []ping.ProbeOption{ping.WithInterval(0), ping.WithTimeout(time.Minute)}
				if short { // and a router sends so many errors, and no more
					opts = []ping.ProbeOption{ping.WithInterval(0), ping.WithTimeout(20 * ms), ping.WithTTL(1)}
				}
				for _, host := range []string{beyond4, beyond6} {
					calls.Go(func() {
						s, err := p.PingN(t.Context(), host, 300, opts...)
						if err != nil || s.SendErrors != 0 || !short && s.Received != 300 || short && s.Errors == 0 {
							t.Errorf("%s: %v, %v", host, s, err)
						}
					})
				}
			}
			calls.Wait()
		}},
	{"SO_ATTACH_FILTER", []systemCall{setting(unix.SOL_SOCKET, unix.SO_ATTACH_FILTER)}, nil,
		func(t *testing.T, kind ping.Option) {
			p := openPinger(t, kind)
			others := openPinger(t, ping.WithSocket(ping.SocketDatagram))
			if _, err := others.PingN(t.Context(), "127.0.0.1", 50, ping.WithInterval(0)); err != nil {
				t.Error(err)
			}
			checkSweep(t, kind)
			if _, err := p.Ping(t.Context(), "::1"); err != nil {
				t.Error(err)
			}
			if c := p.Counters(); c.Stray+c.Corrupted+c.Duplicates != 0 {
				t.Errorf("counters %+v", c)
			}
		}},
	{"SO_BROADCAST", []systemCall{setting(unix.SOL_SOCKET, unix.SO_BROADCAST)}, nil, nil},
	{"sendmmsg", []systemCall{missing(unix.SYS_SENDMMSG)}, []string{"sendmmsg"}, checkSweep},
	{"recvmmsg", []systemCall{missing(unix.SYS_RECVMMSG)}, []string{"recvmmsg"}, func(t *testing.T, kind ping.Option) {
		checkSweep(t, kind)
		checkTrace(t, kind)
	}},
	{"ppoll", []systemCall{missing(unix.SYS_PPOLL)}, nil, checkSweep},
	{"eventfd2", []systemCall{missing(unix.SYS_EVENTFD2)}, nil, checkSweep},
}

// A kernel of which some of what a Pinger uses is missing, as under seccomp, gVisor, qemu's emulation of programs or
// WSL 1, is good for the rest; and the log says what that costs.
func TestHalfKernel(t *testing.T) {
	all := halfKernel{name: "all"}
	for _, h := range halfKernels {
		if !slices.Contains([]string{"SO_BROADCAST"}, h.name) {
			all.calls, all.noted = append(all.calls, h.calls...), append(all.noted, h.noted...)
		}
	}
	kernels := append(slices.Clip(halfKernels), all)
	if runtime.GOARCH == "amd64" {
		kernels = append(kernels, halfKernel{name: "epoll_wait", calls: []systemCall{missing(232)}, check: checkSweep})
	}
	for _, h := range kernels {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel() // each in a process of its own
			netlab.Require(t)
			if !alone(t, 0, netlab.Elsewhere()) {
				return
			}
			chain(t)
			refuseCalls(t, h.calls...)
			kinds := []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw}
			if h.name == "SO_BROADCAST" { // which a raw socket has at first
				kinds = kinds[:1]
			}
			for _, kind := range kinds {
				t.Run(kind.String(), func(t *testing.T) {
					option, noted := ping.WithSocket(kind), h.noted
					if kind == ping.SocketRaw && slices.Contains([]string{"SO_ATTACH_FILTER", "all"}, h.name) {
						noted = append(slices.Clip(noted), "SO_ATTACH_FILTER")
					}
					checkNoted(t, noted, option)
					p := openPinger(t, option)
					for _, host := range []string{"127.0.0.1", "::1", beyond4, beyond6} {
						s, err := p.PingN(t.Context(), host, 3, ping.WithInterval(0), ping.WithTimeout(time.Minute),
							ping.WithTTL(9), ping.WithTrafficClass(8))
						if err != nil || s.Received != 3 || s.Duplicates+s.Stray+s.Corrupted+s.LocalDrops != 0 {
							t.Errorf("%s: %v, %v", host, s, err)
						}
					}
					if h.check != nil {
						h.check(t, option)
					}
				})
			}
		})
	}
}

// What keeps others from our replies, and us from pinging a whole network, is not given up.
func TestHalfKernelUnsafe(t *testing.T) {
	for _, c := range []struct {
		name   string
		option int
		kinds  []ping.SocketKind
	}{
		{"SO_REUSEADDR", unix.SO_REUSEADDR, []ping.SocketKind{ping.SocketAuto, ping.SocketDatagram, ping.SocketRaw}},
		{"SO_BROADCAST", unix.SO_BROADCAST, []ping.SocketKind{ping.SocketRaw}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each in a process of its own
			netlab.Require(t)
			if !alone(t, 0, netlab.Elsewhere()) {
				return
			}
			refuseCalls(t, setting(unix.SOL_SOCKET, c.option))
			for _, kind := range c.kinds {
				p, err := ping.New(ping.WithSocket(kind))
				if err == nil {
					p.Close()
				}
				if !errors.Is(err, unix.ENOPROTOOPT) {
					t.Errorf("%v: %v", kind, err)
				}
			}
		})
	}
}

// checkNoted asserts that the log says that all of the names are refused, why, and what that costs; and nothing else of
// that kind.
func checkNoted(t *testing.T, names []string, opts ...ping.Option) {
	t.Helper()
	var notes noteTaker
	openPinger(t, append(opts, ping.WithLogger(slog.New(&notes)))...).Close()
	got := map[string]bool{}
	for _, n := range notes.refused {
		if n.what == "" || n.cost == "" || n.err == "" {
			t.Errorf("noted %+v", n)
		}
		got[n.what] = true
	}
	if since, _ := kernelSince(t, 6, 0); !since { // the kernel's own refusal
		delete(got, "IPV6_FLOWINFO_SEND")
	}
	for _, name := range names {
		if _, noted := got[name]; !noted && name != "IPV6_FLOWINFO_SEND" {
			t.Errorf("nothing says that %s is refused: %+v", name, notes.refused)
		}
	}
	for name := range got {
		if !slices.Contains(names, name) {
			t.Errorf("%s is refused", name)
		}
	}
}

// A noteTaker is a log handler that keeps what the system has refused.
type noteTaker struct {
	mu      sync.Mutex
	refused []struct{ what, cost, err string }
}

func (n *noteTaker) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug
}
func (n *noteTaker) WithAttrs([]slog.Attr) slog.Handler { return n }
func (n *noteTaker) WithGroup(string) slog.Handler      { return n }

func (n *noteTaker) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "ping: the system refuses" || r.Level != slog.LevelDebug {
		return nil
	}
	said := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		said[a.Key] = fmt.Sprint(a.Value)
		return true
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused = append(n.refused, struct{ what, cost, err string }{said["what"], said["cost"], said["error"]})
	return nil
}

// checkUnsupported asserts that a Ping is refused with a word.
func checkUnsupported(t *testing.T, p *ping.Pinger, host, word string, opts ...ping.ProbeOption) {
	t.Helper()
	r, err := p.Ping(t.Context(), host, opts...)
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), word) {
		t.Errorf("%s: %+v, %v, want an error with %q", host, r, err, word)
	}
}

// checkSweep asserts that more is answered than a batch.
func checkSweep(t *testing.T, kind ping.Option) {
	t.Helper()
	n := 0
	for addr, r := range openPinger(t, kind).Sweep(t.Context(), ofLoopback(500), ping.WithTimeout(time.Minute)) {
		if n++; r.Err != nil {
			t.Errorf("%v: %v", addr, r.Err)
		}
	}
	if n != 500 {
		t.Errorf("%d answers", n)
	}
}

// checkTrace asserts that chain's router and what is beyond are found.
func checkTrace(t *testing.T, kind ping.Option) {
	t.Helper()
	p := openPinger(t, kind)
	for _, host := range []string{beyond4, beyond6} {
		target := netip.MustParseAddr(host)
		var way []netip.Addr
		for h, err := range p.Trace(t.Context(), host, ping.WithTimeout(time.Minute)) {
			if err != nil {
				t.Errorf("%s: %v", host, err)
			}
			way = append(way, h.Addrs()...)
		}
		if want := []netip.Addr{router(target), target}; !slices.Equal(way, want) {
			t.Errorf("the way is %v, want %v", way, want)
		}
	}
}

// checkDeaf asserts what is left without ICMP errors: no trace, but each of this host's own refusals.
func checkDeaf(t *testing.T, kind ping.Option) {
	t.Helper()
	p := openPinger(t, kind)
	for _, host := range []string{beyond4, beyond6} {
		if r, err := p.Ping(t.Context(), host, ping.WithTTL(1), ping.WithTimeout(20*ms)); !errors.Is(err, ping.ErrTimeout) {
			t.Errorf("%s: %+v, %v", host, r, err)
		}
		for h, err := range p.Trace(t.Context(), host) {
			if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "ICMP errors") {
				t.Errorf("%s: %v, %v", host, h, err)
			}
		}
		for h, err := range p.TraceMTU(t.Context(), host) {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v, %v", host, h, err)
			}
		}
		_, err := p.Ping(t.Context(), host, ping.WithDontFragment(true), ping.WithSize(1600))
		if !errors.Is(err, unix.EMSGSIZE) || errors.Is(err, ping.ErrNoRoom) {
			t.Errorf("%s, too big for the device: %v", host, err)
		}
		if mtu, err := p.PathMTU(t.Context(), host, ping.WithTimeout(100*ms), ping.WithCount(2)); mtu != 1500 || err != nil {
			t.Errorf("%s: the path MTU is %d, %v", host, mtu, err)
		}
	}
}
