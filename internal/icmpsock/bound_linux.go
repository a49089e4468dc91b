package icmpsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// device is the network interface that a socket of this config is bound to, "" for none.
func (c *Config) device() string {
	if c.Device != "" {
		return c.Device
	}
	return c.Source.Zone()
}

// openOnDevice opens a socket, and binds it to its network interface before it binds it to its source, which may be an
// address of this host's on that interface alone: one of a VRF, or a link-local one. (icmp.ListenPacket binds at once.)
func openOnDevice(c Config) (int, error) {
	domain, kind, protocol := unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP
	if c.V6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if c.Raw {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		if err = os.NewSyscallError("socket", err); errors.Is(err, fs.ErrPermission) {
			err = &RefusedError{err}
		}
		return -1, err
	}
	if err := bind(fd, c); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bind binds a socket to the interface and the source of its config.
func bind(fd int, c Config) error {
	scope := 0
	if zone := c.Source.Zone(); zone != "" {
		var err error
		if scope, err = new(devices).zone(uintptr(fd), zone); err != nil {
			return &ConfigError{"Source", err}
		}
	}
	if c.Device != "" {
		if err := unix.BindToDevice(fd, c.Device); err != nil {
			return &ConfigError{"Device", os.NewSyscallError("setsockopt", err)}
		}
		index, errno := indexOf(uintptr(fd), c.Device)
		switch {
		case scope != 0 && (errno != 0 || index != scope):
			return &ConfigError{"Source", fmt.Errorf("its zone is not the network interface %q", c.Device)}
		case c.Source.IsLinkLocalUnicast():
			scope = index // the kernel asks for it (net/ipv4/ping.c, ping_check_bind_addr)
		}
	}
	source := c.Source
	if !source.IsValid() {
		if source = netip.IPv4Unspecified(); c.V6 {
			source = netip.IPv6Unspecified()
		}
	}
	var name unix.RawSockaddrInet6
	length := setSockaddr(&name, source, scope, c.V6)
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&name)), uintptr(length))
	if errno == 0 {
		return nil
	}
	err := os.NewSyscallError("bind", errno)
	if c.Source.IsValid() {
		err = &ConfigError{"Source", err}
	}
	return err
}

// followDevice binds the socket again where its network interface has been made anew: the name is the same, the index,
// which a socket is bound to, is not. It looks once a second at most. The caller holds sending's lock.
func (s *Socket) followDevice() {
	device := s.config.device()
	if device == "" {
		return
	}
	now := time.Now()
	if now.Sub(s.sending.followed) < lookAgain {
		return
	}
	s.sending.followed, s.sending.lost = now, nil
	bound, err := unix.GetsockoptString(int(s.fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	if err == nil && bound == device || err != nil && err != unix.ENODEV {
		return
	}
	err = unix.BindToDevice(int(s.fd), device)
	if err == unix.EPERM { // there is one again, but to bind once more takes CAP_NET_RAW
		err = s.renew()
	}
	if err != nil && err != unix.ENODEV {
		s.sending.lost = fmt.Errorf("network interface %q was made anew, and cannot be bound to: %w", device, err)
	}
}

// renew puts a new socket in the place of the present one, which is lost with all that is in it. Nobody but the kernel
// sees the difference: the descriptor is the same. The caller holds sending's lock.
func (s *Socket) renew() error {
	var fd int
	err := s.Beside(func() (err error) {
		fd, _, err = openDescriptor(s.config, s.id)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	s.Drops()
	s.receive.Lock()
	defer s.receive.Unlock()
	s.dropped.Lock()
	defer s.dropped.Unlock()
	s.devices.Lock()
	defer s.devices.Unlock()
	if err := unix.Dup3(fd, int(s.fd), unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("dup3", err)
	}
	s.sending.header = header{}
	s.startCounting()
	s.waiter.interrupt() // the one that waits does so for the socket that is gone
	return nil
}
