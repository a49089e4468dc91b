package icmpsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

const (
	// lookAgain is how long what is known of a network interface holds: one that is made anew has another index.
	lookAgain = time.Second
	// mostDevices is how many names, and how many indexes, are kept in mind.
	mostDevices = 64
)

// A device is what has been found out about a network interface: its index, by its name, or the other way round.
type device struct {
	name  string
	index int
	errno syscall.Errno // why it could not be found
	at    time.Time
}

// devices are the network interfaces that a socket has to do with. The socket itself is asked for them by ioctls
// (netdevice(7)), which answer for its own network namespace, whichever the thread is in, and need no netlink socket.
type devices struct {
	sync.Mutex
	byName  map[string]device
	byIndex map[int]device
}

// find returns the device with a name. To ask for one that is there still is cheap; for one that is not, the kernel
// may run modprobe (net/core/dev_ioctl.c, dev_load). The caller holds the lock.
func (d *devices) find(fd uintptr, name string) device {
	known, now := d.byName[name], time.Now()
	if known.at.IsZero() || now.Sub(known.at) >= lookAgain {
		if known.index == 0 || nameOf(fd, known.index) != name {
			known.index, known.errno = indexOf(fd, name)
		}
		known.name, known.at = name, now
		d.byName = remember(d.byName, name, known)
	}
	return known
}

// zoned is an address with the name of an interface for its zone, or without one where there is no such interface any
// more. The caller holds the lock.
func (d *devices) zoned(fd uintptr, a netip.Addr, index int) netip.Addr {
	known, now := d.byIndex[index], time.Now()
	if known.at.IsZero() || now.Sub(known.at) >= lookAgain {
		known = device{name: nameOf(fd, index), index: index, at: now}
		d.byIndex = remember(d.byIndex, index, known)
	}
	return a.WithZone(known.name)
}

// remember adds to what is known, or begins anew.
func remember[K comparable](known map[K]device, key K, d device) map[K]device {
	if known == nil || len(known) >= mostDevices {
		known = make(map[K]device)
	}
	known[key] = d
	return known
}

// An ifreq is struct ifreq (linux/if.h).
type ifreq struct {
	name  [unix.IFNAMSIZ]byte
	index int32
	_     [20]byte // the largest member of the union has 24
}

func (r *ifreq) ask(fd, request uintptr) syscall.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(r)))
	return errno
}

func indexOf(fd uintptr, name string) (int, syscall.Errno) {
	var r ifreq
	if len(name) >= len(r.name) {
		return 0, unix.ENODEV
	}
	copy(r.name[:], name)
	errno := r.ask(fd, unix.SIOCGIFINDEX)
	if errno != 0 {
		return 0, errno
	}
	return int(r.index), 0
}

// nameOf returns the name of the interface with an index, "" for none.
func nameOf(fd uintptr, index int) string {
	r := ifreq{index: int32(index)}
	if r.ask(fd, unix.SIOCGIFNAME) != 0 {
		return ""
	}
	return unix.ByteSliceToString(r.name[:])
}

// CheckZone returns why the socket cannot send to an address with that zone, if it is known that it cannot. A zone is
// the name of a network interface of the socket's namespace, or a number, which is taken for the index of one.
func (s *Socket) CheckZone(zone string) error {
	_, err := s.zone(zone)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// CheckZone is [Socket.CheckZone] of any socket of the calling thread's namespace.
func CheckZone(zone string) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	_, err = new(devices).zone(uintptr(fd), zone)
	return err
}

func (s *Socket) zone(zone string) (int, error) {
	s.devices.Lock()
	defer s.devices.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	return s.devices.zone(s.fd, zone)
}

// zone returns the index of the network interface that a zone tells. The caller holds the lock.
func (d *devices) zone(fd uintptr, zone string) (int, error) {
	found := d.find(fd, zone)
	if found.errno == 0 {
		return found.index, nil
	}
	if n, err := strconv.ParseInt(zone, 10, 32); err == nil && n > 0 {
		return int(n), nil
	}
	if found.errno == unix.ENODEV {
		return 0, fmt.Errorf("zone %q is no network interface of this network namespace", zone)
	}
	return 0, fmt.Errorf("zone %q: %w", zone, os.NewSyscallError("ioctl", found.errno))
}

// nameZones gives the addresses of what has come their zones: that of the sender by its number, and that of who sent an
// ICMP error in place of its number. The caller holds receive's lock.
func (s *Socket) nameZones(p *wire.Packet, scope int) {
	router := 0
	if p.Err != nil {
		router, _ = strconv.Atoi(p.Err.From.Zone())
	}
	if scope == 0 && router == 0 {
		return
	}
	s.devices.Lock()
	defer s.devices.Unlock()
	if scope != 0 {
		p.Addr = s.devices.zoned(s.fd, p.Addr, scope)
	}
	if router != 0 {
		p.Err.From = s.devices.zoned(s.fd, p.Err.From, router)
	}
}
