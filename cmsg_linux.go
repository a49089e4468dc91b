package ping

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// controlRoom is room for the control messages of one message: to send, a TTL, a traffic class and a key; received,
// two kinds of time stamps, a TTL, and an extended error with the offender's address.
const controlRoom = 256

// A batch is the memory that sendmmsg or recvmmsg works on.
type batch struct {
	headers []mmsghdr
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet6 // an IPv4 one fits too
	control []byte

	first, last   int // what to send
	count, flags  int // what to receive
	n             int // messages sent or received
	errno         syscall.Errno
	before, after time.Time // the system call that sent
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
	if b.n > 1 {
		b.after = time.Now()
	} else {
		b.after = b.before
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

// set lays out message i to be sent.
func (b *batch) set(i int, m *Message, v6 bool) error {
	h := &b.headers[i].header
	name, length, err := sockaddr(m.Addr, v6)
	if err != nil {
		return err
	}
	if m.FlowLabel != 0 && v6 {
		name.Flowinfo = bigEndian(uint32(m.FlowLabel) & 0xfffff)
	}
	b.names[i] = name
	h.Namelen = length
	b.vectors[i].Base = unsafe.SliceData(m.Data)
	b.vectors[i].SetLen(len(m.Data))

	level, ttl, class := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_TOS
	if v6 {
		level, ttl, class = unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, unix.IPV6_TCLASS
	}
	space := b.control[i*controlRoom : (i+1)*controlRoom]
	control := space[:0]
	if m.TTL != 0 {
		control = appendControl(control, level, ttl, m.TTL)
	}
	if m.TrafficClass != 0 {
		control = appendControl(control, level, class, m.TrafficClass)
	}
	if m.key != 0 {
		control = appendControl(control, unix.SOL_SOCKET, unix.SCM_TS_OPT_ID, int(m.key))
	}
	h.Control = nil
	if len(control) > 0 {
		h.Control = unsafe.SliceData(space)
	}
	h.SetControllen(len(control))
	return nil
}

// bigEndian is the number whose bytes in memory are those of v in network byte order.
func bigEndian(v uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return binary.NativeEndian.Uint32(b[:])
}

// appendControl appends a control message that holds an int. b has room for it.
func appendControl(b []byte, level, typ, value int) []byte {
	start := len(b)
	b = b[:start+unix.CmsgSpace(4)]
	clear(b[start:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[start]))
	h.Level, h.Type = int32(level), int32(typ)
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(b[start+unix.CmsgLen(0):], uint32(value))
	return b
}

// prepare lays out as many messages to be received.
func (b *batch) prepare(messages []Message, flags int) {
	b.n, b.flags = 0, flags
	b.count = min(len(messages), len(b.headers))
	for i := range b.count {
		h := &b.headers[i].header
		h.Namelen = uint32(unsafe.Sizeof(b.names[i]))
		b.vectors[i].Base = unsafe.SliceData(messages[i].Data)
		b.vectors[i].SetLen(len(messages[i].Data))
		h.Control = &b.control[i*controlRoom]
		h.SetControllen(controlRoom)
		h.Flags = 0
	}
}

// get reads the received message i into m. It reports false if that is none for a Pinger.
func (b *batch) get(i int, m *Message, v6, quoted bool) bool {
	h := &b.headers[i]
	addr, ok := address(&b.names[i], v6)
	*m = Message{Addr: addr, Data: m.Data[:min(int(h.length), len(m.Data))]}
	control := b.control[i*controlRoom:]
	parseControl(control[:min(int(h.header.Controllen), controlRoom)], m, v6)
	return quoted && m.departed || ok && (m.Err != nil) == quoted
}

const timespecLen = int(unsafe.Sizeof(unix.Timespec{}))

// parseControl reads the control messages that came with m: when, with which TTL, and which ICMP error.
func parseControl(control []byte, m *Message, v6 bool) {
	for len(control) >= unix.CmsgLen(0) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
		length := int(h.Len)
		if length < unix.CmsgLen(0) || length > len(control) {
			return
		}
		data := control[unix.CmsgLen(0):length]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= timespecLen:
			t := *(*unix.Timespec)(unsafe.Pointer(unsafe.SliceData(data)))
			m.Time = time.Unix(t.Unix())
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING && len(data) >= timespecLen:
			// The first of three is software's.
			if t := *(*unix.Timespec)(unsafe.Pointer(unsafe.SliceData(data))); t.Nano() != 0 {
				m.Time = time.Unix(t.Unix())
			}
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL && len(data) >= 4,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			m.TTL = int(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR && !v6,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR && v6:
			parseExtendedError(data, m, v6)
		}
		control = control[min(unix.CmsgSpace(len(data)), len(control)):]
	}
}

// parseExtendedError reads struct sock_extended_err (ip(7), IP_RECVERR): an ICMP error, with the offender's address
// after it, or the report of a departure (Documentation/networking/timestamping.rst). It leaves out what is neither.
func parseExtendedError(data []byte, m *Message, v6 bool) {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	if len(data) < size {
		return
	}
	e := *(*unix.SockExtendedErr)(unsafe.Pointer(unsafe.SliceData(data)))
	origin := uint8(unix.SO_EE_ORIGIN_ICMP)
	if v6 {
		origin = unix.SO_EE_ORIGIN_ICMP6
	}
	switch e.Origin {
	case unix.SO_EE_ORIGIN_TIMESTAMPING:
		m.key, m.departed = e.Data, e.Info == unix.SCM_TSTAMP_SND
	case unix.SO_EE_ORIGIN_LOCAL:
		m.tooBig = syscall.Errno(e.Errno) == unix.EMSGSIZE
	case origin:
		var name unix.RawSockaddrInet6
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)), data[size:])
		from, ok := address(&name, v6)
		if !ok {
			return
		}
		m.Err = &ICMPError{Type: int(e.Type), Code: int(e.Code), From: from}
		if m.Err.tooBig() {
			m.Err.MTU = int(e.Info)
		}
		header := 20
		if v6 {
			header = 40
		}
		// struct sock_ee_data_rfc4884 (linux/errqueue.h) lies where Data does: where in the quoted message the
		// extension is, and whether the kernel has found it false, which splitQuote sees too.
		where := binary.NativeEndian.Uint16(data[unsafe.Offsetof(e.Data):])
		m.Data = m.Err.splitQuote(m.Data, int(where), header)
	}
}

// sockaddr returns the socket address of a, and its length. The port of an ICMP socket's peer is 0.
func sockaddr(a netip.Addr, v6 bool) (name unix.RawSockaddrInet6, length uint32, err error) {
	if !v6 {
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&name))
		in.Family = unix.AF_INET
		in.Addr = a.As4()
		return name, uint32(unsafe.Sizeof(*in)), nil
	}
	name.Family = unix.AF_INET6
	name.Addr = a.As16()
	if zone := a.Zone(); zone != "" {
		index, err := strconv.Atoi(zone)
		if err != nil {
			if index, err = zoneIndex(zone); err != nil {
				return name, 0, err
			}
		}
		name.Scope_id = uint32(index)
	}
	return name, uint32(unsafe.Sizeof(name)), nil
}

// address is the address in a socket address that the kernel filled in.
func address(name *unix.RawSockaddrInet6, v6 bool) (netip.Addr, bool) {
	switch {
	case name.Family == unix.AF_INET && !v6:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), true
	case name.Family == unix.AF_INET6 && v6:
		a := netip.AddrFrom16(name.Addr)
		if name.Scope_id != 0 && a.IsLinkLocalUnicast() {
			a = a.WithZone(strconv.Itoa(int(name.Scope_id)))
		}
		return a, true
	}
	return netip.Addr{}, false
}
