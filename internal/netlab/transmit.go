//go:build linux

package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	etherHeaderLen = 14
	batchSize      = 64
)

// A transmitter sends IP packets out of a device. Its methods must not be called
// concurrently.
type transmitter struct {
	fd     int
	header [etherHeaderLen]byte // but for the type
	mtu    int
	stamps bool
	lastID uint32 // of the last packet sent in fragments
	batch  batch
}

// newTransmitter opens a transmitter in the calling thread's namespace. With
// stamps, each packet's time of departure is read.
func newTransmitter(device int, from, to net.HardwareAddr, mtu int, stamps bool) (*transmitter, error) {
	// Protocol zero receives nothing.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	t := &transmitter{fd: fd, mtu: mtu, stamps: stamps}
	copy(t.header[:], to)
	copy(t.header[6:], from)
	err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: device}))
	if err == nil && stamps {
		const flags = unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_TSONLY
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return t, nil
}

func (t *transmitter) close() error { return unix.Close(t.fd) }

// send sends a packet, in fragments if it must, and returns the stamp of the
// last. The stamp is zero if none is kept.
func (t *transmitter) send(packet []byte) (time.Time, error) {
	if len(packet) < ipv4HeaderLen || packet[0]>>4 == 6 && len(packet) < ipv6HeaderLen {
		return time.Time{}, fmt.Errorf("an answer of %d bytes is no IP packet", len(packet))
	}
	t.lastID++
	header := t.etherHeader(packet)
	for _, piece := range fragments(packet, t.mtu, t.lastID) {
		err := persist(func() error {
			_, err := unix.SendmsgBuffers(t.fd, [][]byte{header[:], piece}, nil, nil, unix.MSG_DONTWAIT)
			return err
		})
		if err != nil {
			return time.Time{}, os.NewSyscallError("sendmsg", err)
		}
	}
	if !t.stamps {
		return time.Time{}, nil
	}
	return t.stamp()
}

// stamp reads the stamps of what was sent so far and returns the last. There is
// no queue before a veth device, so a packet has left when sendmsg returns.
func (t *transmitter) stamp() (last time.Time, err error) {
	var oob [256]byte
	for {
		_, n, _, _, err := unix.Recvmsg(t.fd, nil, oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return last, nil
		case err != nil:
			return last, os.NewSyscallError("recvmsg", err)
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil {
			return last, err
		}
		for _, m := range messages {
			if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPING {
				continue
			}
			var software unix.Timespec // the first of three
			if len(m.Data) < int(unsafe.Sizeof(software)) {
				return last, fmt.Errorf("short time stamp: %d bytes", len(m.Data))
			}
			if _, err := binary.Decode(m.Data, binary.NativeEndian, &software); err != nil {
				return last, err
			}
			last = time.Unix(software.Unix())
		}
	}
}

func (t *transmitter) etherHeader(packet []byte) [etherHeaderLen]byte {
	header := t.header
	kind := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		kind = unix.ETH_P_IPV6
	}
	binary.BigEndian.PutUint16(header[12:], kind)
	return header
}

// A batch holds packets to be sent together.
type batch struct {
	n       int
	buffers [batchSize][]byte
	vectors [batchSize]unix.Iovec
	headers [batchSize]messageHeader
}

// messageHeader is a struct mmsghdr.
type messageHeader struct {
	header unix.Msghdr
	_      uint32 // how much was sent
}

// enqueue sends a packet at the next flush, or before. Such a packet gets no
// stamp.
func (t *transmitter) enqueue(p *Packet) error {
	b := &t.batch
	buf := append(b.buffers[b.n][:0], t.header[:]...)
	buf = p.appendTo(buf)
	b.buffers[b.n] = buf
	packet := buf[etherHeaderLen:]
	if len(packet) > t.mtu {
		_, err := t.send(packet)
		return err
	}
	header := t.etherHeader(packet)
	copy(buf, header[:])
	if b.n++; b.n == batchSize {
		return t.flush()
	}
	return nil
}

// flush sends what is enqueued.
func (t *transmitter) flush() error {
	b := &t.batch
	for i, buf := range b.buffers[:b.n] {
		b.vectors[i].Base = &buf[0]
		b.vectors[i].SetLen(len(buf))
		b.headers[i].header.Iov = &b.vectors[i]
		b.headers[i].header.SetIovlen(1)
	}
	for sent := 0; sent < b.n; {
		err := persist(func() error {
			n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(t.fd),
				uintptr(unsafe.Pointer(&b.headers[sent])), uintptr(b.n-sent), unix.MSG_DONTWAIT, 0, 0)
			if errno != 0 {
				return errno
			}
			sent += int(n)
			return nil
		})
		if err != nil {
			b.n = 0
			return os.NewSyscallError("sendmmsg", err)
		}
	}
	b.n = 0
	return nil
}

// persist repeats send while the kernel has no room, for a while.
func persist(send func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := send()
		switch {
		case err == unix.EINTR:
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			if time.Now().After(deadline) {
				return err
			}
			runtime.Gosched()
		default:
			return err
		}
	}
}

// big16 is a number in network order, as a native one.
func big16(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
