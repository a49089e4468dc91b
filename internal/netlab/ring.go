//go:build linux

package netlab

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringSize is the memory for packets of the usual size that arrived and are not
// yet read, and largeRingSize that for large ones. A ring has it apart from the
// socket's receive buffer, which an ordinary user can't make large, so a burst
// or a busy machine costs no packet.
const (
	ringSize      = 16 << 20
	largeRingSize = 64 << 20
)

// A ring holds the packets that a device receives, where the kernel writes them.
type ring struct {
	file      *os.File // the socket
	memory    []byte
	frameSize int
	next      int // offset of the oldest unread frame
}

// newRing opens a ring in the calling thread's namespace.
func newRing(device, mtu int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}

	// A frame has room for its own header, the link's, and alignment.
	frame := 2048
	for frame < mtu+256 {
		frame *= 2
	}
	r := &ring{file: os.NewFile(uintptr(fd), "ring"), frameSize: frame}
	if err := r.open(fd, device); err != nil {
		r.file.Close()
		return nil, err
	}
	return r, nil
}

func (r *ring) open(fd, device int) error {
	size := ringSize
	if r.frameSize > 2048 {
		size = largeRingSize
	}
	block := max(r.frameSize, 1<<17)
	err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq{
			Block_size: uint32(block),
			Block_nr:   uint32(size / block),
			Frame_size: uint32(r.frameSize),
			Frame_nr:   uint32(size / r.frameSize),
		}),
	)
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	r.memory = memory
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: big16(unix.ETH_P_ALL), Ifindex: device}); err != nil {
		return errors.Join(os.NewSyscallError("bind", err), r.unmap())
	}
	return nil
}

// read calls handle for each packet, in order of arrival, and idle whenever
// there is none left. The packet is handle's until it returns. It ends when the
// file is closed, and stopped reports so.
func (r *ring) read(handle func(packet []byte, stamp time.Time), idle func(), stopped func() bool) error {
	conn, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(uintptr) bool {
		for !stopped() {
			header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&r.memory[r.next]))
			if atomic.LoadUint32(&header.Status)&unix.TP_STATUS_USER == 0 {
				idle()
				return false
			}
			begin := r.next + int(header.Net)
			end := r.next + int(header.Mac) + int(header.Snaplen)
			if begin < end {
				handle(r.memory[begin:end], time.Unix(int64(header.Sec), int64(header.Nsec)))
			}
			atomic.StoreUint32(&header.Status, unix.TP_STATUS_KERNEL)
			if r.next += r.frameSize; r.next == len(r.memory) {
				r.next = 0
			}
		}
		return true
	})
}

// dropped returns how many packets found the ring full.
func (r *ring) dropped() (int, error) {
	conn, err := r.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stats *unix.TpacketStats
	if controlErr := conn.Control(func(fd uintptr) {
		stats, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return int(stats.Drops), nil
}

// close closes the socket, which ends read. The memory stays until unmap.
func (r *ring) close() {
	r.file.Close()
}

// unmap gives the memory back, once read has returned.
func (r *ring) unmap() error {
	return os.NewSyscallError("munmap", unix.Munmap(r.memory))
}
