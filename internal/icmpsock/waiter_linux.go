package icmpsock

import (
	"cmp"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A waiter waits for a socket, or two. The runtime's poller does not know the socket, but an epoll instance of its own
// in its place, which the socket is in only while somebody waits: in the poller itself, each arrival would wake a
// thread, also where callers read their answers without waiting. (To be there and looked at by nobody costs each
// packet two wake-ups for nothing, a quarter of a microsecond.)
//
// One goroutine at a time waits. Interrupt and Close are safe to call from others meanwhile.
type waiter struct {
	epoll   *os.File
	raw     syscall.RawConn
	sockets []int // the first, and others whose error queues are waited for too
	closed  atomic.Bool

	// What follows is the waiting goroutine's.
	look   func(epoll uintptr) bool
	armed  bool
	events [1]unix.EpollEvent // as the last wait found them
	err    error
}

// newWaiter returns a waiter for the sockets, which must be closed after it: for what comes to the first, and for the
// errors of all.
func newWaiter(sockets ...int) (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // has package os put it into the runtime's poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &waiter{epoll: os.NewFile(uintptr(fd), "epoll"), sockets: sockets}
	if w.raw, err = w.epoll.SyscallConn(); err == nil {
		err = w.epoll.SetReadDeadline(time.Time{}) // where the poller has refused it, this tells
	}
	if err != nil {
		w.epoll.Close()
		return nil, err
	}
	w.look = w.ready
	return w, nil
}

// wait returns when something has come to either of the socket's queues, and whether to that of errors; or when it is
// interrupted. After Close it returns net.ErrClosed.
func (w *waiter) wait() (reports bool, err error) {
	err = w.raw.Read(w.look)
	switch {
	case err == nil:
		return w.events[0].Events&unix.EPOLLERR != 0, w.err
	case os.IsTimeout(err):
		w.epoll.SetReadDeadline(time.Time{})
		w.raw.Control(w.disarm)
		return true, nil
	case w.closed.Load():
		return false, net.ErrClosed
	}
	return false, err
}

// disarm takes the socket out of the epoll instance.
func (w *waiter) disarm(epoll uintptr) {
	if w.armed {
		w.armed = false
		for _, socket := range w.sockets {
			unix.EpollCtl(int(epoll), unix.EPOLL_CTL_DEL, socket, nil)
		}
	}
}

// ready has the epoll instance look at the socket until it has seen something there.
func (w *waiter) ready(epoll uintptr) bool {
	if !w.armed {
		w.armed, w.err = true, nil
		for i, socket := range w.sockets {
			w.events[0] = unix.EpollEvent{Fd: int32(socket)} // for EPOLLERR, which is always told
			if i == 0 {
				w.events[0].Events = unix.EPOLLIN
			}
			err := unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, socket, &w.events[0])
			w.err = cmp.Or(w.err, os.NewSyscallError("epoll_ctl", err))
		}
		if w.err != nil {
			w.disarm(epoll)
		}
		return !w.armed
	}
	// The runtime needs this call, and not epoll_wait: it is there.
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&w.events)), 1, 0, 0, 0)
	if errno == unix.EINTR || errno == 0 && n == 0 { // what woke it was of an earlier wait
		return false
	}
	w.err = nil
	if errno != 0 {
		w.err = os.NewSyscallError("epoll_pwait", errno)
	}
	w.disarm(epoll)
	return true
}

// interrupt has the present wait, or else the next, return.
func (w *waiter) interrupt() { w.epoll.SetReadDeadline(time.Unix(1, 0)) }

// Close ends a wait.
func (w *waiter) Close() {
	w.closed.Store(true)
	w.epoll.Close()
}
