package icmpsock

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Route says why this host's routes do not lead to dst from a socket of the config's source, device and mark, in the
// network namespace of the calling thread; nil if they do. It connects a UDP socket, for which the kernel looks for the
// route and sends nothing (ip(7)), so that it needs no permission for ICMP sockets.
func Route(c Config, dst netip.Addr) error {
	domain := unix.AF_INET
	if c.V6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := setMark(fd, c); err != nil {
		return err
	}
	if err := bind(fd, c); err != nil {
		return err
	}
	scope := 0
	if zone := dst.Zone(); zone != "" {
		if scope, err = new(devices).zone(uintptr(fd), zone); err != nil {
			return err
		}
	}
	var name unix.RawSockaddrInet6
	length := setSockaddr(&name, dst, scope, c.V6)
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&name)), uintptr(length))
	if errno != 0 {
		return os.NewSyscallError("connect", errno)
	}
	return nil
}
