package wire

import (
	"errors"
	"net/netip"
	"time"
)

// A Packet is one ICMP message on its way out of, or into, a link: a socket of the kernel, or whatever stands in for
// one.
type Packet struct {
	// Addr is the destination of a message sent and the source of one received; of an ICMP error, whose source is
	// Err.From, the destination of the message that it quotes. A link-local address may have a zone. Addresses are
	// never IPv4-mapped IPv6 ones.
	Addr netip.Addr

	// Data is the ICMP message from its type on, without an IP header: [HeaderLen] bytes and the payload. With Err it
	// is the echo request that the error quotes, or as much of that as came. The checksum (bytes 2 and 3) and the
	// identifier (bytes 4 and 5) are the link's: sending may write to them.
	Data []byte

	// TTL is the TTL or hop limit: to send with, 1 to 255 (0: the system's default), or that with which the message or
	// the ICMP error was received (0: unknown).
	TTL int

	// TrafficClass is the IPv4 type of service or IPv6 traffic class to send with, 0 to 255.
	TrafficClass int

	// FlowLabel is the IPv6 flow label (RFC 6437) to send with, 0 to 0xfffff; 0: the system's choice.
	FlowLabel int

	// DontFragment asks that the packet is not fragmented on the way. A socket of the kernel is opened for one or the
	// other, and does not look at it.
	DontFragment bool

	// Time is when the message left or came. A reading of the program's clock (time.Now) is the program's; a time
	// without a monotonic reading is a stamp of the wall clock by who handled the message first, such as the kernel.
	// Zero: not known.
	Time time.Time

	// Err, on a received message, is the ICMP error that quotes Data; nil: Data is a message of its own.
	Err *Error

	// Key, on a message sent, asks for a report of its departure under this number; 0 asks for none.
	Key uint32

	// Departed, on a received packet, says that it is no message, but the report of the departure of the one that was
	// sent with Key; Time is when that left.
	Departed bool
}

// A Backlog says which of a link's two queues, each in order of arrival, may hold something more.
type Backlog struct {
	Replies bool
	Reports bool // ICMP errors and reports of departures
}

// ErrNoRoom says that a link cannot take a message now, but may in a moment.
var ErrNoRoom = errors.New("no room to send")

// A TooBigError says that a link cannot send a message in one piece. It wraps the link's error, and has its text.
type TooBigError struct {
	MTU int // the largest packet that would have left, in bytes and with the headers of IP and ICMP; above 0
	Err error
}

// Error is the link's error.
func (e *TooBigError) Error() string { return e.Err.Error() }

// Unwrap returns the link's error.
func (e *TooBigError) Unwrap() error { return e.Err }

// ErrEnded says that a link's socket is none any more.
var ErrEnded = errors.New("the socket has ended")
