package ping

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// longestSend is how long a message of a batch takes at most to send. More means that the thread was stopped, at a
	// moment that nobody knows: then all are said to have left at the start, which makes no RTT too short.
	longestSend = 100 * time.Microsecond
	// pendingTries is how often other messages' errors may keep one from being sent, before it is tried again later.
	pendingTries = 16
	// longestError is what an ICMP error takes of the receive buffer at most: 1280 bytes (RFC 4443, 2.4), and the
	// kernel's own.
	longestError = 4096

	msgProbe = 0x10 // MSG_PROBE, include/linux/socket.h
)

// Send implements [Transport].
//
// An error may be the message's own, or one that was pending because of another message: an ICMP error fails the next
// call on the socket, whichever that is, and the message is not sent. The error queue holds it too, so nothing is lost
// by trying again.
func (s *socket) Send(messages []Message) (int, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	var bad error // why one cannot be sent
	for i := range messages {
		if bad = s.prepare(i, &messages[i]); bad != nil {
			messages = messages[:i]
			break
		}
	}
	b := &s.sending.batch
	for sent, tries := 0, 0; sent < len(messages); {
		b.first, b.last = sent, len(messages)
		b.send(s.fd)
		own := false
		if b.n == 0 && b.errno != unix.EINTR {
			own = s.isOwn(b.errno, tries)
		}
		if b.n > 0 { // isOwn may have sent it
			b.stamp(messages[sent:])
			sent += b.n
			tries = 0
			continue
		}
		err := os.NewSyscallError("sendmmsg", b.errno)
		switch tries++; {
		case b.errno == unix.EBADF, b.errno == unix.ENOTSOCK:
			return sent, fmt.Errorf("%w: %w", errEnded, err)
		case b.errno == unix.EAGAIN, b.errno == unix.ENOBUFS, !own && tries > pendingTries:
			return sent, fmt.Errorf("%w: %w", ErrNoRoom, err)
		case own:
			return sent, err
		}
	}
	return len(messages), bad
}

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

// stamp says when the messages left that the last call has sent.
func (b *batch) stamp(messages []Message) {
	took := b.after.Sub(b.before) / time.Duration(b.n)
	if took > longestSend {
		took = 0
	}
	for i := range b.n {
		messages[i].Time = b.before.Add(time.Duration(i) * took)
	}
}

// pending4 and pending6 are what the kernel makes of ICMP errors (net/ipv4/icmp.c, icmp_err_convert, and
// ping_err; net/ipv6/icmp.c, tab_unreach and icmpv6_err_convert). No other error of a send can be a pending one.
var (
	pending4 = []syscall.Errno{
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENOPROTOOPT, unix.ECONNREFUSED, unix.EMSGSIZE, unix.EOPNOTSUPP,
		unix.EHOSTDOWN, unix.ENONET, unix.EPROTO, unix.EREMOTEIO,
	}
	pending6 = []syscall.Errno{
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.ECONNREFUSED, unix.EMSGSIZE, unix.EPROTO,
	}
)

// aloneTries is up to which try a message is tried alone, to see whether its error is its own.
const aloneTries = 3

// isOwn reports whether an error that has met the first message of the batch is that message's own. tries is how often
// it has been tried before this. It may find out by sending it: then the batch has the result.
func (s *socket) isOwn(errno syscall.Errno, tries int) bool {
	pending := pending4
	if s.v6 {
		pending = pending6
	}
	switch {
	case s.id != 0, !slices.Contains(pending, errno): // raw sockets' sends meet none (net/core/sock.c, sock_wmalloc)
		return true
	case errno == unix.EMSGSIZE:
		return s.fixed && s.wasTooBig()
	case tries == 0 && !s.v6:
		return s.hasNoRoute()
	}
	return tries < aloneTries && s.failsAlone()
}

// hasNoRoute reports whether the first message of the batch finds no way out. With MSG_PROBE, the kernel looks up its
// route as if to send it, and ends before it would meet a pending error (net/ipv4/ip_output.c, ip_append_data), or a
// packet filter, which may have errors of its own. IPv6's sockets would send it (net/ipv6/ping.c, ping_v6_sendmsg).
func (s *socket) hasNoRoute() bool {
	b := &s.sending.batch
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, s.fd, b.header(b.first), msgProbe|unix.MSG_DONTWAIT)
	return errno != 0
}

// failsAlone tries the first message of the batch twice more, and reports whether it failed though no error can have
// been pending: nothing has come, and there was room for it to be seen. Once would not do: an ICMP error is queued a
// moment before it becomes pending (net/ipv4/ping.c, ping_err).
func (s *socket) failsAlone() bool {
	b := &s.sending.batch
	s.receive.Lock() // who reads the error queue makes the next error in it the pending one
	defer s.receive.Unlock()
	var before, after memory
	before.read(s.fd)
	for range 2 {
		if b.send(s.fd); b.n > 0 {
			return false
		}
	}
	if !after.read(s.fd) { // some emulator of Linux, which has no ICMP errors to speak of
		return true
	}
	held, most := after[unix.SK_MEMINFO_RMEM_ALLOC], after[unix.SK_MEMINFO_RCVBUF]
	return held == before[unix.SK_MEMINFO_RMEM_ALLOC] && held+min(longestError, most/2) < most
}

// wasTooBig reports whether the error queue has, or had, the item that the kernel puts there for a message that is too
// big for the device (net/ipv4/ip_sockglue.c, ip_local_error). What else it finds there is kept for tryReceive.
func (s *socket) wasTooBig() bool {
	r := &s.receive
	r.Lock()
	defer r.Unlock()
	// All of it, for an item that stays would speak against another message; but no more than the queue can hold, if
	// they keep coming.
	for more, left := true, s.buffer/messageCost(0); more && left >= 0; left -= batchSize {
		if r.room == nil {
			r.room = make([]byte, batchSize*usualMessage)
		}
		var messages [batchSize]Message
		for i := range messages {
			messages[i].Data = r.room[i*usualMessage : (i+1)*usualMessage]
		}
		var n int
		n, more, _ = s.read(messages[:], unix.MSG_ERRQUEUE)
		for _, m := range messages[:n] {
			m.Data = slices.Clone(m.Data)
			r.found = append(r.found, m)
		}
	}
	if len(r.found) > 0 {
		s.errors.Store(true)
		s.waiter.interrupt()
	}
	own := r.tooBig > 0
	r.tooBig = 0
	return own
}
