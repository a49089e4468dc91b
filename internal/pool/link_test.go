package pool

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// A fakeLink sends all that it is given, and receives nothing.
type fakeLink struct {
	drops  func() uint64 // if not nil
	end    chan error    // what Wait is to return
	closed chan struct{}
	close  sync.Once
}

func newLink() *fakeLink { return &fakeLink{end: make(chan error, 1), closed: make(chan struct{})} }

func (l *fakeLink) Send(packets []wire.Packet) (int, error) {
	for i := range packets {
		packets[i].Time = time.Now()
	}
	return len(packets), nil
}

func (l *fakeLink) Wait() error {
	select {
	case err := <-l.end:
		return err
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *fakeLink) TryReceive([]wire.Packet, bool) (int, wire.Backlog, error) {
	return 0, wire.Backlog{}, nil
}

func (l *fakeLink) Drops() uint64 {
	if l.drops != nil {
		return l.drops()
	}
	return 0
}

func (l *fakeLink) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

func (l *fakeLink) Polls() bool      { return false }
func (l *fakeLink) Departures() bool { return false }
func (l *fakeLink) Capacity() int    { return 0 }

func (l *fakeLink) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// An opener opens fake links, unless err says why it cannot.
type opener struct {
	err    error
	except error // of links but the first of each IP version
	tries  int
	links  []*fakeLink
	beside []engine.Link
}

func (o *opener) open(k Key, beside engine.Link) Opened {
	o.tries++
	switch {
	case o.err != nil:
		return Opened{Err: o.err}
	case o.except != nil && (k.DontFragment || k.Lane > 0):
		return Opened{Err: o.except}
	}
	l := newLink()
	o.links, o.beside = append(o.links, l), append(o.beside, beside)
	return Opened{Link: l}
}

// pool returns a Pool that has been opened, and is closed with the test: then no link is open.
func (o *opener) pool(t *testing.T, options Options) *Pool {
	options.Open, options.Epoch = o.open, time.Now()
	if options.Ended == nil {
		options.Ended = func(error) {}
	}
	p := New(options)
	if err := p.Reopen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		for i, l := range o.links {
			if !l.isClosed() {
				t.Errorf("link %d of %d stays open", i, len(o.links))
			}
		}
	})
	return p
}

var errRefused = errors.New("refused")

// A one is the engine.Source of one probe.
type one struct {
	shape *flight.Shape
	sent  bool
}

func newOne(t *testing.T) *one {
	t.Helper()
	template, err := wire.NewTemplate(false, 56)
	if err != nil {
		t.Fatal(err)
	}
	return &one{shape: &flight.Shape{Template: template, Timeout: time.Second}}
}

func (s *one) Next(now int64, p *flight.Probe) (int64, bool) {
	if s.sent {
		return math.MaxInt64, false
	}
	p.Dst, p.Shape = netip.MustParseAddr("192.0.2.1"), s.shape
	return now, true
}

func (s *one) Sent(int64) { s.sent = true }
func (s *one) Done() bool { return false }

// lose sends a probe over the Conn of a key, and waits until it is lost.
func lose(t *testing.T, p *Pool, k Key) {
	t.Helper()
	call := engine.NewCall(engine.Options{Epoch: p.options.Epoch})
	defer call.End()
	call.Start(newOne(t), func() (*engine.Conn, error) { return p.Conn(k) })
	err := engine.Run(context.Background(), func(_ int, results []flight.Result) bool { return len(results) == 0 }, call)
	if err != nil {
		t.Fatal(err)
	}
}
