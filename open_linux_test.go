package ping_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// openPingerAlone returns a Pinger, and the descriptors of its sockets, one of each IP version.
func openPingerAlone(t *testing.T, opts ...ping.Option) (p *ping.Pinger, sockets []int) {
	t.Helper()
	others := icmpSockets(t)
	p = openPinger(t, opts...)
	sockets = icmpSockets(t, others...)
	if len(sockets) != 2 {
		t.Fatalf("New has opened %d sockets", len(sockets))
	}
	return p, sockets
}

// A Pinger says nothing unless it is given a logger, and never asks to broadcast.
func TestQuietAndModest(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		_, sockets := openPingerAlone(t, kind)
		for _, fd := range sockets {
			for name, option := range map[string]int{"SO_BROADCAST": unix.SO_BROADCAST, "SO_REUSEADDR": unix.SO_REUSEADDR} {
				if v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil || v != 0 {
					t.Errorf("%s is %d, %v", name, v, err)
				}
			}
		}
	})
}

// Two raw sockets hardly ever have the same identifier, and it is none that a container's process 1 would have.
func TestRawIdentifiers(t *testing.T) {
	responder := newResponder(t, nil)
	for range 20 {
		p := openPinger(t, ping.WithSocket(ping.SocketRaw))
		if _, err := p.Ping(t.Context(), far4, ping.WithTimeout(time.Minute)); err != nil {
			t.Error(err)
		}
		p.Close()
	}
	seen := map[uint16]int{}
	for _, r := range responder.Records() {
		seen[r.ID]++
	}
	if len(seen) < 15 {
		t.Errorf("identifiers %v", seen)
	}
}

// Where the process has no file descriptors left, New says so and leaves nothing open; with a few it does what it can.
func TestNoDescriptors(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		openPinger(t, kind).Close()      // what the runtime opens once is open
		files := len(descriptors(t)) - 1 // but for the directory's own
		var was unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
		// The limit is for the numbers of descriptors, and those at hand may have gaps.
		var fillers []*os.File
		defer func() {
			for _, f := range fillers {
				f.Close()
			}
		}()
		limit := unix.Rlimit{Cur: uint64(files + 64), Max: was.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			fillers = append(fillers, f)
		}
		opened := 0
		for free := 0; free <= 6 && opened < 2; free++ {
			p, err := ping.New(kind)
			if err != nil {
				if !errors.Is(err, unix.EMFILE) || errors.Is(err, ping.ErrNotPermitted) {
					t.Errorf("with %d descriptors: %v", free, err)
				}
			} else {
				opened++
				for _, host := range []string{"127.0.0.1", "::1"} {
					if _, err := p.Ping(t.Context(), host); err != nil && !errors.Is(err, unix.EMFILE) {
						t.Errorf("with %d descriptors: %v", free, err)
					}
				}
				p.Close()
			}
			// As many can be opened as before.
			var again []*os.File
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				again = append(again, f)
			}
			if len(again) != free {
				t.Errorf("%d descriptors of %d are left", len(again), free)
			}
			for _, f := range again {
				f.Close()
			}
			fillers[len(fillers)-1].Close()
			fillers = fillers[:len(fillers)-1]
		}
		if opened == 0 {
			t.Error("six descriptors are too few")
		}
	})
}

// A program that closes descriptors that are not its own hits the Pinger's too. Its calls end, and Reopen mends it.
func TestDescriptorTaken(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		newResponder(t, func(*netlab.Request) []netlab.Answer { return nil })
		p, sockets := openPingerAlone(t, kind)
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		var wg sync.WaitGroup
		for _, host := range []string{far4, far6} {
			wg.Go(func() {
				_, err := p.Ping(t.Context(), host, ping.WithTimeout(500*ms))
				if !errors.Is(err, ping.ErrTimeout) && !errors.Is(err, net.ErrClosed) { // by who notices first
					t.Errorf("%s, in flight: %v", host, err)
				}
			})
		}
		eventually(t, "both are in flight", func() bool { return p.Counters().Sent == 2 })
		for _, fd := range sockets {
			if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
		}
		for _, host := range []string{far4, far6} {
			_, err := p.Ping(t.Context(), host, ping.WithTimeout(time.Minute))
			if !errors.Is(err, unix.ENOTSOCK) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, without a socket: %v", host, err)
			}
		}
		wg.Wait()
		if err := p.Reopen(); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			if _, err := p.Ping(t.Context(), host); err != nil {
				t.Errorf("%s, after Reopen: %v", host, err)
			}
		}
	})
}
