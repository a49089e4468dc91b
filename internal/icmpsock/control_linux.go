package icmpsock

import (
	"encoding/binary"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

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

const timespecLen = int(unsafe.Sizeof(unix.Timespec{}))

// parseControl reads the control messages that came with p: when, with which TTL, and which ICMP error. Where they
// say that a message of ours was too big for the device, it returns the size that would have fit; else 0.
func parseControl(control []byte, p *wire.Packet, v6 bool) (fits int) {
	for len(control) >= unix.CmsgLen(0) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
		length := int(h.Len)
		if length < unix.CmsgLen(0) || length > len(control) {
			break
		}
		data := control[unix.CmsgLen(0):length]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= timespecLen:
			t := *(*unix.Timespec)(unsafe.Pointer(unsafe.SliceData(data)))
			p.Time = time.Unix(t.Unix())
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING && len(data) >= timespecLen:
			// The first of three is software's.
			if t := *(*unix.Timespec)(unsafe.Pointer(unsafe.SliceData(data))); t.Nano() != 0 {
				p.Time = time.Unix(t.Unix())
			}
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL && len(data) >= 4,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			p.TTL = int(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR && !v6,
			h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR && v6:
			fits = max(fits, parseExtendedError(data, p, v6))
		}
		control = control[min(unix.CmsgSpace(len(data)), len(control)):]
	}
	return fits
}

// parseExtendedError reads struct sock_extended_err (ip(7), IP_RECVERR): an ICMP error, with the offender's address
// after it, the report of a departure (Documentation/networking/timestamping.rst), or that a message of ours was too
// big for the device (net/ipv4/ip_sockglue.c, ip_local_error), of which it returns the size that would have fit. It
// leaves out what is none of these.
func parseExtendedError(data []byte, p *wire.Packet, v6 bool) (fits int) {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	if len(data) < size {
		return 0
	}
	e := *(*unix.SockExtendedErr)(unsafe.Pointer(unsafe.SliceData(data)))
	origin := uint8(unix.SO_EE_ORIGIN_ICMP)
	if v6 {
		origin = unix.SO_EE_ORIGIN_ICMP6
	}
	switch e.Origin {
	case unix.SO_EE_ORIGIN_TIMESTAMPING:
		p.Key, p.Departed = e.Data, e.Info == unix.SCM_TSTAMP_SND
	case unix.SO_EE_ORIGIN_LOCAL:
		if syscall.Errno(e.Errno) == unix.EMSGSIZE {
			return int(e.Info)
		}
	case origin:
		var name unix.RawSockaddrInet6
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)), data[size:])
		from, ok := address(&name, v6)
		if !ok {
			return 0
		}
		if scope := scopeOf(&name); scope != 0 {
			from = from.WithZone(strconv.Itoa(scope))
		}
		p.Err = &wire.Error{Type: int(e.Type), Code: int(e.Code), From: from}
		if p.Err.TooBig() {
			p.Err.MTU = int(e.Info)
		}
		header := 20
		if v6 {
			header = 40
		}
		// struct sock_ee_data_rfc4884 (linux/errqueue.h) lies where Data does: where in the quoted message the
		// extension is, and whether the kernel has found it false, which SplitQuote sees too.
		where := binary.NativeEndian.Uint16(data[unsafe.Offsetof(e.Data):])
		p.Data = p.Err.SplitQuote(p.Data, int(where), header)
	}
	return 0
}
