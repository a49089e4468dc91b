package ping

import (
	"errors"
	"net/netip"
	"time"
)

// A Message is one ICMP message on its way out of, or into, a [Transport].
type Message struct {
	// Addr is the destination of a message sent and the source of one received; of an ICMP error, whose source is
	// Err.From, the destination of the message that it quotes. A link-local address may have a zone when it is
	// sent to, and need not have it when it is received. Addresses are never IPv4-mapped IPv6 ones.
	Addr netip.Addr

	// Data is the ICMP message from its type on, without an IP header: 8 to 65,515 bytes with IPv4, to 65,535 with
	// IPv6. What is sent is an echo request (type 8, or 128 for an IPv6 Addr), what is received an echo reply (0, or
	// 129). With Err it is the echo request that the error quotes, or as much of that as came, from its first 8 bytes
	// on.
	//
	// The checksum (bytes 2 and 3) and the identifier (bytes 4 and 5) are the transport's: Send may write to them,
	// and has both right where others can see the message, the identifier the same in all of them. The Pinger's own
	// contents of them mean nothing, and it looks at neither in what it receives. The rest is to arrive as it was
	// sent.
	Data []byte

	// TTL is the TTL or hop limit: to send with, 1 to 255 (0: the transport's default), or that with which the
	// message or the ICMP error was received (0: unknown).
	TTL int

	// TrafficClass is the IPv4 type of service or IPv6 traffic class to send with, 0 to 255.
	TrafficClass int

	// FlowLabel is the IPv6 flow label (RFC 6437) to send with, 0 to 0xfffff; 0: the system's choice. A
	// transport that cannot set it leaves it out.
	FlowLabel int

	// DontFragment asks that what is sent is not fragmented on the way. The kernel's sockets are opened for
	// one or the other, and do not look at it.
	DontFragment bool

	// Time is when the message left, set by Send, or came, set by Receive; zero where the transport does not know.
	//
	// Send sets a reading of the program's clock (time.Now), taken right before the message leaves. In one call these
	// do not go back, and are less than 4 s apart. Without it, the time of calling Send stands in.
	//
	// Receive may set a reading of the program's clock, too: then [Reply.Clock] is ClockUser. A time without a
	// monotonic reading (see package time; within testing/synctest, none has one) is a stamp on the wall clock by who
	// received the message first, such as the kernel: then it is ClockKernel, unless the stamp cannot be true.
	// Without either, the time at which Receive returns stands in, with ClockUser. Whether a reply is in time is
	// decided by the same instant; where the program was held up, what came in time has 10 ms more to be handed over.
	Time time.Time

	// Err, on a received message, is the ICMP error that quotes Data; nil: Data is an echo reply. From is a valid
	// address of Addr's IP version, Type and Code are that version's; MTU and MPLS are as far as the error tells. It
	// ends the probe, unless it is a redirect or a source quench. It becomes the probe's error: the transport
	// does not use it again, nor its MPLS.
	Err *ICMPError

	// key, on a message sent, asks the kernel to report under it when the message leaves; 0 does not.
	// With departed set, a received message is no message but that report; with tooBig, that one of ours, which
	// is not told, was too big for the device.
	key      uint32
	departed bool
	tooBig   bool
}

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
	// After Close, it sends nothing, and the error is net.ErrClosed. Before, that error is not for Send to return. Should
	// it panic, msgs have failed, and the panic comes out of whichever call was sending, be it for another.
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

// ErrNoRoom says that a [Transport] cannot take a message now, but may in a moment. It is the error of a probe that
// found no room to be sent for as long as its timeout.
var ErrNoRoom = errors.New("no room to send")

// errEnded says that the kernel's socket is none any more.
var errEnded = errors.New("the socket has ended")

// A poller is a Transport that can be read without waiting, so that a caller may look for its own answer,
// and everything that came before a deadline can be read before a probe is called lost.
type poller interface {
	// wait returns when something has come, which may have been read by then; net.ErrClosed after Close.
	wait() error
	// tryReceive is Receive that does not wait, and says what more there may be to read. It may run
	// together with wait. It may leave ICMP errors for after the next wait, unless all is set.
	tryReceive(messages []Message, all bool) (n int, more backlog, err error)
}

// A backlog says which of a poller's two queues, each in order of arrival, may hold something.
type backlog struct {
	replies bool
	reports bool // ICMP errors and reports of departures
}

// A wireStamper is a Transport that reports when messages leave, if it can.
type wireStamper interface{ stampsDepartures() bool }

// A queue is a Transport that keeps what comes until it is received, in a buffer that may overflow.
type queue interface {
	capacity() int // bytes, of which messageCost tells how many a message takes
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
