package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// An ICMP error that comes while the send buffer is full of what waits for silent neighbours: epoll then reports an
// error alone, which the runtime's poller takes for the end of the descriptor.
func TestErrorWhileNotWritable(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{unreachable(r, r.Packet).Later(20 * ms)}
	})
	ns := netlab.Self(t)
	netlab.Link(t, ns, "void0", netlab.New(t), "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("192.0.2.1/24"))
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		s := p.lines[0].Load().conn.transport.(*socket)
		// What most systems' net.core.wmem_max allows.
		s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 212992) })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		const silent = 300
		for i := range silent {
			wg.Go(func() { p.Ping(ctx, fmt.Sprintf("192.0.2.%d", 2+i%250), WithTimeout(time.Minute)) })
		}
		await(t, "most are sent", func() bool { return p.Counters().Sent > silent/2 })
		var e *ICMPError
		for range 3 {
			if _, err := p.Ping(t.Context(), beyond4, WithTimeout(10*time.Second)); !errors.As(err, &e) {
				t.Errorf("the refused: %v", err)
			}
			if _, err := p.Ping(t.Context(), "127.0.0.1", WithTimeout(10*time.Second)); err != nil {
				t.Errorf("another: %v", err)
			}
		}
	})
}

// Each ICMP error fails a system call, and where the receive buffer has no room for it, leaves no other trace. What is
// sent meanwhile to another host leaves all the same, or is to be tried again. (Raw sockets' sends meet no pending error: net/ipv4/ip_output.c
// allocates for them by sock_wmalloc.)
func TestErrorBurst(t *testing.T) {
	refusals := make(chan []byte, 1)
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			refusals <- unreachable(r, r.Packet).Packet
			return nil
		},
	})
	burst := func(t *testing.T, refused, other netip.Addr, read bool) {
		transport, err := openSocket(other.Is6(), socketConfig{kind: SocketDatagram})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer transport.Close()
		if read {
			wg.Go(func() {
				for data := make([]byte, 100); ; {
					if _, err := transport.Receive([]Message{{Data: data}}); err != nil {
						return
					}
				}
			})
		} else {
			transport.(*socket).raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
		}
		template, err := newTemplate(other.Is6(), 56)
		if err != nil {
			t.Fatal(err)
		}
		send := func(host netip.Addr) error {
			_, err := transport.Send([]Message{{Addr: host, Data: slices.Clone(template)}})
			return err
		}
		if err := send(refused); err != nil {
			t.Fatal(err)
		}
		refusal := <-refusals
		var done atomic.Bool
		wg.Go(func() {
			for range 50_000 {
				responder.Send(refusal)
			}
			done.Store(true)
		})
		sent := 0
		for !done.Load() {
			switch err := send(other); {
			case err == nil:
				sent++
			case !errors.Is(err, ErrNoRoom): // one error after another: to be tried again later
				t.Fatal(err)
			}
		}
		if sent == 0 {
			t.Error("nothing was sent beside the errors")
		}
	}
	for _, c := range []struct{ refused, other string }{{far4, "127.0.0.1"}, {far6, "::1"}} {
		for name, read := range map[string]bool{"while somebody reads": true, "while nobody reads": false} {
			t.Run(c.other+" "+name, func(t *testing.T) {
				burst(t, netip.MustParseAddr(c.refused), netip.MustParseAddr(c.other), read)
			})
		}
	}
}

// hooked is a socket whose reader can be held up.
type hooked struct {
	*socket
	before atomic.Pointer[func()]
}

func (h *hooked) tryReceive(m []Message, all bool) (int, backlog, error) {
	if f := h.before.Swap(nil); f != nil {
		(*f)()
	}
	return h.socket.tryReceive(m, all)
}

// The first large probe leaves while a reader is about to read with buffers for small ones.
func TestFirstLargeProbe(t *testing.T) {
	netlab.Require(t)
	s, err := openSocket(false, socketConfig{kind: SocketDatagram})
	if err != nil {
		t.Fatal(err)
	}
	h := &hooked{socket: s.(*socket)}
	p, err := New(WithTransport(h))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	large := make(chan error, 1)
	hook := func() {
		started := make(chan struct{})
		go func() {
			close(started)
			_, err := p.Ping(t.Context(), "127.0.0.1", WithSize(8000), WithTimeout(time.Minute))
			large <- err
		}()
		<-started
		for range 1000 {
			runtime.Gosched()
		}
	}
	h.before.Store(&hook)
	if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := <-large; err != nil {
		t.Errorf("%v; %+v", err, p.Counters())
	}
}

// flood is a socket that always has something to read.
type flood struct {
	*socket
	closed chan struct{}
}

func (f flood) tryReceive(m []Message, all bool) (int, backlog, error) {
	m[0] = Message{Addr: netip.MustParseAddr("127.0.0.9"), Data: m[0].Data[:headerLen], Time: time.Now().Round(0)}
	return 1, backlog{replies: true}, nil
}

func (f flood) wait() error {
	select {
	case <-f.closed:
		return net.ErrClosed
	case <-time.After(ms): // and so has the scheduler something else to do
		return nil
	}
}

func (f flood) Close() error {
	close(f.closed)
	return f.socket.Close()
}

// deaf is a socket that does not tell when something has come.
type deaf struct {
	*socket
	closed chan struct{}
}

func (d deaf) wait() error {
	<-d.closed
	return net.ErrClosed
}

func (d deaf) Close() error {
	close(d.closed)
	return d.socket.Close()
}

// Before a probe is called lost, what has come is read, though nobody has got round to it.
func TestReadBeforeLost(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer { return []netlab.Answer{r.Echo().Later(50 * ms)} })
	s, err := openSocket(false, socketConfig{kind: SocketDatagram})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(WithTransport(deaf{s.(*socket), make(chan struct{})}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if r, err := p.Ping(t.Context(), far4, WithTimeout(500*ms)); err != nil || r.RTT < 50*ms || r.Clock != ClockKernel {
		t.Errorf("%+v, %v", r, err)
	}
}

// However much comes, timeouts and contexts hold.
func TestFlood(t *testing.T) {
	netlab.Require(t)
	s, err := openSocket(false, socketConfig{kind: SocketDatagram})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(WithTransport(flood{s.(*socket), make(chan struct{})}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Ping(t.Context(), "127.0.0.1", WithTimeout(20*ms)); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*ms)
	defer cancel()
	if _, err := p.Ping(ctx, "127.0.0.1", WithTimeout(time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// newLonely is a Pinger on a link without neighbours, 192.0.2.0/24.
func newLonely(t *testing.T) *Pinger {
	if testing.Short() {
		t.Skip("takes the kernel's three seconds")
	}
	ns := netlab.Self(t)
	netlab.Link(t, ns, "void0", netlab.New(t), "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("192.0.2.1/24"))
	return newPinger(t)
}

// A neighbour that is not there is no slow host: the kernel's own errors, which come after seconds, are not late replies.
func TestDeadNeighbour(t *testing.T) {
	p := newLonely(t)
	s, err := p.PingN(t.Context(), "192.0.2.2", 9, WithInterval(500*ms), WithTimeout(400*ms))
	if err != nil || s.Received+s.Late+s.Duplicates != 0 || s.Lost != 9 {
		t.Errorf("got %v, %v", s, err)
	}
	if c := p.Counters(); c.LateErrors == 0 || c.Late+c.Duplicates != 0 {
		t.Errorf("counters are %+v", c)
	}
}

// When the kernel gives up neighbours that are not there, it refuses all that waited for them at once: hundreds of errors
// in a row, each of which fails some system call. A probe to another host is sent all the same.
func TestDeadNeighbours(t *testing.T) {
	p := newLonely(t)
	var refused sync.WaitGroup
	for i := range 8 { // more would fill the queue of a processor (net.core.netdev_max_backlog), which all tests share
		for range 100 {
			refused.Go(func() {
				var e *ICMPError
				_, err := p.Ping(t.Context(), fmt.Sprintf("192.0.2.%d", 2+i), WithTimeout(5*time.Second))
				if !errors.As(err, &e) && !errors.Is(err, ErrTimeout) {
					t.Errorf("host %d: %v", i, err)
				}
			})
		}
	}
	time.Sleep(2800 * ms) // of the three seconds that are to pass
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := p.Ping(t.Context(), "127.0.0.1", WithTimeout(10*time.Second)); err != nil {
			t.Errorf("127.0.0.1: %v", err)
			break
		}
		if soon := time.Now().Add(300 * ms); p.Counters().Errors > 0 && soon.Before(end) {
			end = soon
		}
	}
	refused.Wait()
	t.Logf("%+v", p.Counters())
}

// What was dropped stays counted when the socket is gone.
func TestDropsAfterClose(t *testing.T) {
	p := newPinger(t)
	c := p.lines[0].Load().conn
	c.transport.(*socket).raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	c.in.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { p.Ping(ctx, "127.0.0.1", WithTimeout(time.Minute)) })
	}
	await(t, "all are sent", func() bool { return c.counters().Sent == 100 })
	c.in.Unlock()
	cancel()
	wg.Wait()
	before := p.Counters().LocalDrops
	p.Close()
	if after := p.Counters().LocalDrops; after != before || before == 0 {
		t.Errorf("%d before Close, %d after", before, after)
	}
}

// An option that needs a privilege is not mistaken for a socket that does.
func TestOptionNotPermitted(t *testing.T) {
	netlab.Require(t)
	err := withoutCapabilities(func() error {
		p, err := New(WithMark(7))
		if p != nil {
			p.Close()
		}
		return err
	})
	if err == nil || errors.Is(err, ErrNotPermitted) || !errors.Is(err, unix.EPERM) || strings.Contains(err.Error(), "ping_group_range") {
		t.Errorf("got %v", err)
	}
}

// A Pinger says nothing unless it is given a logger, and never asks to broadcast.
func TestQuietAndModest(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		p := newPinger(t, kind)
		for i := range p.lines {
			p.lines[i].Load().conn.transport.(*socket).raw.Control(func(fd uintptr) {
				for name, option := range map[string]int{"SO_BROADCAST": unix.SO_BROADCAST, "SO_REUSEADDR": unix.SO_REUSEADDR} {
					if v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option); err != nil || v != 0 {
						t.Errorf("%s is %d, %v", name, v, err)
					}
				}
			})
		}
	})
}

// Two raw sockets hardly ever have the same identifier, and it is none that a container's process 1 would have.
func TestRawIdentifiers(t *testing.T) {
	seen := map[uint16]int{}
	for range 20 {
		p := newPinger(t, WithSocket(SocketRaw))
		seen[p.lines[0].Load().conn.transport.(*socket).id]++
		p.Close()
	}
	if len(seen) < 15 {
		t.Errorf("identifiers %v", seen)
	}
}

// Lost probes leave no memory behind.
func TestLostLeaveNothing(t *testing.T) {
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix(near4 + "/24")},
		Script: func(*netlab.Request) []netlab.Answer { return nil },
		Quiet:  true,
	})
	p := newPinger(t)
	ping := func(n int) {
		for i := range n {
			p.Ping(t.Context(), far4, WithTimeout(time.Nanosecond))
			if i%100 == 99 { // as many as it has room for
				await(t, "the responder has seen all", func() bool {
					requests, _ := responder.Count()
					return uint64(requests) == p.Counters().Sent
				})
			}
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold goes with the second
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ping(5000) // more than minSlots
	before := heap()
	ping(60_000)
	if grown := int64(heap()) - int64(before); grown > 600<<10 { // 10 bytes a probe
		t.Errorf("60,000 lost probes left %d bytes", grown)
	}
}
