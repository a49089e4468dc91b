package engine

import "github.com/icmpsock/ping/internal/wire"

// A Link carries packets: a socket of the kernel, or what stands in for one. A Conn calls Send from one goroutine at
// a time, TryReceive from one at a time and Wait from one, each beside the others, and Close at any moment.
type Link interface {
	// Send sends packets, BatchSize at most, in order, and sets the Time of each that left to the instant before it did.
	// It returns how many left; the error is why packets[n] did not, and ends that probe alone, unless it wraps
	// wire.ErrNoRoom: then the packet is tried again later; or wire.ErrEnded: then the link has ended. It returns without
	// waiting for long.
	Send(packets []wire.Packet) (n int, err error)
	// Wait returns when something has come, which may have been read by then; net.ErrClosed after Close.
	Wait() error
	// TryReceive reads what has come, without waiting, into packets, whose Data has room for the longest that may come, or
	// is the link's own: it stays as it is until the next Wait or TryReceive. It may leave ICMP errors for after the next
	// Wait, unless all is set. more says where something may be left. An error says that the link has ended.
	TryReceive(packets []wire.Packet, all bool) (n int, more wire.Backlog, err error)
	// Polls reports whether TryReceive finds all that has come by then. If not, it finds what Wait has met, into
	// the link's own memory, and Wait is called all the time.
	Polls() bool
	// Capacity is how much the link keeps for TryReceive, in bytes of the kernel's accounting (package flight); 0 if
	// that is not known, or has no bound.
	Capacity() int
	// Drops is how many packets there was no room for.
	Drops() uint64
	// Departures reports whether the link reports when packets with a Key have left.
	Departures() bool
	// Close ends a Wait. Its error is that of Conn.Close.
	Close() error
}
