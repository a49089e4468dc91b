package ping

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// newPinger returns a Pinger over the kernel's sockets that is closed with the test.
func newPinger(t testing.TB, opts ...Option) *Pinger {
	t.Helper()
	netlab.Require(t)
	p, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// eachKind runs a test over both kinds of socket.
func eachKind(t *testing.T, test func(t *testing.T, kind Option)) {
	for _, kind := range []SocketKind{SocketDatagram, SocketRaw} {
		t.Run(kind.String(), func(t *testing.T) { test(t, WithSocket(kind)) })
	}
}

func TestLoopback(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for _, c := range []struct {
			host  string
			sizes []int
		}{
			{"127.0.0.1", []int{56, 0, 1, 7, 8, 9, 1472, 8000, maxPayload4}},
			{"::1", []int{56, 0, 1, 7, 8, 9, 1452, 8000, maxPayload6}},
			{"localhost", []int{56}},
		} {
			for _, size := range c.sizes {
				r, err := p.Ping(t.Context(), c.host, WithSize(size))
				if err != nil || r.RTT <= 0 || r.TTL != 64 || r.Size != size+headerLen || r.Clock != ClockKernel || !r.From.IsLoopback() {
					t.Errorf("%s, %d bytes: %+v, %v", c.host, size, r, err)
				}
			}
		}
	})
}

// As root too, the kernel refuses datagram sockets to groups that are not in the range.
func TestNotPermitted(t *testing.T) {
	netlab.NewClosed(t).Do(t, func() {
		p, err := New(WithSocket(SocketDatagram))
		if p != nil {
			p.Close()
		}
		if !errors.Is(err, ErrNotPermitted) || !errors.Is(err, fs.ErrPermission) || !errors.Is(err, syscall.EACCES) {
			t.Errorf("got %v", err)
			return
		}
		for _, want := range []string{"net.ipv4.ping_group_range is", fmt.Sprint(os.Getegid()), `sysctl -w`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %q", want, err)
			}
		}
		// Raw sockets stand in.
		var log strings.Builder
		if p, err = New(WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))); err != nil {
			t.Error(err)
		} else {
			p.Close()
		}
		if !strings.Contains(log.String(), "kind=raw") {
			t.Errorf("the log says %s", log.String())
		}
		// Without the privilege for those, the error names both ways out.
		err = withoutCapabilities(func() error {
			p, err := New()
			if p != nil {
				p.Close()
			}
			return err
		})
		if !errors.Is(err, ErrNotPermitted) || !strings.Contains(err.Error(), "sysctl -w") || !strings.Contains(err.Error(), "cap_net_raw") {
			t.Errorf("without privilege: %v", err)
		}
	})
}

// withoutCapabilities runs f on the calling goroutine's locked thread with no effective capabilities.
func withoutCapabilities(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return err
	}
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	defer unix.Capset(&header, &had[0])
	return f()
}

// With wire stamps the kernel measures both ends, over both kinds of socket, alone and in batches.
func TestWireTimestamps(t *testing.T) {
	if !canKeyDepartures() {
		t.Skip("the kernel does not know SCM_TS_OPT_ID")
	}
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind, WithWireTimestamps(true))
		for _, host := range []string{"127.0.0.1", "::1"} {
			for range 100 {
				if r, err := p.Ping(t.Context(), host); err != nil || r.Clock != ClockWire || r.RTT <= 0 || r.Received.Sub(r.Sent) != r.RTT {
					t.Fatalf("%s: %+v, %v", host, r, err)
				}
			}
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), "127.0.0.1", 50, WithInterval(0), WithTimeout(time.Minute))
				if err != nil || s.Received != 50 {
					t.Errorf("%v, %v", s, err)
					return
				}
				for _, r := range s.Replies {
					if r.Clock != ClockWire {
						t.Errorf("reply %+v", r)
						return
					}
				}
			})
		}
		wg.Wait()
		n := 0
		for addr, r := range p.Sweep(t.Context(), loopbackAddrs(20_000), WithTimeout(time.Minute)) {
			if n++; r.Err != nil || r.Clock != ClockWire {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		if c := p.Counters(); n != 20_000 || c.LocalDrops+c.Stray+c.Duplicates != 0 {
			t.Errorf("%d replies, %+v", n, c)
		}
	})
}

// loopbackAddrs are the first n addresses of 127.0.0.0/8.
func loopbackAddrs(n int) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := 1; i <= n; i++ {
			if !yield(netip.AddrFrom4([4]byte{127, byte(i >> 16), byte(i >> 8), byte(i)})) {
				return
			}
		}
	}
}

// At full speed nothing is lost, over as many sockets as there are processors.
func TestSweepLoopback(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		sockets := openSockets(t)
		n := 0
		for addr, r := range p.Sweep(t.Context(), loopbackAddrs(50_000), WithTimeout(time.Minute)) {
			if n++; r.Err != nil || r.From != addr {
				t.Fatalf("%v: %+v", addr, r)
			}
		}
		if c := p.Counters(); n != 50_000 || c.Received != 50_000 || c.LocalDrops+c.Stray != 0 {
			t.Errorf("%d replies, %+v", n, c)
		}
		if more := openSockets(t) - sockets; more > 2*(runtime.GOMAXPROCS(0)-1) {
			t.Errorf("%d more sockets for %d processors", more, runtime.GOMAXPROCS(0))
		}
	})
}

// What this host's own buffer dropped is told apart from what the network lost.
func TestLocalDrops(t *testing.T) {
	p := newPinger(t)
	c := p.lines[0].Load().conn
	s := c.transport.(*socket)
	// Behind the Pinger's back, or else it would not let it come to that.
	s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	c.in.Lock() // nobody reads
	read := sync.OnceFunc(c.in.Unlock)
	defer read()
	const probes = 200
	done := make(chan *Statistics)
	go func() {
		s, err := p.PingN(t.Context(), "127.0.0.1", probes, WithInterval(time.Nanosecond), WithTimeout(2*time.Second)) // time to send all
		if err != nil {
			t.Error(err)
		}
		done <- s
	}()
	await(t, "all are sent", func() bool {
		c.mu.Lock() // counters would have it notice the drops, and send less
		defer c.mu.Unlock()
		return c.flight.counts.Sent == probes
	})
	read()
	st := <-done
	if st.LocalDrops == 0 || st.LocalDrops != st.Lost || st.Loss() != 0 || st.Received+st.Lost != probes {
		t.Errorf("%v, %d dropped locally", st, st.LocalDrops)
	}
	if drops := p.Counters().LocalDrops; int(drops) != st.LocalDrops {
		t.Errorf("%d drops, %d probes charged with them", drops, st.LocalDrops)
	}
	// The network's losses are the network's again.
	r := newResponder(t, func(*netlab.Request) []netlab.Answer { return nil })
	st, err := p.PingN(t.Context(), far4, 3, WithInterval(ms), WithTimeout(20*ms))
	if err != nil || st.LocalDrops != 0 || st.Loss() != 1 {
		t.Errorf("%v, %v after %d requests", st, err, len(r.Records()))
	}
}

// A Pinger that knows how small its buffer is does not let it overflow. One that did not know would lose something every
// time. On a crowded machine the responder may be held up for longer than the Pinger waits for an answer before it sends
// more, and then sends all that it owes at once: so there are three tries.
func TestSmallBuffer(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one lane, that with the small buffer
	newResponder(t, func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Echo().Later(3 * ms)} })
	for range 3 {
		p := newSmallBuffer(t)
		n := 0
		for range p.Sweep(t.Context(), lanAddrs(2000), WithTimeout(5*time.Second)) {
			n++
		}
		c := p.Counters()
		if n != 2000 || c.Received+c.LocalDrops < 2000 {
			t.Fatalf("%d replies, %+v", n, c)
		}
		if c.LocalDrops == 0 {
			return
		}
		t.Logf("%+v", c)
	}
	t.Error("the buffer overflowed every time")
}

// Where nobody answers, room in the buffer comes by time, long before the probes are given up.
func TestSmallBufferSilence(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := newSmallBuffer(t)
	r := newResponder(t, func(r *netlab.Request) []netlab.Answer { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	var sweep sync.WaitGroup
	sweep.Go(func() {
		for addr, r := range p.Sweep(ctx, lanAddrs(200), WithTimeout(time.Hour)) {
			t.Errorf("%v: %+v", addr, r)
		}
	})
	await(t, "the responder has seen all", func() bool { return len(r.Records()) == 200 })
	cancel()
	sweep.Wait()
}

// newSmallBuffer is a Pinger whose first socket has room for a few answers only.
func newSmallBuffer(t *testing.T) *Pinger {
	p := newPinger(t)
	c := p.lines[0].Load().conn
	s := c.transport.(*socket)
	s.raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		s.buffer, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	c.mu.Lock()
	c.flight.window.limit = s.capacity() / 2
	c.flight.window.most = c.flight.window.limit
	c.mu.Unlock()
	return p
}

// lanAddrs are n addresses of 203.0.113.0/24, some of them often.
func lanAddrs(n int) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range n {
			if !yield(netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i%250)})) {
				return
			}
		}
	}
}

// Datagram sockets need no privilege.
func TestUnprivileged(t *testing.T) {
	netlab.Require(t)
	if err := withoutCapabilities(func() error {
		p, err := New()
		if err != nil {
			return err
		}
		defer p.Close()
		for _, host := range []string{"127.0.0.1", "::1"} {
			if _, err := p.Ping(t.Context(), host, WithTTL(3), WithTrafficClass(8), WithDontFragment(true)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// No other process can take our identifier, and our replies with it.
func TestIdentifierIsOurs(t *testing.T) {
	p := newPinger(t, WithSocket(SocketDatagram))
	for i, domain := range []int{unix.AF_INET, unix.AF_INET6} {
		s := p.lines[i].Load().conn.transport.(*socket)
		s.raw.Control(func(fd uintptr) {
			name, err := unix.Getsockname(int(fd))
			if err != nil {
				t.Fatal(err)
			}
			protocol := unix.IPPROTO_ICMP
			if domain == unix.AF_INET6 {
				protocol = unix.IPPROTO_ICMPV6
			}
			thief, err := unix.Socket(domain, unix.SOCK_DGRAM, protocol)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(thief)
			if err := unix.Bind(thief, name); err != unix.EADDRINUSE {
				t.Errorf("binding our identifier: %v", err)
			}
		})
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func openSockets(t testing.TB) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// A hundred targets, a thousand callers, one Pinger: nothing is lost or mixed up, and it needs no more sockets
// and goroutines than for one.
func TestManyCallers(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		files, goroutines := openFiles(t), runtime.NumGoroutine()
		var wg sync.WaitGroup
		const callers, each = 1000, 20
		for i := range callers {
			wg.Go(func() {
				host := netip.AddrFrom4([4]byte{127, 0, 1, byte(i % 100)})
				for range each {
					if r, err := p.Ping(t.Context(), host.String(), WithTimeout(10*time.Second)); err != nil || r.From != host {
						t.Errorf("%v: %+v, %v", host, r, err)
					}
				}
			})
		}
		wg.Wait()
		if c := p.Counters(); c.Sent != callers*each || c.Received != c.Sent || c.Stray+c.Duplicates+c.Corrupted+c.Late+c.LocalDrops+c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
		if n := openFiles(t); n != files {
			t.Errorf("%d open files, %d before", n, files)
		}
		awaitGoroutines(t, goroutines)
	})
}

// awaitGoroutines waits until there are no more goroutines than n: one that has told its WaitGroup that it is done
// may still be ending.
func awaitGoroutines(t testing.TB, n int) {
	t.Helper()
	await(t, fmt.Sprintf("%d goroutines at most", n), func() bool { return runtime.NumGoroutine() <= n })
}

// A Sweep goes on over the sockets that Reopen brings.
func TestSweepReopened(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one lane
	p := newPinger(t)
	n := 0
	for addr, r := range p.Sweep(t.Context(), loopbackAddrs(20_000), WithTimeout(time.Minute)) {
		if r.Err != nil {
			t.Fatalf("%v: %v", addr, r.Err)
		}
		if n++; n%5000 == 1 {
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sent := p.lines[0].Load().conn.counters().Sent; n != 20_000 || sent == 0 || sent == 20_000 {
		t.Errorf("%d replies; the last socket sent %d", n, sent)
	}
}

// Reopen may come at any moment of a Sweep, its beginning too.
func TestSweepsBesideReopen(t *testing.T) {
	p := newPinger(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for addr, r := range p.Sweep(t.Context(), loopbackAddrs(1), WithTimeout(time.Minute)) {
			if r.Err != nil {
				t.Errorf("%v: %v", addr, r.Err)
			}
		}
		runtime.Gosched() // else, with one processor, the Sweep's goroutines leave little time to the others
	}
}

// The end of the socket of one family does not take the rate from the other.
func TestRateBesideDeadSocket(t *testing.T) {
	p := newPinger(t, WithRate(200))
	if p.lines[1].Load().conn == nil {
		t.Skip("no IPv6")
	}
	p.lines[1].Load().conn.end(net.ErrClosed)
	var sent []time.Time
	for addr, r := range p.Sweep(t.Context(), loopbackAddrs(41)) {
		if r.Err != nil {
			t.Fatalf("%v: %v", addr, r.Err)
		}
		sent = append(sent, r.Sent)
	}
	slices.SortFunc(sent, time.Time.Compare)
	if span := sent[40].Sub(sent[0]); span < 200*ms-limiterSlack {
		t.Errorf("41 requests in %v, at 200/s", span)
	}
}

// Two Pingers see nothing of each other, over the same targets at once.
func TestNoCrossTalk(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		pingers := []*Pinger{newPinger(t, kind), newPinger(t, kind)}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				s, err := pingers[i%2].PingN(t.Context(), "127.0.0.1", 20, WithInterval(0))
				if err != nil || s.Received != 20 || s.Stray+s.Duplicates+s.Corrupted != 0 {
					t.Errorf("got %v, %v", s, err)
				}
			})
		}
		wg.Wait()
		for _, p := range pingers {
			if c := p.Counters(); c.Sent != 1000 || c.Received != 1000 || c.Stray+c.Duplicates != 0 {
				t.Errorf("counters are %+v", c)
			}
		}
	})
}

// Cancelled calls leave nothing behind.
func TestCancelled(t *testing.T) {
	ns := netlab.Self(t)
	near := netlab.New(t)
	netlab.Link(t, ns, "void0", near, "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("198.51.100.1/24"))
	p := newPinger(t)
	// Nobody is there: the neighbour's address is asked for in vain.
	goroutines := runtime.NumGoroutine()
	const calls = 10_000
	for i := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		host := fmt.Sprintf("198.51.100.%d", 2+i%200)
		done := make(chan error)
		go func() {
			_, err := p.Ping(ctx, host, WithTimeout(time.Hour))
			done <- err
		}()
		if i%2 == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := <-done; err == nil {
			t.Fatal("a reply")
		}
	}
	awaitGoroutines(t, goroutines)
	c := p.lines[0].Load().conn
	await(t, "no probe in flight", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.flight.count == 0
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.flight.deadlines) != 0 || len(c.flight.inboxes) != len(c.flight.idle) || len(c.flight.slots) > maxSlots {
		t.Errorf("%d deadlines, %d of %d inboxes idle", len(c.flight.deadlines), len(c.flight.idle), len(c.flight.inboxes))
	}
	if n := len(c.flight.inboxes); n > 1 {
		t.Errorf("%d inboxes for one call at a time", n)
	}
}

func TestSourceAndInterface(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind, WithSource(netip.MustParseAddr("127.0.0.7")), WithInterface("lo"))
		if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
		if _, err := p.Ping(t.Context(), "::1"); err == nil || !strings.Contains(err.Error(), "WithSource(127.0.0.7)") {
			t.Errorf("IPv6 from an IPv4 source: %v", err)
		}
		p = newPinger(t, kind, WithSource(netip.MustParseAddr("::1")), WithSource(netip.MustParseAddr("127.0.0.1")))
		for _, host := range []string{"127.0.0.1", "::1"} {
			if _, err := p.Ping(t.Context(), host); err != nil {
				t.Error(err)
			}
		}

		files := openFiles(t)
		for _, c := range []struct {
			opt  Option
			err  error
			want string
		}{
			{WithSource(netip.MustParseAddr("192.0.2.77")), syscall.EADDRNOTAVAIL, "192.0.2.77"},
			{WithSource(netip.MustParseAddr("2001:db8::77")), syscall.EADDRNOTAVAIL, "2001:db8::77"},
			{WithInterface("nosuch0"), syscall.ENODEV, "nosuch0"},
		} {
			if p, err := New(kind, c.opt); p != nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.want, err)
			}
		}
		if n := openFiles(t); n != files {
			t.Errorf("%d open files after failures to open, %d before", n, files)
		}
	})
}

func TestMark(t *testing.T) {
	p := newPinger(t, WithMark(1<<31-1))
	if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Error(err)
	}
	err := withoutCapabilities(func() error {
		p, err := New(WithMark(7))
		if p != nil {
			p.Close()
		}
		return err
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "WithMark(7)") {
		t.Errorf("without privilege: %v", err)
	}
}

// Without IPv6, IPv4 works, and the error for IPv6 is the kernel's.
func TestWithoutIPv6(t *testing.T) {
	netlab.Require(t)
	netlab.New(t).Do(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil {
			t.Skip(err)
		}
		p, err := New()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
		var errno syscall.Errno
		if _, err := p.Ping(t.Context(), "::1"); !errors.As(err, &errno) {
			t.Errorf("IPv6: %v", err)
		}
	})
}

// What the kernel received before a deadline is not lost, however late the program reads it.
func TestReadLate(t *testing.T) {
	p := newPinger(t)
	c := p.lines[0].Load().conn
	c.in.Lock()
	done := make(chan error)
	go func() {
		r, err := p.Ping(t.Context(), "127.0.0.1", WithTimeout(time.Second))
		if err == nil && r.RTT > time.Second {
			err = fmt.Errorf("RTT is %v", r.RTT)
		}
		done <- err
	}()
	time.Sleep(1200 * ms) // the time that is to pass, not a wait for something
	c.in.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Reopen gives the Pinger another identifier, and no call notices.
func TestReopen(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		files, goroutines := openFiles(t), runtime.NumGoroutine()
		id := func() (id int) {
			s := p.lines[0].Load().conn.transport.(*socket)
			if s.id != 0 {
				return int(s.id)
			}
			s.raw.Control(func(fd uintptr) {
				name, err := unix.Getsockname(int(fd))
				if err != nil {
					t.Fatal(err)
				}
				id = name.(*unix.SockaddrInet4).Port
			})
			return id
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var seen atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				for r, err := range p.Stream(ctx, []string{"127.0.0.1", "::1"}[i%2], WithInterval(ms), WithDontFragment(i%4 == 3)) {
					if err != nil && !errors.Is(err, context.Canceled) || r.Err != nil {
						t.Errorf("%+v, %v", r, err)
					}
					seen.Add(1)
				}
			})
		}
		for range 5 {
			before, n := id(), seen.Load()
			if err := p.Reopen(); err != nil {
				t.Fatal(err)
			}
			if id() == before {
				t.Errorf("still identifier %d", before)
			}
			if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
				t.Error(err)
			}
			await(t, "the streams go on", func() bool { return seen.Load() > n+50 })
		}
		cancel()
		wg.Wait()
		if c := p.Counters(); c.Lost+c.SendErrors+c.InFlight != 0 || c.Received < 250 {
			t.Errorf("counters are %+v", c)
		}
		if err := p.Reopen(); err != nil { // which leaves one socket a family again
			t.Fatal(err)
		}
		awaitGoroutines(t, goroutines)
		if n := openFiles(t); n != files {
			t.Errorf("%d open files, %d before", n, files)
		}
		p.Close()
		if err := p.Reopen(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Close unblocks every call, and leaves neither goroutine nor descriptor, in whatever state it meets them.
func TestCloseAnyTime(t *testing.T) {
	netlab.Require(t)
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 20 {
		p, err := New()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		started := make(chan struct{}, 8)
		for i := range 8 {
			wg.Go(func() {
				host := []string{"127.0.0.1", "::1"}[i%2]
				for first := true; ; first = false {
					_, err := p.Ping(t.Context(), host, WithDontFragment(i%4 == 0))
					if first {
						started <- struct{}{}
					}
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("%v", err)
						return
					}
				}
			})
		}
		for range 8 {
			<-started
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
	awaitGoroutines(t, goroutines)
	if n := openFiles(t); n != files {
		t.Errorf("%d open files, %d before", n, files)
	}
}

func TestSharedPinger(t *testing.T) {
	netlab.Require(t)
	p, err := sharedPinger()
	if err != nil {
		t.Fatal(err)
	}
	before := p.Counters().Received
	if _, err := Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Error(err)
	}
	s, err := PingN(t.Context(), "::1", 3, WithInterval(ms))
	if err != nil || s.Received != 3 {
		t.Errorf("got %v, %v", s, err)
	}
	if n := p.Counters().Received - before; n != 4 {
		t.Errorf("%d received through the shared Pinger, want 4", n)
	}
}

// The receive buffer is as large as the system allows.
func TestReceiveBuffer(t *testing.T) {
	p := newPinger(t)
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skip(err)
	}
	var most int
	fmt.Sscan(string(b), &most)
	if s := p.lines[0].Load().conn.transport.(*socket); s.buffer != 2*most {
		t.Errorf("it holds %d bytes, want %d", s.buffer, 2*most)
	}
}

// Every message of the kernel's is read whole, whatever lies in the queue before it.
func TestMixedBatch(t *testing.T) {
	p := newPinger(t)
	c := p.lines[0].Load().conn
	if _, err := p.Ping(t.Context(), "127.0.0.1", WithSize(60000)); err != nil {
		t.Fatal(err)
	}
	c.in.Lock()
	var wg sync.WaitGroup
	sizes := []int{56, 4000, 0, 60000, 9, 1500}
	for i := range 12 * batchSize {
		wg.Go(func() {
			size := sizes[i%len(sizes)]
			if r, err := p.Ping(t.Context(), "127.0.0.1", WithSize(size), WithTimeout(10*time.Second)); err != nil || r.Size != size+headerLen {
				t.Errorf("%d bytes: %+v, %v", size, r, err)
			}
		})
	}
	await(t, "all are sent", func() bool { return c.counters().Sent == 1+12*batchSize })
	c.in.Unlock()
	wg.Wait()
}

// Resolve refuses an address that the Pinger has no socket for, with the words of Ping.
func TestResolveWithoutSocket(t *testing.T) {
	p := newPinger(t, WithSource(netip.MustParseAddr("127.0.0.1")))
	_, want := p.Ping(t.Context(), "::1")
	addr, err := p.Resolve(t.Context(), "::1")
	if err == nil || want == nil || err.Error() != want.Error() || addr.IsValid() {
		t.Errorf("%v, %v, want the error %v", addr, err, want)
	}
	if addr, err := p.Resolve(t.Context(), "127.0.0.2"); err != nil || addr != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("%v, %v", addr, err)
	}
}

// The error says what the range of groups has to do with it.
func TestInTheWay(t *testing.T) {
	for _, c := range []struct {
		value  string
		groups []int
		want   string
	}{
		{"1\t0\n", []int{0}, `is "1 0", which has none of this process's groups [0]: as root, run sysctl -w`},
		{"100\t200\n", []int{99, 201}, `is "100 200", which has none of this process's groups [99 201]: as root`},
		{"0\t2147483647\n", []int{0, 1000}, `is "0 2147483647", which lets this process's groups [0 1000] have them: something else`},
		{"100\t200\n", []int{7, 200}, `lets this process's groups [7 200] have them`},
		{"", []int{0}, "cannot be read, may have none of this process's groups [0]: as root"},
	} {
		if got := inTheWay(c.value, c.groups); !strings.Contains(got, c.want) {
			t.Errorf("%q, %v: %q, want %q in it", c.value, c.groups, got, c.want)
		}
	}
}

func TestGroupsInError(t *testing.T) {
	groups, err := os.Getgroups()
	if err != nil {
		t.Skip(err)
	}
	groups = append(groups, os.Getegid())
	slices.Sort(groups)
	want := fmt.Sprint(slices.Compact(groups))
	if err := notPermitted(SocketDatagram, os.ErrPermission); !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not name the groups %s", err, want)
	}
}
