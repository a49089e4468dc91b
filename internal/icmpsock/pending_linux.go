package icmpsock

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

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

const (
	// longestError is what an ICMP error takes of the receive buffer at most: 1,280 bytes (RFC 4443 section 2.4), and
	// the kernel's own.
	longestError = 4096
	// shortestError is less than one takes: the kernel accounts for 832 bytes where a message has 64 of payload.
	shortestError = 768

	msgProbe = 0x10 // MSG_PROBE, include/linux/socket.h
)

const (
	// aloneTries is up to which try a message is tried alone, to see whether its error is its own.
	aloneTries = 3
	// seeingTries is how often it is tried then: once for an error that was pending before, once for one that was queued
	// and not yet pending, and once for itself.
	seeingTries = 3
	// blindTries is how often it fails then that an error is taken for its own, without a look at what has come. Where
	// every second send meets another message's error, that is a mistake once in 65,536 times.
	blindTries = 16
)

// isOwn reports whether an error that has met the first message of the batch is that message's own. tries is how often
// it has been tried before this. It may find out by sending it: then the batch has the result.
func (s *Socket) isOwn(errno syscall.Errno, tries int) bool {
	s.sending.fits = 0
	if errno == unix.EMSGSIZE && s.fixed && s.deaf == nil {
		s.sending.fits = s.tooBig()
	}
	pending := pending4
	if s.v6 {
		pending = pending6
	}
	switch {
	// Raw sockets' sends meet none (net/core/sock.c, sock_wmalloc), nor do those of sockets that get no ICMP errors.
	case s.id != 0, s.deaf != nil, !slices.Contains(pending, errno):
		return true
	case errno == unix.EMSGSIZE:
		return s.sending.fits > 0
	case tries == 0 && !s.v6:
		return s.routeError() == errno
	}
	return tries < aloneTries && s.failsAlone()
}

// routeError is why the first message of the batch finds no way out now, or 0. With MSG_PROBE, the kernel looks up its
// route as if to send it, and ends before it would meet a pending error (net/ipv4/ip_output.c, ip_append_data), or a
// packet filter, which may have errors of its own. IPv6's sockets would send it (net/ipv6/ping.c, ping_v6_sendmsg).
func (s *Socket) routeError() syscall.Errno {
	b := &s.sending.batch
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, s.fd, b.header(b.first), msgProbe|unix.MSG_DONTWAIT)
	return errno
}

// isBroadcast reports whether the first message of the batch, which was refused with EACCES, is for a broadcast address
// of this host's, and not for where a route prohibits. The socket may broadcast for as long as that is looked up, and
// sends nothing.
func (s *Socket) isBroadcast() bool {
	if unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1) != nil {
		return false
	}
	defer unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 0)
	return s.routeError() == 0
}

// failsAlone tries the first message of the batch a few times more, and reports whether it failed though no error can
// have been pending: nothing has come, and there was room for it to be seen. Once would not do: an error may have been
// pending, and another been queued, which is a moment before it becomes pending (net/ipv4/ping.c, ping_err). Where the
// system does not tell what has come, the message is tried more often.
func (s *Socket) failsAlone() bool {
	b := &s.sending.batch
	s.receive.Lock() // who reads the error queue makes the next error in it the pending one
	defer s.receive.Unlock()
	var before, after memory
	tries := seeingTries
	if before.read(s.fd) != nil {
		tries = blindTries
	}
	for range tries {
		if b.send(s.fd); b.n > 0 {
			return false
		}
	}
	if after.read(s.fd) != nil {
		return true
	}
	held := after[unix.SK_MEMINFO_RMEM_ALLOC]
	most := min(before[unix.SK_MEMINFO_RCVBUF], after[unix.SK_MEMINFO_RCVBUF])
	return held == before[unix.SK_MEMINFO_RMEM_ALLOC] && held+min(longestError, most/2) < most
}

// tooBig is which size would have fit the device, as the error queue has it, or had, in the item that the kernel puts
// there for a message that is too big (net/ipv4/ip_sockglue.c, ip_local_error); 0 without one. What else it finds there
// is kept for TryReceive.
func (s *Socket) tooBig() (fits int) {
	r := &s.receive
	r.Lock()
	defer r.Unlock()
	// All of it, for an item that stays would speak against another message; but no more than the queue can hold, if
	// they keep coming.
	for more, left := true, s.buffer/shortestError; more && left >= 0; left -= max(r.n, 1) {
		if r.room == nil {
			r.room = make([]byte, batchSize*usualMessage)
		}
		var packets [batchSize]wire.Packet
		for i := range packets {
			packets[i].Data = r.room[i*usualMessage : (i+1)*usualMessage]
		}
		var n int
		n, more, _ = s.read(s.errorFD, packets[:], unix.MSG_ERRQUEUE)
		for _, p := range packets[:n] {
			p.Data = slices.Clone(p.Data)
			r.found = append(r.found, p)
		}
	}
	if len(r.found) > 0 {
		s.errors.Store(true)
		s.waiter.interrupt()
	}
	fits, r.fits = r.fits, 0
	return fits
}
