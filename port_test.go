package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// A port is a Transport of one function: what becomes of the messages that the Pinger sends. What it is to receive,
// deliver puts in.
type port struct {
	send func(p *port, messages []ping.Message) (int, error)

	mu      sync.Mutex
	arrived []ping.Message
	failure error         // with which Receive ends
	some    chan struct{} // holds a token when there is something to receive
	done    chan struct{}
	close   sync.Once
}

func newPort(send func(p *port, messages []ping.Message) (int, error)) *port {
	return &port{send: send, some: make(chan struct{}, 1), done: make(chan struct{})}
}

func (p *port) Send(messages []ping.Message) (int, error) {
	select {
	case <-p.done:
		return 0, net.ErrClosed
	default:
		return p.send(p, messages)
	}
}

// deliver has the Pinger receive the echo replies to messages.
func (p *port) deliver(messages ...ping.Message) {
	p.mu.Lock()
	for _, m := range messages {
		m.Data = slices.Clone(m.Data)
		switch m.Data[0] {
		case 8:
			m.Data[0] = 0
		default: // RFC 4443 section 4.2, RFC 8335 section 3
			m.Data[0]++
		}
		p.arrived = append(p.arrived, ping.Message{Addr: m.Addr, Data: m.Data})
	}
	p.mu.Unlock()
	p.wake()
}

// fail has Receive end with err.
func (p *port) fail(err error) {
	p.mu.Lock()
	p.failure = err
	p.mu.Unlock()
	p.wake()
}

func (p *port) wake() {
	select {
	case p.some <- struct{}{}:
	default:
	}
}

func (p *port) Receive(messages []ping.Message) (n int, err error) {
	for n == 0 && err == nil {
		select {
		case <-p.done:
			return 0, net.ErrClosed
		case <-p.some:
		}
		p.mu.Lock()
		for n < len(messages) && n < len(p.arrived) {
			m := p.arrived[n]
			m.Data = messages[n].Data[:copy(messages[n].Data, m.Data)]
			messages[n] = m
			n++
		}
		p.arrived = slices.Delete(p.arrived, 0, n)
		if err = p.failure; len(p.arrived) > 0 {
			p.wake()
		}
		p.mu.Unlock()
	}
	return n, err
}

func (p *port) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

// answering answers everything at once.
func answering(p *port, messages []ping.Message) (int, error) {
	p.deliver(messages...)
	return len(messages), nil
}

// silent answers nothing.
func silent(_ *port, messages []ping.Message) (int, error) { return len(messages), nil }

// mustNew returns a Pinger that is closed with the test.
func mustNew(t testing.TB, opts ...ping.Option) *ping.Pinger {
	t.Helper()
	p, err := ping.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// within fails the test, and shows what all goroutines are at, if f does not end in ten seconds.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s: not within ten seconds\n\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// eventually fails the test unless so becomes true in a minute.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(ms / 10) { // and not at every moment: others need it
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// A call is one of the Pinger's methods, for tests that hold for each. It returns the error that ended it, or that
// of its only Reply.
type call struct {
	name string
	do   func(ctx context.Context, p *ping.Pinger, host string) error
}

// calls are the methods that send. Each probe of theirs waits for its answer for an hour.
var calls = []call{
	{"Ping", func(ctx context.Context, p *ping.Pinger, host string) error {
		_, err := p.Ping(ctx, host, ping.WithTimeout(time.Hour))
		return err
	}},
	{"PingN", func(ctx context.Context, p *ping.Pinger, host string) error {
		s, err := p.PingN(ctx, host, 1, ping.WithTimeout(time.Hour))
		if err == nil {
			err = s.Replies[0].Err
		}
		return err
	}},
	{"Stream", func(ctx context.Context, p *ping.Pinger, host string) (last error) {
		for r, err := range p.Stream(ctx, host, ping.WithTimeout(time.Hour), ping.WithCount(1)) {
			last = errors.Join(r.Err, err)
		}
		return last
	}},
	{"Reachable", func(ctx context.Context, p *ping.Pinger, host string) error {
		return p.Reachable(ctx, host, ping.WithTimeout(time.Hour))
	}},
	{"Sweep", func(ctx context.Context, p *ping.Pinger, host string) error {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return err
		}
		for _, r := range p.Sweep(ctx, slices.Values([]netip.Addr{addr}), ping.WithTimeout(time.Hour)) {
			err = errors.Join(err, r.Err)
		}
		return errors.Join(err, ctx.Err())
	}},
	{"Trace", func(ctx context.Context, p *ping.Pinger, host string) (last error) {
		for _, err := range p.Trace(ctx, host, ping.WithTimeout(time.Hour)) {
			last = err
		}
		return last
	}},
	{"PathMTU", func(ctx context.Context, p *ping.Pinger, host string) error {
		_, err := p.PathMTU(ctx, host, ping.WithTimeout(time.Hour))
		return err
	}},
	{"TraceMTU", func(ctx context.Context, p *ping.Pinger, host string) (last error) {
		for _, err := range p.TraceMTU(ctx, host, ping.WithTimeout(time.Hour)) {
			last = err
		}
		return last
	}},
	{"AskInterface", func(ctx context.Context, p *ping.Pinger, host string) error {
		_, err := p.AskInterface(ctx, host, ping.InterfaceID{Name: "eth0"}, ping.WithTimeout(time.Hour))
		return err
	}},
}

// callsNamed are those of the calls with the names.
func callsNamed(names ...string) (list []call) {
	for _, c := range calls {
		if slices.Contains(names, c.name) {
			list = append(list, c)
		}
	}
	return list
}
