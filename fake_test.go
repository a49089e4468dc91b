package ping_test

import (
	"bytes"
	"container/heap"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// target is an address that nobody has (RFC 5737).
const target = "192.0.2.1"

// Types of ICMP and ICMPv6 messages (https://www.iana.org/assignments/icmp-parameters and icmpv6-parameters).
const (
	echoReply4    = 0
	unreachable4  = 3
	sourceQuench4 = 4
	redirect4     = 5
	timeExceeded4 = 11

	packetTooBig6 = 2
	timeExceeded6 = 3
	echoReply6    = 129
)

// A fake is a network of one function: it is told each message sent, counted from 0, and says what comes back.
type fake struct {
	answer func(n int, m ping.Message) []delayed
	refuse func(n int, m ping.Message) error // if not nil: the error of sending, or nil

	mu      sync.Mutex
	sent    []time.Time
	pending arrivals
	last    int           // number of an arrival
	more    chan struct{} // holds a token when pending has changed
	done    chan struct{}
	close   sync.Once
}

// arrivals is a heap of what is on its way, the next to arrive first.
type arrivals []arriving

type arriving struct {
	at time.Time
	n  int // in order of sending
	ping.Message
}

func (a arrivals) Len() int { return len(a) }

func (a arrivals) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

func (a arrivals) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].n < a[j].n
}

func (a *arrivals) Push(x any) { *a = append(*a, x.(arriving)) }

func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// A delayed message arrives some time after the request that it answers was sent.
type delayed struct {
	after time.Duration
	ping.Message
}

func newFake(answer func(n int, m ping.Message) []delayed) *fake {
	return &fake{answer: answer, more: make(chan struct{}, 1), done: make(chan struct{})}
}

func (f *fake) Send(messages []ping.Message) (int, error) {
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
		f.deliver(f.answer(n, m)...)
	}
	return len(messages), nil
}

// deliver has the messages arrive, each some time from now.
func (f *fake) deliver(list ...delayed) {
	for _, d := range list {
		a := arriving{at: time.Now().Add(d.after), Message: d.Message}
		if a.Time.IsZero() {
			a.Time = a.at.Round(0) // no monotonic reading: as the kernel stamps
		}
		f.mu.Lock()
		f.last++
		a.n = f.last
		heap.Push(&f.pending, a)
		f.mu.Unlock()
	}
	select {
	case f.more <- struct{}{}:
	default:
	}
}

func (f *fake) Receive(messages []ping.Message) (int, error) {
	for {
		f.mu.Lock()
		wait := time.Hour
		if len(f.pending) > 0 {
			if wait = time.Until(f.pending[0].at); wait <= 0 {
				m := heap.Pop(&f.pending).(arriving).Message
				f.mu.Unlock()
				m.Data = messages[0].Data[:copy(messages[0].Data, m.Data)]
				messages[0] = m
				return 1, nil
			}
		}
		f.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-f.more:
		case <-f.done:
			return 0, net.ErrClosed
		}
		timer.Stop()
	}
}

func (f *fake) Close() error {
	f.close.Do(func() { close(f.done) })
	return nil
}

// closed says whether Close has been called.
func (f *fake) closed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
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
func echoed(m ping.Message) ping.Message {
	m.Data = bytes.Clone(m.Data)
	switch {
	case m.Data[0] != 8 && m.Data[0] != 128:
		m.Data[0]++ // RFC 8335 section 3
	case m.Addr.Is6():
		m.Data[0] = echoReply6
	default:
		m.Data[0] = echoReply4
	}
	m.TTL = 64
	return m
}

// refusal is the ICMP error that quotes a request.
func refusal(m ping.Message, from string, typ, code int) ping.Message {
	e := &ping.ICMPError{Type: typ, Code: code, From: netip.MustParseAddr(from)}
	return ping.Message{Addr: m.Addr, Data: m.Data, TTL: 63, Err: e}
}

// echo answers everything after a while.
func echoAfter(d time.Duration) func(int, ping.Message) []delayed {
	return func(_ int, m ping.Message) []delayed { return []delayed{{d, echoed(m)}} }
}

// newFakePinger returns a Pinger over f that is closed with the test.
func newFakePinger(t *testing.T, f *fake, opts ...ping.Option) *ping.Pinger {
	t.Helper()
	p, err := ping.New(append([]ping.Option{ping.WithTransport(f)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// echoOfTarget answers for target alone.
func echoOfTarget(_ int, m ping.Message) []delayed {
	if m.Addr != netip.MustParseAddr(target) {
		return nil
	}
	return []delayed{{ms, echoed(m)}}
}

// buffered is a transport that has room for twice so many answers, half of which a Pinger uses.
type buffered struct {
	ping.Transport
	answers int
}

func (b buffered) Capacity() int { return 2 * b.answers }
func (b buffered) Drops() uint64 { return 0 }
