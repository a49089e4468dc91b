package icmpsock

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

// pendingErrors is how many errors in a row may be pending ones: more than there can be packets under way.
const pendingErrors = 1 << 16

// TryReceive fills in the first n of the packets with what has come, and says what more there may be to read. Each
// comes empty but for Data, which it writes to and shortens; what is longer is cut off. On a raw IPv4 socket the IP
// header takes room there too: 60 bytes at most. TryReceive does not wait, and may run together with Wait. It may
// leave ICMP errors for after the next Wait, unless all is set.
//
// A bad message is passed over. An error says that the socket has come to its end: it wraps [wire.ErrEnded], or is
// net.ErrClosed. The n packets with it still count.
func (s *Socket) TryReceive(packets []wire.Packet, all bool) (n int, more wire.Backlog, err error) {
	s.receive.Lock()
	defer s.receive.Unlock()
	if s.closed {
		return 0, more, net.ErrClosed
	}
	if len(s.receive.found) > 0 {
		n = s.takeFound(packets)
		if len(s.receive.found) > 0 || n == len(packets) {
			return n, wire.Backlog{Replies: true, Reports: true}, nil
		}
	}
	var got int
	if s.departures {
		// A report of departure is there before the answer is.
		half := (len(packets) - n + 1) / 2
		if got, more.Reports, err = s.read(s.fd, packets[n:n+half], unix.MSG_ERRQUEUE); err != nil {
			return n, more, err
		}
		n += got
	}
	got, more.Replies, err = s.read(s.fd, packets[n:], 0)
	n += got
	if err == nil && (all || s.errors.Load()) {
		s.errors.Store(false) // before reading: what comes meanwhile wakes the one that waits
		if got, more.Reports, err = s.read(s.errorFD, packets[n:], unix.MSG_ERRQUEUE); more.Reports {
			s.errors.Store(true)
		}
		n += got
	}
	return n, more, err
}

// takeFound hands over what a send has found in the error queue. The caller holds receive's lock.
func (s *Socket) takeFound(packets []wire.Packet) int {
	r := &s.receive
	n := min(len(packets), len(r.found))
	for i := range n {
		buffer := packets[i].Data
		packets[i] = r.found[i]
		packets[i].Data = append(buffer[:0], r.found[i].Data...)
	}
	r.found = append(r.found[:0], r.found[n:]...)
	return n
}

// read reads one of the two queues of a socket, which is not closed, and says whether there may be more in it. The
// caller holds receive's lock.
func (s *Socket) read(fd uintptr, packets []wire.Packet, queue int) (got int, more bool, err error) {
	b := &s.receive.batch
	b.prepare(packets, queue)
	for failed := 0; b.count > 0; failed++ {
		if b.recv(fd); b.n > 0 || b.errno == unix.EAGAIN {
			break
		}
		// A pending error, which is gone by being reported, and of which the error queue tells more; or EINTR.
		s.errors.Store(true)
		if failed == pendingErrors || b.errno == unix.EBADF || b.errno == unix.ENOTSOCK {
			return 0, false, fmt.Errorf("%w: %w", wire.ErrEnded, os.NewSyscallError("recvmmsg", b.errno))
		}
	}
	for i := range b.n {
		p := &packets[i]
		ok, fits := b.get(i, p, s.v6, queue != 0)
		switch {
		case fits > 0:
			s.receive.fits = fits
		case ok && s.ours(p, queue != 0):
			s.nameZones(p, scopeOf(&b.names[i]))
			if got < i {
				packets[got], *p = *p, packets[got]
			}
			got++
		}
	}
	return got, b.n == b.count, nil
}
