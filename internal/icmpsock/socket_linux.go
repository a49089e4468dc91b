package icmpsock

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

const (
	batchSize = 8 // messages a system call: more win next to nothing
	// usualMessage is room for every reply to a payload of the usual sizes, and for the quotation in an ICMP error (RFC
	// 1812 section 4.3.2.3, RFC 4443 section 2.4: at most 1,280 bytes).
	usualMessage = 2048
)

// A Socket is one ICMP socket of one IP version.
//
// Sends and receives go straight to sendmmsg(2) and recvmmsg(2): the batch calls of x/net allocate twice for each
// message received, and hold a lock of the descriptor while the caller waits for a processor, which would lie
// between the reading of the clock and the system call. None of these calls blocks; the waiter waits.
//
// One goroutine at a time calls Wait; any may call the other methods. Locks are taken in the order sending, receive,
// dropped, devices. Whoever holds one of them may use the descriptor, unless it is closed; the waiter uses it only
// within its own epoll instance.
type Socket struct {
	file      *os.File // not in the runtime's poller
	fd        uintptr  // of file
	errorFile *os.File // of another socket, which gets the ICMP errors; nil: this one does
	errorFD   uintptr  // of whichever gets them
	closed    bool     // written with all locks held
	waiter    *waiter

	// Not written to once the socket is open.
	config     Config
	namespace  namespace
	v6         bool
	fixed      bool   // packets must not be fragmented
	id         uint16 // of a raw socket; 0: the kernel's own
	buffer     int    // what the kernel's receive buffer holds, in bytes of its own accounting
	departures bool   // the error queue holds reports of departures too
	lacks      []Lack // what the system has refused
	deaf       error  // why no ICMP errors come; nil: they do
	noLabels   error  // why no IPv6 flow label can be sent; nil: it can
	byOptions  bool   // the kernel passes over control messages: the socket's options say what its messages' headers are

	sending struct {
		sync.Mutex
		batch
		followed time.Time // when the socket was last seen to be bound to its network interface
		lost     error     // why it is bound to one that is no more
		header   header    // as the options have it, with byOptions
		fits     int       // what would have fit the device in place of the message that has failed; 0: that is not why
	}
	receive struct {
		sync.Mutex // reading the error queue sets the socket's pending error, which meets a send
		batch
		found []wire.Packet // what a send has read of the error queue
		room  []byte        // to read it into
		fits  int           // what would have fit the device in place of a message of ours; 0: none was too big
	}
	dropped struct {
		sync.Mutex
		last   uint32
		total  uint64
		memory memory
	}
	devices devices
	errors  atomic.Bool // the error queue may hold something
}

// Raw reports whether it is a raw socket, and not a datagram socket.
func (s *Socket) Raw() bool { return s.id != 0 }

// Polls reports that TryReceive finds all that has come.
func (s *Socket) Polls() bool { return true }

// Departures reports whether the kernel tells when messages leave.
func (s *Socket) Departures() bool { return s.departures }

// Capacity is how many bytes the receive buffer holds, by the kernel's accounting, which counts more for a message
// than its length. Messages and ICMP errors share it.
func (s *Socket) Capacity() int { return s.buffer }

// Drops is how many messages and ICMP errors there was no room for, since the socket was opened. On a raw socket the
// kernel counts others' messages too while there is no room, and over IPv6 those with a wrong checksum.
func (s *Socket) Drops() uint64 {
	d := &s.dropped
	d.Lock()
	defer d.Unlock()
	if !s.closed && d.memory.read(s.fd) == nil {
		now := d.memory[unix.SK_MEMINFO_DROPS]
		d.total += uint64(now - d.last) // the kernel's count wraps
		d.last = now
	}
	return d.total
}

// Wait returns when something has come, which may have been read by then; after Close, it returns net.ErrClosed.
func (s *Socket) Wait() error {
	reports, err := s.waiter.wait()
	if reports {
		s.errors.Store(true)
	}
	return err
}

// Close ends a Wait, and has all other methods do nothing from then on: those that send and receive return
// net.ErrClosed. Closing again does nothing, and returns nil.
func (s *Socket) Close() error {
	s.waiter.Close()
	s.sending.Lock()
	defer s.sending.Unlock()
	s.receive.Lock()
	defer s.receive.Unlock()
	s.dropped.Lock()
	defer s.dropped.Unlock()
	s.devices.Lock()
	defer s.devices.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.errorFile != nil {
		s.errorFile.Close()
	}
	return s.file.Close()
}
