package ping

import (
	"fmt"
	"sync"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// A Transport carries the ICMP messages of one [Pinger], of both IP versions. The kernel's sockets are one; everything
// above runs unchanged over any. See [WithTransport].
//
// The Pinger calls Send from one goroutine at a time, and Receive from one goroutine at a time, but both at once, and
// Close at any moment. The messages and their Data belong to the caller: the transport does not use them once the
// call has returned.
//
// A transport hands over what answers its own requests, which the identifier tells, and drops what has a wrong
// checksum. It need not look further: the Pinger counts answers that are late, double, corrupted or forged, and
// passes over what is no answer to it. One that is to be used within testing/synctest waits for channels and timers
// only.
type Transport interface {
	// Send sends the messages in order, one or more, and sets the Time of each. It returns how many left. All of them:
	// the error is not looked at. Fewer: the error is why msgs[n] did not leave, and ends that probe alone; the
	// messages after it were not tried, and the Pinger sends them by another call.
	//
	// What an option of a message asks for and the transport cannot do is an error, of the kind of
	// errors.ErrUnsupported, not a message sent without it. So is an address that it cannot send to. One that wraps
	// [ErrNoRoom] says that msgs[n] may be tried again: the Pinger does so a millisecond later, until the
	// probe's timeout has passed. One that wraps syscall.EMSGSIZE says that it is larger than may leave in one piece,
	// which PathMTU heeds. Send returns without waiting for long: all others that want to send
	// wait for it, and so do timeouts.
	//
	// After Close, it sends nothing, and the error is net.ErrClosed. Before, that error is not for Send to return.
	// Should it panic, msgs have failed, and the panic comes out of whichever call was sending, be it for another.
	Send(msgs []Message) (n int, err error)

	// Receive waits until there is at least one message, and fills in the first n of msgs, 1 or more. Each comes
	// empty but for Data, which is for Receive to write to and to shorten: it has room for the longest message that
	// may be received. What is longer all the same is cut off.
	//
	// A bad message is passed over; it is no error. An error says that the transport has come to its
	// end: the n messages with it still count, the Pinger closes the transport, all that is in flight and all
	// later calls end with an error that wraps net.ErrClosed and this one, and a logger is told of it. After
	// Close, the error is net.ErrClosed, also for messages that had come by then: none is delivered any more.
	Receive(msgs []Message) (n int, err error)

	// Close ends a waiting Receive, and a waiting Send, and releases what the transport holds. It need not wait for
	// them to return. Its error is what Pinger.Close returns. Closing again does nothing, and returns nil.
	Close() error
}

// A BufferedTransport is a [Transport] that says how much it keeps for Receive. Then no more echo requests are in
// flight than it has room for the answers to, as over the kernel's sockets, and a probe whose answer it may have
// dropped ends with [ErrLocalDrop], not with a loss. The methods may be called at any time, by several goroutines at
// once.
type BufferedTransport interface {
	Transport
	// Capacity is how many messages the transport keeps until Receive takes them, 1 or more. The Pinger fills some
	// half of it; a payload of more than 56 bytes counts as more than one message, as the kernel has it. It is asked
	// once.
	Capacity() int
	// Drops is how many messages it has dropped since it was made, because there was no room for them.
	Drops() uint64
}

// A link is a Transport as the engine has it: it turns packets into messages and back, and does not believe all that
// it is told.
//
// The engine's sender calls Send; its reader calls Wait; TryReceive is called by one goroutine at a time.
type link struct {
	transport Transport
	buffered  BufferedTransport // the same, if it is one
	sent      []Message         // the sender's
	met       []Message         // the reader's, until mu has been held with count above 0
	room      []byte

	mu    sync.Mutex
	count int   // of met, how many have come and not been taken
	err   error // that Receive has returned
}

var _ engine.Link = (*link)(nil)

func newLink(t Transport) *link {
	l := &link{transport: t, sent: make([]Message, engine.BatchSize), met: make([]Message, engine.BatchSize)}
	l.buffered, _ = t.(BufferedTransport)
	l.room = make([]byte, engine.BatchSize*linkRoom)
	return l
}

// linkRoom is room for the longest message, and to tell one that is too long from that.
const linkRoom = wire.MaxPayload6 + 128

// emptyPause is how long after a Receive that has returned with nothing, which is against its contract, it is called
// again: at once, one that goes on so would keep a processor busy.
const emptyPause = time.Millisecond

// Send implements engine.Link.
func (l *link) Send(packets []wire.Packet) (int, error) {
	messages := l.sent[:len(packets)]
	for i := range packets {
		p := &packets[i]
		messages[i] = Message{
			Addr:         p.Addr,
			Data:         p.Data,
			TTL:          p.TTL,
			TrafficClass: p.TrafficClass,
			FlowLabel:    p.FlowLabel,
			DontFragment: p.DontFragment,
		}
	}
	before := time.Now()
	n, err := l.transport.Send(messages)
	after := time.Now()
	switch {
	case n < 0 || n > len(messages):
		return 0, fmt.Errorf("the transport says that it took %d of %d messages", n, len(messages))
	case n < len(messages) && err == nil:
		err = errNotTaken
	}
	for i := range n {
		at := messages[i].Time
		switch {
		case at.Before(before): // or not set
			at = before
		case at.After(after):
			at = after
		}
		packets[i].Time = at
	}
	return n, err
}

// Wait implements engine.Link.
func (l *link) Wait() error {
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for i := range l.met {
		l.met[i] = Message{Data: l.room[i*linkRoom : (i+1)*linkRoom : (i+1)*linkRoom]}
	}
	n, err := l.transport.Receive(l.met)
	if n < 0 || n > len(l.met) {
		n, err = 0, fmt.Errorf("the transport says that it received %d messages of %d at most", n, len(l.met))
	}
	if n == 0 && err == nil {
		time.Sleep(emptyPause)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.err = n, err
	if n > 0 {
		return nil // and the error comes after them
	}
	return err
}

// TryReceive implements engine.Link.
func (l *link) TryReceive(packets []wire.Packet, _ bool) (n int, more wire.Backlog, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(l.count, len(packets))
	for i, m := range l.met[:n] {
		packets[i] = wire.Packet{Addr: m.Addr, Data: m.Data, TTL: m.TTL, Time: m.Time, Err: m.Err.wire()}
	}
	if l.count -= n; l.count > 0 {
		copy(l.met, l.met[n:n+l.count])
		return n, wire.Backlog{Replies: true}, nil
	}
	return n, wire.Backlog{}, l.err
}

// Polls implements engine.Link.
func (l *link) Polls() bool { return false }

// Departures implements engine.Link.
func (l *link) Departures() bool { return false }

// Capacity implements engine.Link.
func (l *link) Capacity() int {
	if l.buffered == nil {
		return 0
	}
	return min(max(l.buffered.Capacity(), 1), mostCapacity) * flight.MessageCost(usualSize)
}

// mostCapacity is more messages than can ever be in flight.
const mostCapacity = 1 << 20

// Drops implements engine.Link.
func (l *link) Drops() uint64 {
	if l.buffered == nil {
		return 0
	}
	return l.buffered.Drops()
}

// Close implements engine.Link.
func (l *link) Close() error { return l.transport.Close() }
