package ping

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

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
