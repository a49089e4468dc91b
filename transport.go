package ping

import (
	"errors"
	"net/netip"
	"time"
)

// A Message is one ICMP message on its way out of, or into, a [Transport].
type Message struct {
	// Addr is the destination of a message sent and the source of one received. For an ICMP error it is the
	// destination of the message that the error quotes. A received link-local address may lack its zone.
	Addr netip.Addr

	// Data is the ICMP message, from its type on; for an ICMP error, as much of the quoted message as came.
	// The transport fills in the identifier and the checksum of what it sends.
	Data []byte

	// TTL is the TTL or hop limit: to send with (0: the system's default), or received with (0: unknown).
	TTL int

	// TrafficClass is the type of service or traffic class to send with.
	TrafficClass int

	// FlowLabel is the IPv6 flow label (RFC 6437) to send with, 0 to 0xfffff; 0: the system's choice.
	FlowLabel int

	// DontFragment asks that what is sent is not fragmented on the way. The kernel's sockets are opened for
	// one or the other, and do not look at it.
	DontFragment bool

	// Time is when the message left, set by Send, or came, set by Receive. A time with a monotonic reading
	// is the program's clock; one without is the kernel's stamp. Zero: the Pinger reads its own clock.
	Time time.Time

	// Err, on a received message, is the ICMP error that quotes Data.
	Err *ICMPError

	// key, on a message sent, asks the kernel to report under it when the message leaves; 0 does not.
	// With departed set, a received message is no message but that report.
	key      uint32
	departed bool
}

// A Transport carries ICMP messages. The kernel's sockets are one; everything above runs unchanged over any.
//
// The Pinger calls Send from one goroutine at a time, and Receive from one goroutine at a time, but both at
// once. The messages and their buffers belong to the caller and are not kept after the call returns.
type Transport interface {
	// Send sends the messages in order, and sets the Time of each. It returns how many it took: fewer than
	// len(msgs) only with an error, which is about msgs[n] alone: the messages after it were not tried.
	// An error that wraps [ErrNoRoom] says that msgs[n] may be tried again a little later, one that wraps
	// syscall.EMSGSIZE that it is larger than may leave in one piece. After Close it is net.ErrClosed.
	Send(msgs []Message) (n int, err error)

	// Receive waits until there is at least one message, and fills in one or more of msgs, from the first. Each
	// comes with Data that has room for the longest message that may be received: Receive writes into it,
	// and shortens it. An error ends the transport for good; after Close it is net.ErrClosed.
	Receive(msgs []Message) (n int, err error)

	// Close ends a waiting Receive, and releases what the transport holds.
	Close() error
}

// ErrNoRoom says that a [Transport] cannot take a message now, but may in a moment. It is the error of a probe that
// found no room to be sent for as long as its timeout.
var ErrNoRoom = errors.New("ping: no room to send")

// A poller is a Transport that can be read without waiting, so that a caller may look for its own answer,
// and everything that came before a deadline can be read before a probe is called lost.
type poller interface {
	// wait returns when something has come, which may have been read by then; net.ErrClosed after Close.
	wait() error
	// tryReceive is Receive that does not wait, and says whether there may be more to read. It may run
	// together with wait. It may leave ICMP errors for after the next wait, unless all is set.
	tryReceive(messages []Message, all bool) (n int, more bool, err error)
}

// A wireStamper is a Transport that reports when messages leave, if it can.
type wireStamper interface{ stampsDepartures() bool }

// A queue is a Transport that keeps what comes until it is received, in a buffer that may overflow.
type queue interface {
	capacity() int // bytes, of which cost tells how many a message takes
	drops() uint64 // messages that there was no room for
}

// socketConfig is what a socket of the kernel is opened with.
type socketConfig struct {
	kind         SocketKind
	source       netip.Addr // invalid: any
	device       string     // "": any
	mark         int
	hasMark      bool
	dontFragment bool
	wire         bool // transmit stamps
}
