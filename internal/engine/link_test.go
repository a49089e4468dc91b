package engine

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// A script is what becomes of packets that are sent: how many leave, and why the next one does not.
type script func(l *fakeLink, packets []wire.Packet) (int, error)

// silent has all packets leave, and nothing come back.
func silent(_ *fakeLink, packets []wire.Packet) (int, error) { return len(packets), nil }

// echoing has all packets leave, and their answers there when Send returns.
func echoing(l *fakeLink, packets []wire.Packet) (int, error) {
	for i := range packets {
		l.deliver(echo(packets[i]))
	}
	return len(packets), nil
}

// echoingAfter has an answer to each packet come so much later.
func echoingAfter(d time.Duration) script {
	return func(l *fakeLink, packets []wire.Packet) (int, error) {
		for i := range packets {
			answer := echo(packets[i])
			time.AfterFunc(d, func() { l.deliver(answer) })
		}
		return len(packets), nil
	}
}

// A fakeLink is a Link whose far end is a script. Its options are set before a Conn has it.
type fakeLink struct {
	polls    bool
	departs  bool
	deaf     bool // Wait does not tell when something has come
	capacity int
	closeErr error
	dropping func()             // called by Drops
	reading  func() (err error) // called by TryReceive, which ends with that error if it has read nothing
	waiting  func()             // called by Wait before it returns
	play     atomic.Pointer[script]
	dropped  atomic.Uint64
	waits    atomic.Int64 // calls of Wait
	closes   atomic.Int64

	came   chan struct{} // holds a token when something has come since the last Wait
	ends   chan error    // what Wait is to return
	closed chan struct{}

	mu               sync.Mutex
	sent             []wire.Packet
	replies, reports []wire.Packet
	met              []wire.Packet // by Wait, where TryReceive does not poll
}

func newLink(play script) *fakeLink {
	l := &fakeLink{
		polls:  true,
		came:   make(chan struct{}, 1),
		ends:   make(chan error, 1),
		closed: make(chan struct{}),
	}
	l.play.Store(&play)
	return l
}

// Send implements Link.
func (l *fakeLink) Send(packets []wire.Packet) (int, error) {
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	default:
	}
	at := time.Now()
	n, err := (*l.play.Load())(l, packets)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range packets[:n] {
		packets[i].Time = at
		p := packets[i]
		p.Data = bytes.Clone(p.Data)
		l.sent = append(l.sent, p)
	}
	return n, err
}

// Wait implements Link.
func (l *fakeLink) Wait() error {
	l.waits.Add(1)
	if l.waiting != nil {
		defer l.waiting()
	}
	came := l.came
	if l.deaf {
		came = nil
	}
	for {
		select {
		case <-l.closed:
			return net.ErrClosed
		default:
		}
		select {
		case <-came:
		case err := <-l.ends:
			return err
		case <-l.closed:
			return net.ErrClosed
		}
		if l.polls {
			return nil
		}
		l.mu.Lock()
		n := min(len(l.replies), BatchSize)
		l.met = append(l.met, l.replies[:n]...)
		l.replies = l.replies[n:]
		if len(l.replies) > 0 {
			signal(l.came)
		}
		l.mu.Unlock()
		if n > 0 {
			return nil
		}
	}
}

// TryReceive implements Link.
func (l *fakeLink) TryReceive(packets []wire.Packet, _ bool) (n int, more wire.Backlog, err error) {
	if l.reading != nil {
		err = l.reading()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	take := func(queue *[]wire.Packet, limit int) (more bool) {
		for ; n < limit && len(*queue) > 0; n++ {
			p := (*queue)[0]
			if l.polls { // else the link's own memory
				p.Data = packets[n].Data[:copy(packets[n].Data, p.Data)]
			}
			packets[n] = p
			*queue = (*queue)[1:]
		}
		return n == limit
	}
	if !l.polls {
		take(&l.met, len(packets))
		return n, wire.Backlog{Replies: len(l.met) > 0}, err
	}
	more.Reports = take(&l.reports, (len(packets)+1)/2) && len(l.reports) > 0
	more.Replies = take(&l.replies, len(packets)) && len(l.replies) > 0
	return n, more, err
}

// Polls implements Link.
func (l *fakeLink) Polls() bool { return l.polls }

// Capacity implements Link.
func (l *fakeLink) Capacity() int { return l.capacity }

// Drops implements Link.
func (l *fakeLink) Drops() uint64 {
	if l.dropping != nil {
		l.dropping()
	}
	return l.dropped.Load()
}

// Departures implements Link.
func (l *fakeLink) Departures() bool { return l.departs }

// Close implements Link.
func (l *fakeLink) Close() error {
	if l.closes.Add(1) == 1 {
		close(l.closed)
		return l.closeErr
	}
	return nil
}

// deliver has packets come.
func (l *fakeLink) deliver(packets ...wire.Packet) {
	l.mu.Lock()
	for _, p := range packets {
		if p.Time.IsZero() {
			p.Time = time.Now().Round(0)
		}
		if p.Err != nil || p.Departed {
			l.reports = append(l.reports, p)
		} else {
			l.replies = append(l.replies, p)
		}
	}
	l.mu.Unlock()
	signal(l.came)
}

// plays has another script from now on.
func (l *fakeLink) plays(s script) { l.play.Store(&s) }

// packets are those that have left.
func (l *fakeLink) packets() []wire.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// left is how many packets have left.
func (l *fakeLink) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// echo is the answer to a packet.
func echo(p wire.Packet) wire.Packet {
	data := bytes.Clone(p.Data)
	data[0] = wire.EchoReply4
	return wire.Packet{Addr: p.Addr, Data: data, TTL: 64}
}

// departure is the report of the departure of a packet, at an instant.
func departure(p wire.Packet, at time.Time) wire.Packet {
	return wire.Packet{Key: p.Key, Departed: true, Time: at.Round(0)}
}

// A gate holds up who passes, until it is opened.
type gate struct {
	met  chan struct{} // receives who has come to it
	open chan struct{}
}

func newGate() gate { return gate{make(chan struct{}, 1), make(chan struct{})} }

func (g gate) pass() {
	signal(g.met)
	<-g.open
}

// Once that the script is told of the first packet it waits at the gate; then, and for all others, it is another's.
func held(g gate, then script) script {
	var first atomic.Bool
	return func(l *fakeLink, packets []wire.Packet) (int, error) {
		if first.CompareAndSwap(false, true) {
			g.pass()
		}
		return then(l, packets)
	}
}

var _ Link = (*fakeLink)(nil)

// template is an echo request with size bytes of payload.
func template(t testing.TB, size int) []byte {
	t.Helper()
	b, err := wire.NewTemplate(false, size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
