//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	bareBatch   = 8    // messages a system call
	bareControl = 256  // bytes of control messages
	bareMessage = 2048 // bytes of a received message
	bareWait    = 100  // ms until an echo that was not answered is lost
)

// bareSocket opens a socket like the library's.
func bareSocket() (*net.UDPConn, error) {
	c, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		return nil, err
	}
	conn := c.IPv4PacketConn().PacketConn.(*net.UDPConn)
	err = control(conn, func(fd uintptr) (err error) {
		for _, o := range []struct{ level, option, value int }{
			{unix.SOL_SOCKET, unix.SO_REUSEADDR, 0},
			{unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 28},
			{unix.SOL_SOCKET, unix.SO_SNDBUF, 1 << 28},
			{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
			{unix.IPPROTO_IP, unix.IP_RECVERR, 1},
			{unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
			{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT},
		} {
			err = errors.Join(err, os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), o.level, o.option, o.value)))
		}
		return err
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// control calls fn with the connection's descriptor.
func control(conn *net.UDPConn, fn func(fd uintptr) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	if err := raw.Control(func(fd uintptr) { failure = fn(fd) }); err != nil {
		return err
	}
	return failure
}

// echoRequest is a message as long as the library's.
func echoRequest() ([]byte, error) {
	return (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Data: make([]byte, payload)}}).Marshal(nil)
}

// A vector is the memory of one sendmmsg(2) or recvmmsg(2).
type vector struct {
	headers [bareBatch]struct {
		header unix.Msghdr
		length uint32
	}
	names    [bareBatch]unix.RawSockaddrInet4
	iovecs   [bareBatch]unix.Iovec
	control  [bareBatch][bareControl]byte
	messages [bareBatch][]byte
}

func newVector(message []byte) *vector {
	v := new(vector)
	for i := range v.headers {
		v.messages[i] = append([]byte(nil), message...)
		v.names[i].Family = unix.AF_INET
		v.iovecs[i].Base = &v.messages[i][0]
		v.iovecs[i].SetLen(len(message))
		h := &v.headers[i].header
		h.Name = (*byte)(unsafe.Pointer(&v.names[i]))
		h.Namelen = unix.SizeofSockaddrInet4
		h.Iov = &v.iovecs[i]
		h.SetIovlen(1)
	}
	return v
}

// call makes the system call on the messages from first to before last.
func (v *vector) call(trap, fd uintptr, first, last int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&v.headers[first])), uintptr(last-first),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// receive receives as many messages as are there, count at most.
func (v *vector) receive(fd uintptr, count int) (int, error) {
	for i := range count {
		h := &v.headers[i].header
		h.Namelen = unix.SizeofSockaddrInet4
		h.Control = &v.control[i][0]
		h.SetControllen(bareControl)
		h.Flags = 0
	}
	return v.call(unix.SYS_RECVMMSG, fd, 0, count)
}

// bareSweep sends an echo request to each target and counts what comes back, over as many sockets as the job says.
func bareSweep(j job) (s sample, err error) {
	request, err := echoRequest()
	if err != nil {
		return s, err
	}
	conns := make([]*net.UDPConn, max(j.Sockets, 1))
	for i := range conns {
		if conns[i], err = bareSocket(); err != nil {
			return s, err
		}
		defer conns[i].Close()
	}
	parts, errs := make([]sample, len(conns)), make([]error, len(conns))
	var loops sync.WaitGroup
	m := startMeter()
	for i, conn := range conns {
		loops.Go(func() {
			out, in := newVector(request), newVector(make([]byte, bareMessage))
			errs[i] = control(conn, func(fd uintptr) error { return bareExchange(fd, out, in, j.Targets/len(conns), &parts[i]) })
		})
	}
	loops.Wait()
	for _, part := range parts {
		s.Echoes += part.Echoes
		s.Lost += part.Lost
	}
	return s, errors.Join(append(errs, m.stop(&s))...)
}

func bareExchange(fd uintptr, out, in *vector, targets int, s *sample) error {
	for s.Echoes < targets {
		count := min(bareBatch, targets-s.Echoes)
		for i := range count {
			out.names[i].Addr = address(s.Echoes + i)
			binary.BigEndian.PutUint16(out.messages[i][6:], uint16(s.Echoes+i))
		}
		for sent := 0; sent < count; {
			n, err := out.call(unix.SYS_SENDMMSG, fd, sent, count)
			if err != nil {
				return os.NewSyscallError("sendmmsg", err)
			}
			sent += n
		}
		s.Echoes += count
		for got := 0; got < count; {
			n, err := in.receive(fd, count-got)
			if err != nil {
				return os.NewSyscallError("recvmmsg", err)
			}
			if n == 0 && !readable(fd) {
				s.Lost += count - got
				break
			}
			got += n
		}
	}
	return nil
}

func readable(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, bareWait)
	return n > 0 || err == syscall.EINTR
}

// bareSerial sends an echo request, waits for what comes back, and sends again.
func bareSerial(j job) (s sample, err error) {
	conn, err := bareSocket()
	if err != nil {
		return s, err
	}
	defer conn.Close()
	request, err := echoRequest()
	if err != nil {
		return s, err
	}
	var reply [bareMessage]byte
	var control [bareControl]byte
	to := netip.AddrPortFrom(netip.AddrFrom4(address(0)), 0)
	m := startMeter()
	for s.Echoes < j.Echoes {
		if _, _, err := conn.WriteMsgUDPAddrPort(request, nil, to); err != nil {
			return s, err
		}
		s.Echoes++
		if _, _, _, _, err := conn.ReadMsgUDPAddrPort(reply[:], control[:]); err != nil {
			return s, err
		}
	}
	return s, m.stop(&s)
}
