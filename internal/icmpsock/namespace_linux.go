package icmpsock

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A namespace tells one network namespace from another, by SO_NETNS_COOKIE (Linux 5.14), which is no other's as long as
// the machine runs, and by the inode number of the file in /proc (namespaces(7)). What cannot be had is 0.
type namespace struct {
	cookie uint64
	inode  uint64
}

// namespaceOf returns the namespace of a socket that the calling thread, which is locked, has just opened.
func namespaceOf(fd int) (n namespace) {
	size := uint32(unsafe.Sizeof(n.cookie))
	unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE,
		uintptr(unsafe.Pointer(&n.cookie)), uintptr(unsafe.Pointer(&size)), 0)
	var file unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &file) == nil {
		n.inode = file.Ino
	}
	return n
}

// is reports whether both are the same. A system that tells neither number of any is taken to have one alone.
func (n namespace) is(other namespace) bool {
	if n.cookie != 0 && other.cookie != 0 {
		return n.cookie == other.cookie
	}
	return n.inode == other.inode
}

// String names it as lsns(8) does, and readlink of the file in /proc.
func (n namespace) String() string {
	if n.inode == 0 {
		return fmt.Sprintf("network namespace with cookie %d", n.cookie)
	}
	return fmt.Sprintf("network namespace net:[%d]", n.inode)
}

// Beside calls open on a thread that is in the network namespace of the socket, for another socket to be opened there:
// one is born in the namespace of the thread. It returns open's error. Where the calling thread is in another
// namespace, another thread enters that of the socket, which takes CAP_NET_ADMIN (net/socket.c, SIOCGSKNS) and
// CAP_SYS_ADMIN (setns(2)); if that fails, open is not called.
func (s *Socket) Beside(open func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	trial, err := s.trial()
	here := namespaceOf(trial) // without one, by the inode alone
	if err == nil {
		unix.Close(trial)
	}
	if here.is(s.namespace) {
		return open()
	}
	entered := make(chan error)
	go func() { entered <- s.enter(func() { err = open() }) }()
	if e := <-entered; e != nil {
		return fmt.Errorf("this thread is in %v, the other sockets are in %v, and to enter that, which takes "+
			"CAP_NET_ADMIN and CAP_SYS_ADMIN, has failed: %w", here, s.namespace, e)
	}
	return err
}

// trial returns a new socket of the calling thread's namespace.
func (s *Socket) trial() (int, error) {
	domain := unix.AF_INET
	if s.v6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// enter calls open in the namespace of the socket. The goroutine is to end then: a thread that cannot go back ends with
// it.
func (s *Socket) enter(open func()) error {
	runtime.LockOSThread()
	home, there, err := s.namespaceFiles()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(home)
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("setns", err)
	}
	open()
	if unix.Setns(home, unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return nil
}

// namespaceFiles returns descriptors of the namespace of the calling thread, and of that of the socket.
func (s *Socket) namespaceFiles() (home, there int, err error) {
	trial, err := s.trial()
	if err != nil {
		return -1, -1, err
	}
	defer unix.Close(trial)
	s.devices.Lock()
	defer s.devices.Unlock()
	if s.closed {
		return -1, -1, net.ErrClosed
	}
	if home, err = fileOfNamespace(trial); err != nil {
		return -1, -1, err
	}
	if there, err = fileOfNamespace(int(s.fd)); err != nil {
		unix.Close(home)
		return -1, -1, err
	}
	return home, there, nil
}

// fileOfNamespace returns a descriptor of the namespace of a socket.
func fileOfNamespace(socket int) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCGSKNS, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("ioctl", errno)
	}
	return int(fd), nil
}
