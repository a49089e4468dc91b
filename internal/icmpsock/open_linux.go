package icmpsock

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/net/icmp"
	"golang.org/x/sys/unix"
)

// usualBuffer is the size of a receive buffer that the kernel does not tell: its own default (net/core/sock.c,
// sysctl_rmem_default).
const usualBuffer = 212_992

// A RefusedError says that the kernel does not permit this process a socket of this kind, as opposed to an option of
// it. It wraps the kernel's error, and has its text.
type RefusedError struct{ Err error }

// Error is the kernel's error.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the kernel's error.
func (e *RefusedError) Unwrap() error { return e.Err }

// A ConfigError says what of a [Config] the kernel refused.
type ConfigError struct {
	Field string // the name of the field: Source, Device, Mark or DontFragment
	Err   error  // of the system call
}

// Error names the field, and the system call's error.
func (e *ConfigError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the system call's error.
func (e *ConfigError) Unwrap() error { return e.Err }

// Open opens a socket, in the network namespace of the calling thread. The error is a [RefusedError] where the kernel
// does not permit it, and a [ConfigError] where that is for what the config asks.
func Open(c Config) (*Socket, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &Socket{config: c, v6: c.V6, fixed: c.DontFragment}
	if c.Raw {
		s.id = uint16(1 + rand.IntN(1<<16-1))
	}
	fd, lacks, err := openDescriptor(c, s.id)
	if err != nil {
		return nil, err
	}
	s.lacks = lacks
	s.file, s.fd, s.namespace = os.NewFile(uintptr(fd), "icmp"), uintptr(fd), namespaceOf(fd)
	if s.waiter, err = newWaiter(fd); err != nil {
		s.file.Close()
		return nil, err
	}
	if err := s.setUp(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openDescriptor opens a socket, not in the runtime's poller, and sets its options, of which it returns those that it
// goes without. The identifier is for a raw one.
func openDescriptor(c Config, id uint16) (int, []Lack, error) {
	open := openAnywhere
	if c.device() != "" {
		open = openOnDevice
	}
	fd, err := open(c)
	if err != nil {
		return -1, nil, err
	}
	var filtered error
	if c.Raw {
		filtered = filterReplies(fd, c.V6, id)
	}
	lacks, err := setOptions(fd, c)
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	if filtered != nil {
		lacks = append(lacks, Lack{"SO_ATTACH_FILTER", filtered})
	}
	return fd, lacks, nil
}

// openAnywhere opens a socket that is bound to no network interface.
func openAnywhere(c Config) (int, error) {
	if c.Source.IsValid() {
		// icmp.ListenPacket leaves the descriptor open where bind fails.
		trial, err := net.ListenPacket("udp", net.JoinHostPort(c.Source.String(), "0"))
		if err != nil {
			return -1, &ConfigError{"Source", err}
		}
		trial.Close()
	}
	conn, err := listen(c)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = &RefusedError{err}
		}
		return -1, err
	}
	defer conn.Close()
	if c.V6 {
		return takeOver(conn.IPv6PacketConn().PacketConn.(syscall.Conn))
	}
	return takeOver(conn.IPv4PacketConn().PacketConn.(syscall.Conn))
}

// listen is icmp.ListenPacket, whose datagram sockets are for a moment without close-on-exec: a program that is
// started then would inherit one. The lock is that of which package syscall says to hold it where that is so.
func listen(c Config) (*icmp.PacketConn, error) {
	network, address := "udp4", "0.0.0.0"
	switch {
	case c.V6 && c.Raw:
		network, address = "ip6:ipv6-icmp", "::"
	case c.V6:
		network, address = "udp6", "::"
	case c.Raw:
		network = "ip4:icmp"
	}
	if c.Source.IsValid() {
		address = c.Source.String()
	}
	if strings.HasPrefix(network, "udp") {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	return icmp.ListenPacket(network, address)
}

// takeOver returns a descriptor of its own for conn's socket, which is not in the runtime's poller.
func takeOver(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(theirs uintptr) {
		fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(cerr, os.NewSyscallError("fcntl", err)); err != nil {
		return -1, err
	}
	// Package os has the poller wait for a descriptor that does not block. Nor do our calls: MSG_DONTWAIT.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

// setUp looks at what the socket has got, and has not, and makes room for its batches.
func (s *Socket) setUp() (err error) {
	s.errorFD = s.fd
	if s.config.hasListener() {
		if s.errorFile, err = openListener(); err != nil {
			return err
		}
		s.errorFD = s.errorFile.Fd()
		s.waiter.sockets = append(s.waiter.sockets, int(s.errorFD))
	}
	s.deaf = s.lacking("IP_RECVERR", "IPV6_RECVERR")
	s.noLabels = s.lacking("IPV6_FLOWINFO_SEND")
	s.byOptions = s.v6 && s.id == 0 && !kernel().since(control6)
	s.departures = s.config.Departures && kernel().since(keyedDepartures) && s.lacking("SO_TIMESTAMPING") == nil
	if s.buffer, err = unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil {
		s.lack("SO_RCVBUF", os.NewSyscallError("getsockopt", err))
		s.buffer = usualBuffer
	}
	s.sending.init(s.together("sendmmsg", unix.SYS_SENDMMSG))
	s.receive.init(s.together("recvmmsg", unix.SYS_RECVMMSG))
	s.lack("SO_MEMINFO", s.startCounting())
	return nil
}

// startCounting has Drops leave out what has been dropped by now: a raw socket drops other programs' messages until its
// filter is set.
func (s *Socket) startCounting() error {
	if err := s.dropped.memory.read(s.fd); err != nil {
		return err
	}
	s.dropped.last = s.dropped.memory[unix.SK_MEMINFO_DROPS]
	return nil
}

// together is how many messages a system call takes. It is tried with none.
func (s *Socket) together(name string, call uintptr) int {
	if _, _, errno := unix.RawSyscall6(call, s.fd, 0, 0, unix.MSG_DONTWAIT, 0, 0); errno != 0 {
		s.lack(name, os.NewSyscallError(name, errno))
		return 1
	}
	return batchSize
}
