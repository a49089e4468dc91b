package ping

import (
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
	// 129); of AskInterface, an extended echo request (42, or 160), and an extended echo reply (43, or 161). With Err
	// it is the request that the error quotes, or as much of that as came, from its first 8 bytes on.
	//
	// The checksum (bytes 2 and 3) and the identifier (bytes 4 and 5) are the transport's: Send may write to them,
	// and has both right where others can see the message, the identifier the same in all of them. The Pinger's own
	// contents of them mean nothing, the checksum being 0, and of what it receives it looks at the checksum of a quoted
	// request alone, where that is not 0 (ICMPError.NAT). The rest is to arrive as it was sent.
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
	// address of Addr's IP version, Type and Code are that version's; the rest is as far as the error tells. It ends
	// the probe, unless it is a redirect or a source quench. It becomes the probe's error: the transport does not use
	// it again, nor its slices.
	Err *ICMPError
}
