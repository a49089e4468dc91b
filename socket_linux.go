package ping

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/sys/unix"
)

// A socket is one ICMP socket of one family: a Transport over the kernel.
//
// Sends and receives go straight to sendmmsg(2) and recvmmsg(2): the batch calls of x/net allocate twice for each
// message received, and hold a lock of the descriptor while the caller waits for a processor, which would lie
// between the reading of the clock and the system call. None of these calls blocks; the waiter waits.
//
// One goroutine at a time calls wait; any may call the other methods. Locks are taken in the order sending, receive,
// dropped. Whoever holds one of them may use the descriptor, unless it is closed; the waiter uses it only within its own
// epoll instance.
type socket struct {
	file    *os.File // not in the runtime's poller
	raw     syscall.RawConn
	fd      uintptr // of file
	closed  bool    // written with all locks held
	waiter  *waiter
	v6      bool
	fixed   bool   // packets must not be fragmented
	id      uint16 // of a raw socket; 0: the kernel's own
	buffer  int    // what the kernel's receive buffer holds, in bytes of its own accounting
	sending struct {
		sync.Mutex
		batch
	}
	receive struct {
		sync.Mutex // reading the error queue sets the socket's pending error, which meets a send
		batch
		found  []Message // what a send has read of the error queue
		room   []byte    // to read it into
		tooBig int       // messages of ours that were too big for the device
	}
	dropped struct {
		sync.Mutex
		last   uint32
		total  uint64
		memory memory
	}
	errors atomic.Bool // the error queue may hold something
	wire   bool        // the error queue holds reports of departures too
}

// What the rest asks a transport for, where it has it.
var (
	_ Transport      = (*socket)(nil)
	_ poller         = (*socket)(nil)
	_ wireStamper    = (*socket)(nil)
	_ queue          = (*socket)(nil)
	_ slog.LogValuer = (*socket)(nil)
)

// openSocket opens a socket of one family.
func openSocket(v6 bool, config socketConfig) (Transport, error) {
	if config.source.IsValid() {
		// icmp.ListenPacket leaves the descriptor open where bind fails.
		c, err := net.ListenPacket("udp", net.JoinHostPort(config.source.String(), "0"))
		if err != nil {
			return nil, fmt.Errorf("WithSource(%v): %w", config.source, err)
		}
		c.Close()
	}
	var denied error
	if config.kind != SocketRaw {
		s, err := listen(v6, false, config)
		if !errors.As(err, &refusedError{}) {
			return s.orNil(), err
		}
		if config.kind == SocketDatagram {
			return nil, notPermitted(config.kind, err)
		}
		denied = err
	}
	s, err := listen(v6, true, config)
	if errors.As(err, &refusedError{}) {
		if denied != nil {
			err = fmt.Errorf("%w; %w", denied, err)
		}
		err = notPermitted(config.kind, err)
	}
	return s.orNil(), err
}

// A refusedError is why the kernel would not open the socket, as opposed to setting an option of it.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

// orNil keeps a nil *socket from becoming a Transport that is not nil.
func (s *socket) orNil() Transport {
	if s == nil {
		return nil
	}
	return s
}

func listen(v6, raw bool, config socketConfig) (*socket, error) {
	network, address := "udp4", "0.0.0.0"
	switch {
	case v6 && raw:
		network, address = "ip6:ipv6-icmp", "::"
	case v6:
		network, address = "udp6", "::"
	case raw:
		network = "ip4:icmp"
	}
	if config.source.IsValid() {
		address = config.source.String()
	}
	c, err := listenPacket(network, address)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = refusedError{err}
		}
		return nil, err
	}
	defer c.Close()
	s := &socket{v6: v6, fixed: config.dontFragment}
	var conn net.PacketConn
	var filter func([]bpf.RawInstruction) error
	if v6 {
		conn, filter = c.IPv6PacketConn().PacketConn, c.IPv6PacketConn().SetBPF
	} else {
		conn, filter = c.IPv4PacketConn().PacketConn, c.IPv4PacketConn().SetBPF
	}
	if raw {
		s.id = uint16(1 + rand.IntN(1<<16-1))
		program, err := ownReplies(s.v6, s.id)
		if err != nil {
			return nil, err
		}
		if err := filter(program); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
	}
	if err := s.takeOver(conn.(syscall.Conn)); err != nil {
		return nil, err
	}
	if err := s.setUp(config); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// listenPacket is icmp.ListenPacket, whose datagram sockets are for a moment without close-on-exec: a program that is
// started then would inherit one. The lock is that of which package syscall says to hold it where that is so.
func listenPacket(network, address string) (*icmp.PacketConn, error) {
	if strings.HasPrefix(network, "udp") {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	return icmp.ListenPacket(network, address)
}

// takeOver gives the socket a descriptor of its own for conn's socket, which is not in the runtime's poller.
func (s *socket) takeOver(conn syscall.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var fd int
	cerr := raw.Control(func(theirs uintptr) {
		fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(cerr, os.NewSyscallError("fcntl", err)); err != nil {
		return err
	}
	// Package os has the poller wait for a descriptor that does not block. Nor do our calls: MSG_DONTWAIT.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	s.file, s.fd = os.NewFile(uintptr(fd), "icmp"), uintptr(fd)
	if s.raw, err = s.file.SyscallConn(); err == nil {
		s.waiter, err = newWaiter(fd)
	}
	if err != nil {
		s.file.Close()
	}
	return err
}

func (s *socket) setUp(config socketConfig) (err error) {
	s.raw.Control(func(fd uintptr) { err = setOptions(int(fd), s.v6, config) })
	if err != nil {
		return err
	}
	if config.wire && canKeyDepartures() {
		s.wire = true
		s.raw.Control(func(fd uintptr) {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING,
				unix.SOF_TIMESTAMPING_TX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE|
					unix.SOF_TIMESTAMPING_OPT_ID|unix.SOF_TIMESTAMPING_OPT_TSONLY))
		})
		if err != nil {
			return fmt.Errorf("WithWireTimestamps: %w", err)
		}
	}
	s.raw.Control(func(fd uintptr) { s.buffer, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	s.sending.init(batchSize)
	s.receive.init(batchSize)
	if s.dropped.memory.read(s.fd) { // a raw socket drops other programs' messages until its filter is set
		s.dropped.last = s.dropped.memory[unix.SK_MEMINFO_DROPS]
	}
	return err
}

// stampsDepartures implements wireStamper.
func (s *socket) stampsDepartures() bool { return s.wire }

// LogValue tells which socket it is.
func (s *socket) LogValue() slog.Value {
	kind := SocketDatagram
	if s.id != 0 {
		kind = SocketRaw
	}
	return slog.GroupValue(slog.String("kind", kind.String()), slog.Int("receive_buffer", s.buffer))
}

// Close implements [Transport].
func (s *socket) Close() error {
	s.waiter.Close()
	s.sending.Lock()
	defer s.sending.Unlock()
	s.receive.Lock()
	defer s.receive.Unlock()
	s.dropped.Lock()
	defer s.dropped.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.file.Close()
}

// capacity implements queue. Messages and errors share it.
func (s *socket) capacity() int { return s.buffer }

// drops implements queue. On a raw IPv6 socket the kernel counts messages with a wrong checksum too.
func (s *socket) drops() uint64 {
	d := &s.dropped
	d.Lock()
	defer d.Unlock()
	if !s.closed && d.memory.read(s.fd) {
		now := d.memory[unix.SK_MEMINFO_DROPS]
		d.total += uint64(now - d.last) // the kernel's count wraps
		d.last = now
	}
	return d.total
}

// ours makes of what a raw socket received what a datagram socket would have: it takes off the IPv4 header, looks at
// the ICMP checksum (for IPv6 the kernel has), and reports false for what is not ours, such as the ICMP errors to
// all other programs' echo requests.
func (s *socket) ours(m *Message, quoted bool) bool {
	switch {
	case s.id == 0 || m.departed:
		return true
	case !quoted && !s.v6:
		if len(m.Data) < 20 {
			return false
		}
		n := int(m.Data[0]&0x0f) * 4
		if n < 20 || len(m.Data) < n {
			return false
		}
		if m.Data = m.Data[n:]; checksum(m.Data) != 0 {
			return false
		}
	}
	// The filter does not know the errors, and what came before it was set.
	return len(m.Data) >= headerLen && binary.BigEndian.Uint16(m.Data[4:]) == s.id
}
