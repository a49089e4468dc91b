package ping_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// A famine is the want of file descriptors in this process.
type famine struct {
	was     unix.Rlimit
	fillers []*os.File
}

// newFamine leaves the process no descriptor, until end is called, or the test ends.
func newFamine(t *testing.T) *famine {
	t.Helper()
	f := new(famine)
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &f.was); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	// The limit is for the numbers of descriptors, and those at hand may have gaps, which the fillers close.
	limit := unix.Rlimit{Cur: uint64(len(entries) + 64), Max: f.was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	f.fill()
	return f
}

func (f *famine) fill() {
	for {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		f.fillers = append(f.fillers, null)
	}
}

// spare leaves the process n descriptors more.
func (f *famine) spare(n int) {
	for range n {
		last := len(f.fillers) - 1
		f.fillers[last].Close()
		f.fillers = f.fillers[:last]
	}
}

func (f *famine) end() {
	f.spare(len(f.fillers))
	unix.Setrlimit(unix.RLIMIT_NOFILE, &f.was)
}

// A family whose socket could not be opened in New, for want of a descriptor, is there once there are some again.
func TestFamilyComesLater(t *testing.T) {
	netlab.Require(t)
	mustNew(t).Close() // what the runtime opens once is open
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := newFamine(t)
	var later []func()
	for _, c := range callsNamed("Ping", "Stream", "Sweep") {
		var p *ping.Pinger
		for p == nil {
			var err error
			if p, err = ping.New(); err != nil && !errors.Is(err, unix.EMFILE) {
				t.Fatal(err)
			}
			if err != nil {
				f.spare(1)
			}
		}
		defer p.Close()
		if err := c.do(ctx, p, "127.0.0.1"); err != nil {
			t.Errorf("%s, the family with a socket: %v", c.name, err)
		}
		if err := c.do(ctx, p, "::1"); !errors.Is(err, unix.EMFILE) {
			t.Errorf("%s, the family without: %v, want %v", c.name, err, unix.EMFILE)
		}
		later = append(later, func() { answered(t, c.name, func(host string) error { return c.do(ctx, p, host) }) })
	}
	f.end()
	together(later)
}

// spoil puts an end to the process's ICMP sockets of both families, as a program does that closes what is not its own.
func spoil(t *testing.T) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	sockets := icmpSockets(t)
	if len(sockets) < 2 {
		t.Fatalf("ICMP sockets are %v, want one of each family", sockets)
	}
	for _, fd := range sockets {
		if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
}

// errorCount is a log handler that counts the records of level Error.
type errorCount struct {
	slog.Handler
	n *atomic.Int64
}

func (e errorCount) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		e.n.Add(1)
	}
	return e.Handler.Handle(ctx, r)
}

// recovery is how long it may take until a call that failed can be repeated with success.
const recovery = 3 * time.Second

// together calls all functions at once, and returns when they have.
func together(all []func()) {
	var calls sync.WaitGroup
	for _, f := range all {
		calls.Go(f)
	}
	calls.Wait()
}

// answered fails the test if ping, which is called so, is not answered in a few seconds, for both families.
func answered(t *testing.T, name string, ping func(host string) error) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		err := ping(host)
		for end := time.Now().Add(recovery); err != nil && time.Now().Before(end); time.Sleep(ms) {
			err = ping(host)
		}
		if err != nil {
			t.Errorf("%s, %s: %v, for %v", name, host, err, recovery)
		}
	}
}

// Where a socket came to its end by itself, the Pinger's log has a line, and later calls a new socket.
func TestSocketsSpoiled(t *testing.T) {
	netlab.Require(t)
	var asks, checks []func()
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		for _, c := range callsNamed("Ping", "Stream", "Sweep") {
			name := kind.String() + " " + c.name
			failures := new(atomic.Int64)
			log := slog.New(errorCount{slog.NewTextHandler(io.Discard, nil), failures})
			p := mustNew(t, ping.WithSocket(kind), ping.WithLogger(log))
			asks = append(asks, func() {
				answered(t, name, func(host string) error {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					return c.do(ctx, p, host)
				})
			})
			checks = append(checks, func() {
				if n := failures.Load(); n != 2 {
					t.Errorf("%s: %d lines of level Error for the ends of two sockets", name, n)
				}
				if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned {
					t.Errorf("%s: counters are %+v", name, c)
				}
			})
		}
	}
	// That holds for the shared Pinger too, which nobody can open anew.
	for _, whole := range []bool{false, true} {
		asks = append(asks, func() {
			answered(t, fmt.Sprintf("the shared Pinger, in one piece: %t", whole), func(host string) error {
				_, err := ping.Ping(t.Context(), host, ping.WithDontFragment(whole))
				return err
			})
		})
	}
	together(asks)
	spoil(t)
	together(asks)
	for _, check := range checks {
		check()
	}
}

// A Sweep that could not open a new socket after Reopen, for want of a descriptor, tries again for later addresses.
func TestSweepWithoutDescriptor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one socket of each family for the Sweep
	p := mustNew(t)
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	endless := func(yield func(netip.Addr) bool) {
		for yield(addrs[0]) && yield(addrs[1]) {
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var f *famine
	var last netip.Addr // refused
	n, refused := 0, 0
	// With WithDontFragment a Sweep has sockets that Reopen closes, and leaves to the next user to open again.
	for addr, r := range p.Sweep(ctx, endless, ping.WithDontFragment(true), ping.WithTimeout(time.Minute)) {
		n++
		if f == nil {
			f = newFamine(t)
			for err := p.Reopen(); err != nil; err = p.Reopen() {
				if !errors.Is(err, unix.EMFILE) {
					t.Fatal(err)
				}
				f.spare(1)
			}
			f.fill()
		}
		if errors.Is(r.Err, unix.EMFILE) {
			last = addr
			if refused++; refused == 1 {
				f.end()
			}
		} else if r.Err != nil {
			t.Fatal(r.Err)
		} else if addr == last || refused == 0 && n > 100_000 {
			break
		}
	}
	if ctx.Err() != nil {
		t.Errorf("%d of %d addresses were refused: all of a family, though it has lacked no descriptor since the first",
			refused, n)
	}
	t.Logf("%d of %d were refused", refused, n)
}
