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
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/sys/unix"
)

// A socket is one ICMP socket of one family: a Transport over the kernel.
//
// Sends and receives go straight to sendmmsg(2) and recvmmsg(2): the batch calls of x/net allocate twice for each
// message received, and hold a lock of the descriptor while the caller waits for a processor, which would lie
// between the reading of the clock and the system call.
type socket struct {
	conn    net.PacketConn
	raw     syscall.RawConn
	v6      bool
	id      uint16 // of a raw socket; 0: the kernel's own
	buffer  int    // what the kernel's receive buffer holds, in bytes of its own accounting
	sending batch
	receive struct {
		sync.Mutex // reading the error queue sets the socket's pending error, which meets a send
		batch
	}
	dropped struct {
		sync.Mutex
		last  uint32
		total uint64
	}
	waiting func(fd uintptr) bool
	parked  bool        // wait has not found anything at first
	errors  atomic.Bool // the error queue may hold something
	wire    bool        // the error queue holds reports of departures too
}

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
	c, err := icmp.ListenPacket(network, address)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = refusedError{err}
		}
		return nil, err
	}
	s := &socket{v6: v6}
	var filter func([]bpf.RawInstruction) error
	if v6 {
		s.conn, filter = c.IPv6PacketConn().PacketConn, c.IPv6PacketConn().SetBPF
	} else {
		s.conn, filter = c.IPv4PacketConn().PacketConn, c.IPv4PacketConn().SetBPF
	}
	if err := s.setUp(raw, config, filter); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) setUp(raw bool, config socketConfig, filter func([]bpf.RawInstruction) error) (err error) {
	if s.raw, err = s.conn.(syscall.Conn).SyscallConn(); err != nil {
		return err
	}
	if raw {
		s.id = uint16(1 + rand.IntN(1<<16-1))
		program, err := ownReplies(s.v6, s.id)
		if err != nil {
			return err
		}
		if err := filter(program); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	cerr := s.raw.Control(func(fd uintptr) { err = setOptions(int(fd), s.v6, config) })
	if err = errors.Join(cerr, err); err != nil {
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
	s.waiting = s.poll
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

func (s *socket) Close() error { return s.conn.Close() }

// Send implements [Transport].
func (s *socket) Send(messages []Message) (int, error) {
	var bad error // why one cannot be sent
	for i := range messages {
		if bad = s.prepare(i, &messages[i]); bad != nil {
			messages = messages[:i]
			break
		}
	}
	b := &s.sending
	for sent, tries := 0, 0; sent < len(messages); {
		b.first, b.last = sent, len(messages)
		pending, err := s.attempt(tries > 1)
		if err != nil {
			return sent, net.ErrClosed
		}
		if b.n > 0 {
			took := b.after.Sub(b.before) / time.Duration(b.n)
			if took > longestSend {
				took = 0
			}
			for i := range b.n {
				messages[sent+i].Time = b.before.Add(time.Duration(i) * took)
			}
			sent += b.n
			tries = 0
			continue
		}
		switch b.errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS:
			return sent, fmt.Errorf("%w: %w", ErrNoRoom, os.NewSyscallError("sendmmsg", b.errno))
		}
		s.errors.Store(true)
		if tries++; tries > pendingTries && !pending || tries > mostTries {
			return sent, os.NewSyscallError("sendmmsg", b.errno)
		}
	}
	return len(messages), bad
}

// longestSend is how long a message of a batch takes at most to send. More means that the thread was stopped, at a
// moment that nobody knows: then all are said to have left at the start, which makes no RTT too short.
const longestSend = 100 * time.Microsecond

// attempt calls sendmmsg once. An error may be the message's own, or one that was pending because of another
// message: an ICMP error fails the next call on the socket, whichever that is, and the message is not sent. The
// error queue holds it too, so nothing is lost by trying again; but reading that queue makes the next error in
// it the pending one, so that alone does it. Then it tells whether another may have become pending meanwhile: something
// has come, or there is no room for it to be seen.
func (s *socket) attempt(alone bool) (pending bool, err error) {
	if !alone {
		return false, s.raw.Control(s.sending.send)
	}
	s.receive.Lock()
	defer s.receive.Unlock()
	return s.attemptAlone()
}

// attemptAlone is apart from attempt, for its results are on the heap: the function that is called back sets one.
func (s *socket) attemptAlone() (pending bool, err error) {
	err = s.raw.Control(func(fd uintptr) {
		before, _ := memory(fd)
		unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		s.sending.send(fd)
		after, ok := memory(fd)
		held := after[unix.SK_MEMINFO_RMEM_ALLOC]
		pending = ok && (held != before[unix.SK_MEMINFO_RMEM_ALLOC] || held+longestError >= after[unix.SK_MEMINFO_RCVBUF])
	})
	return pending, err
}

const (
	// pendingTries is how often a message is tried at least whose error may be a pending one: each time, another
	// message's error would have to come in between.
	pendingTries = 8
	// longestError is what an ICMP error takes of the receive buffer at most: 1280 bytes (RFC 4443, 2.4), and the kernel's own.
	longestError = 4096
	// mostTries is how often it is tried at most. The kernel gives up a neighbour that does not answer, and refuses a
	// hundred messages in a row that waited for it.
	mostTries = 1 << 12
)

// prepare lays out message i for sendmmsg.
func (s *socket) prepare(i int, m *Message) error {
	if s.id != 0 {
		binary.BigEndian.PutUint16(m.Data[4:], s.id)
		if !s.v6 { // the kernel does ICMPv6 checksums
			m.Data[2], m.Data[3] = 0, 0
			binary.BigEndian.PutUint16(m.Data[2:], checksum(m.Data))
		}
	}
	return s.sending.set(i, m, s.v6)
}

// Receive implements [Transport].
func (s *socket) Receive(messages []Message) (int, error) {
	for {
		if err := s.wait(); err != nil {
			return 0, err
		}
		if n, _, err := s.tryReceive(messages, false); n > 0 || err != nil {
			return n, err
		}
	}
}

// wait implements poller.
func (s *socket) wait() error {
	s.parked = false
	if s.raw.Read(s.waiting) == nil {
		return nil
	}
	// The socket is closed; or it has an error queued while its send buffer is so full that it is not writable. The
	// runtime's poller takes that, EPOLLERR alone, for a descriptor that cannot be polled.
	if s.raw.Control(s.await) != nil {
		return net.ErrClosed
	}
	return nil
}

// await is poll that waits itself, but not long: Close cannot wake it.
func (s *socket) await(fd uintptr) { s.pollFor(fd, 10*time.Millisecond) }

// poll reports whether there is anything to read, in the queue of messages or in that of errors.
// The second time it is called for one wait, something has come, though it may have been read by now.
func (s *socket) poll(fd uintptr) bool {
	woken := s.parked
	s.parked = true
	return s.pollFor(fd, 0) || woken
}

func (s *socket) pollFor(fd uintptr, wait time.Duration) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLERR}}
	n, err := unix.Poll(p[:], int(wait/time.Millisecond))
	if p[0].Revents&unix.POLLERR != 0 {
		s.errors.Store(true)
	}
	return n > 0 || err != nil
}

// tryReceive implements poller.
func (s *socket) tryReceive(messages []Message, all bool) (got int, more backlog, err error) {
	s.receive.Lock()
	defer s.receive.Unlock()
	if s.wire {
		// A report of departure is there before the answer is.
		if got, more.reports, err = s.read(messages[:(len(messages)+1)/2], unix.MSG_ERRQUEUE); err != nil {
			return got, more, err
		}
	}
	n, moreReplies, err := s.read(messages[got:], 0)
	got, more.replies = got+n, moreReplies
	if err == nil && (all || s.errors.Load()) {
		s.errors.Store(false) // before reading: what comes meanwhile wakes the one that waits
		if n, more.reports, err = s.read(messages[got:], unix.MSG_ERRQUEUE); more.reports {
			s.errors.Store(true)
		}
		got += n
	}
	return got, more, err
}

// read reads one of the socket's two queues, and says whether there may be more in it.
func (s *socket) read(messages []Message, queue int) (got int, more bool, err error) {
	b := &s.receive.batch
	b.prepare(messages, queue)
	for failed := 0; b.count > 0; failed++ {
		if err := s.raw.Control(b.recv); err != nil {
			return 0, false, net.ErrClosed
		}
		if b.n > 0 || b.errno == unix.EAGAIN {
			break
		}
		// A pending error, which is gone by being reported, and of which the error queue tells more; or EINTR.
		s.errors.Store(true)
		if failed == pendingErrors || b.errno == unix.EBADF || b.errno == unix.ENOTSOCK {
			return 0, false, os.NewSyscallError("recvmmsg", b.errno)
		}
	}
	for i := range b.n {
		m := &messages[i]
		if b.get(i, m, s.v6, queue != 0) && s.ours(m, queue != 0) {
			messages[got], *m = *m, messages[got]
			got++
		}
	}
	return got, b.n == b.count, nil
}

// pendingErrors is how many errors in a row may be pending ones: more than there can be packets under way.
const pendingErrors = 1 << 16

// capacity implements queue. Messages and errors share it.
func (s *socket) capacity() int { return s.buffer }

// drops implements queue. On a raw IPv6 socket the kernel counts messages with a wrong checksum too.
func (s *socket) drops() uint64 {
	s.dropped.Lock()
	defer s.dropped.Unlock()
	s.raw.Control(func(fd uintptr) {
		if info, ok := memory(fd); ok {
			now := info[unix.SK_MEMINFO_DROPS]
			s.dropped.total += uint64(now - s.dropped.last) // the kernel's count wraps
			s.dropped.last = now
		}
	})
	return s.dropped.total
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
