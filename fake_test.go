package ping

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A fake is a network of one function: it is told each message sent, counted from 0, and says what comes back.
type fake struct {
	answer func(n int, m Message) []delayed
	refuse func(n int, m Message) error // if not nil: the error of sending, or nil

	mu    sync.Mutex
	sent  []time.Time
	in    chan Message
	done  chan struct{}
	close sync.Once
}

// A delayed message arrives some time after the request that it answers was sent.
type delayed struct {
	after time.Duration
	Message
}

func newFake(answer func(n int, m Message) []delayed) *fake {
	return &fake{answer: answer, in: make(chan Message, 1<<17), done: make(chan struct{})}
}

func (f *fake) Send(messages []Message) (int, error) {
	select {
	case <-f.done:
		return 0, net.ErrClosed
	default:
	}
	for i := range messages {
		m := messages[i]
		m.Data = bytes.Clone(m.Data)
		f.mu.Lock()
		n := len(f.sent)
		f.mu.Unlock()
		if f.refuse != nil {
			if err := f.refuse(n, m); err != nil {
				return i, err
			}
		}
		messages[i].Time = time.Now()
		f.mu.Lock()
		f.sent = append(f.sent, time.Now())
		f.mu.Unlock()
		if f.answer == nil {
			continue
		}
		for _, d := range f.answer(n, m) {
			time.AfterFunc(d.after, func() {
				if d.Time.IsZero() {
					d.Time = time.Now().Round(0) // no monotonic reading: as the kernel stamps
				}
				f.in <- d.Message
			})
		}
	}
	return len(messages), nil
}

func (f *fake) Receive(messages []Message) (int, error) {
	select {
	case m := <-f.in:
		m.Data = messages[0].Data[:copy(messages[0].Data, m.Data)]
		messages[0] = m
		return 1, nil
	case <-f.done:
		return 0, net.ErrClosed
	}
}

func (f *fake) Close() error {
	f.close.Do(func() { close(f.done) })
	return nil
}

// departures are the times of sending, from start.
func (f *fake) departures(start time.Time) (list []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.sent {
		list = append(list, t.Sub(start))
	}
	return list
}

// echoed is the reply to a request.
func echoed(m Message) Message {
	m.Data = bytes.Clone(m.Data)
	m.Data[0] = icmpEchoReply
	if m.Addr.Is6() {
		m.Data[0] = icmp6EchoReply
	}
	m.TTL = 64
	return m
}

// refusal is the ICMP error that quotes a request.
func refusal(m Message, from string, typ, code int) Message {
	return Message{Addr: m.Addr, Data: m.Data, TTL: 63, Err: &ICMPError{Type: typ, Code: code, From: netip.MustParseAddr(from)}}
}

// echo answers everything after a while.
func echoAfter(d time.Duration) func(int, Message) []delayed {
	return func(_ int, m Message) []delayed { return []delayed{{d, echoed(m)}} }
}

// newFakePinger returns a Pinger over f that is closed with the test.
func newFakePinger(t *testing.T, f *fake, opts ...Option) *Pinger {
	t.Helper()
	p, err := New(append([]Option{WithTransport(f)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
