package icmpsock

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

// An mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// controlRoom is room for the control messages of one message: to send, a TTL, a traffic class and a key; received,
// two kinds of time stamps, a TTL, and an extended error with the offender's address.
const controlRoom = 256

// A batch is the memory that sendmmsg or recvmmsg works on, or sendmsg or recvmsg, if it has room for one message. One
// goroutine at a time uses it.
type batch struct {
	headers []mmsghdr
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet6 // an IPv4 one fits too
	control []byte

	first, last  int // what to send
	count, flags int // what to receive
	n            int // messages sent or received
	errno        syscall.Errno
	before       time.Time     // the system call that sent
	took         time.Duration // it, if it sent several
}

func (b *batch) init(n int) {
	b.headers = make([]mmsghdr, n)
	b.vectors = make([]unix.Iovec, n)
	b.names = make([]unix.RawSockaddrInet6, n)
	b.control = make([]byte, n*controlRoom)
	for i := range b.headers {
		h := &b.headers[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
	}
}

// send calls sendmmsg on the messages from first to before last.
func (b *batch) send(fd uintptr) {
	b.before = time.Now()
	b.call(unix.SYS_SENDMSG, unix.SYS_SENDMMSG, fd, b.first, b.last, unix.MSG_NOSIGNAL)
	b.took = 0
	if b.n > 1 {
		b.took = time.Since(b.before)
	}
}

// recv calls recvmmsg.
func (b *batch) recv(fd uintptr) {
	b.call(unix.SYS_RECVMSG, unix.SYS_RECVMMSG, fd, 0, b.count, b.flags)
}

// quickBytes is how much the messages of a call may hold for it to keep its processor. The kernel takes some 50 us for
// a batch of usual messages; what it takes for the longest would keep the garbage collector, and all else that
// stops the world, waiting for too long.
const quickBytes = batchSize * usualMessage

// call makes a system call that never blocks on the messages from first to before last: one is for a single message,
// many for more. Around one that is quick it tells the runtime nothing, which would give the processor to another
// thread after 20 us (runtime/proc.go, sysmon).
func (b *batch) call(one, many, fd uintptr, first, last, flags int) {
	bytes := 0
	for i := first; i < last; i++ {
		bytes += int(b.vectors[i].Len)
	}
	call := unix.RawSyscall6
	if bytes > quickBytes {
		call = unix.Syscall6
	}
	flags |= unix.MSG_DONTWAIT
	var n uintptr
	var errno syscall.Errno
	if last-first == 1 {
		n, _, errno = call(one, fd, b.header(first), uintptr(flags), 0, 0, 0)
		b.headers[first].length = uint32(n)
		n = 1
	} else {
		n, _, errno = call(many, fd, b.header(first), uintptr(last-first), uintptr(flags), 0, 0)
	}
	b.n, b.errno = int(n), errno
	if errno != 0 {
		b.n = 0
	}
}

// header is the address of the header of message i.
func (b *batch) header(i int) uintptr { return uintptr(unsafe.Pointer(&b.headers[i])) }

// set lays out packet i to be sent. The index of its address's zone is scope.
func (b *batch) set(i int, p *wire.Packet, scope int, v6 bool) {
	h := &b.headers[i].header
	name := &b.names[i]
	h.Namelen = setSockaddr(name, p.Addr, scope, v6)
	if p.FlowLabel != 0 && v6 {
		name.Flowinfo = bigEndian(uint32(p.FlowLabel) & 0xfffff)
	}
	b.vectors[i].Base = unsafe.SliceData(p.Data)
	b.vectors[i].SetLen(len(p.Data))

	level, ttl, class := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_TOS
	if v6 {
		level, ttl, class = unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, unix.IPV6_TCLASS
	}
	space := b.control[i*controlRoom : (i+1)*controlRoom]
	control := space[:0]
	if p.TTL != 0 {
		control = appendControl(control, level, ttl, p.TTL)
	}
	if p.TrafficClass != 0 {
		control = appendControl(control, level, class, p.TrafficClass)
	}
	if p.Key != 0 {
		control = appendControl(control, unix.SOL_SOCKET, unix.SCM_TS_OPT_ID, int(p.Key))
	}
	h.Control = nil
	if len(control) > 0 {
		h.Control = unsafe.SliceData(space)
	}
	h.SetControllen(len(control))
}

// prepare lays out as many packets to be received.
func (b *batch) prepare(packets []wire.Packet, flags int) {
	b.n, b.flags = 0, flags
	b.count = min(len(packets), len(b.headers))
	for i := range b.count {
		h := &b.headers[i].header
		h.Namelen = uint32(unsafe.Sizeof(b.names[i]))
		b.vectors[i].Base = unsafe.SliceData(packets[i].Data)
		b.vectors[i].SetLen(len(packets[i].Data))
		h.Control = &b.control[i*controlRoom]
		h.SetControllen(controlRoom)
		h.Flags = 0
	}
}

// get reads the received message i into p. It reports whether that is a message or a report, and whether it is the
// item that says of one of ours that it was too big for the device: then which size would have fit, else 0.
func (b *batch) get(i int, p *wire.Packet, v6, quoted bool) (ok bool, fits int) {
	h := &b.headers[i]
	addr, ok := address(&b.names[i], v6)
	*p = wire.Packet{Addr: addr, Data: p.Data[:min(int(h.length), len(p.Data))]}
	control := b.control[i*controlRoom:]
	fits = parseControl(control[:min(int(h.header.Controllen), controlRoom)], p, v6)
	return quoted && p.Departed || ok && (p.Err != nil) == quoted, fits
}
