package icmpsock

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

// testFroms are addresses that ICMP errors come from.
var testFroms = []netip.Addr{netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::fe")}

// guarded is a page that ends where reading on would be the end of the process.
var guarded = func() []byte {
	page := unix.Getpagesize()
	b, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Mprotect(b[page:], unix.PROT_NONE)
	}
	if err != nil {
		panic(err)
	}
	return b[:page:page]
}()

// atEnd copies b to the end of the guarded page.
func atEnd(b []byte) []byte {
	at := guarded[len(guarded)-min(len(b), len(guarded)):]
	copy(at, b)
	return at
}

// controlMessage is one control message, of the length it is said to have.
func controlMessage(level, typ int, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = int32(level), int32(typ)
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func native(values ...any) (b []byte) {
	for _, v := range values {
		b, _ = binary.Append(b, binary.NativeEndian, v)
	}
	return b
}

// extendedError is what the kernel tells of an ICMP error from an address.
func extendedError(origin, typ, code uint8, info, data uint32, from netip.Addr) []byte {
	b := native(unix.SockExtendedErr{Origin: origin, Type: typ, Code: code, Info: info, Data: data})
	if from.Is4() {
		return append(b, native(unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: from.As4()})...)
	}
	return append(b, native(unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: from.As16()})...)
}

// recvErr4 is the control message that holds it, with IPv4.
func recvErr4(origin, typ, code uint8, info, data uint32) []byte {
	return controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(origin, typ, code, info, data, testFroms[0]))
}

// slowControl is parseControl by the book: x/sys cuts it up, encoding/binary reads it.
func slowControl(control []byte, v6 bool) (m wire.Packet, fits int) {
	ttls := [][2]int32{{unix.IPPROTO_IP, unix.IP_TTL}, {unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}}
	reports := [2]int32{unix.IPPROTO_IP, unix.IP_RECVERR}
	if v6 {
		reports = [2]int32{unix.IPPROTO_IPV6, unix.IPV6_RECVERR}
	}
	get := func(data []byte, v any) bool {
		_, err := binary.Decode(data, binary.NativeEndian, v)
		return err == nil
	}
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return m, fits
		}
		control = rest
		var t unix.Timespec
		var n uint32
		var e unix.SockExtendedErr
		key := [2]int32{h.Level, h.Type}
		switch {
		case key == [2]int32{unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS} && get(data, &t),
			key == [2]int32{unix.SOL_SOCKET, unix.SCM_TIMESTAMPING} && get(data, &t) && t.Nano() != 0:
			m.Time = time.Unix(t.Unix())
		case slices.Contains(ttls, key) && get(data, &n):
			m.TTL = int(n)
		case key == reports && get(data, &e):
			offender := make([]byte, unix.SizeofSockaddrInet6)
			copy(offender, data[unsafe.Sizeof(e):])
			var in4 unix.RawSockaddrInet4
			var in6 unix.RawSockaddrInet6
			get(offender, &in4)
			get(offender, &in6)
			err := &wire.Error{Type: int(e.Type), Code: int(e.Code)}
			switch {
			case e.Origin == unix.SO_EE_ORIGIN_LOCAL:
				if e.Errno == uint32(unix.EMSGSIZE) {
					fits = max(fits, int(e.Info))
				}
			case e.Origin == unix.SO_EE_ORIGIN_TIMESTAMPING:
				m.Key, m.Departed = e.Data, e.Info == unix.SCM_TSTAMP_SND
			case e.Origin == unix.SO_EE_ORIGIN_ICMP && !v6 && in4.Family == unix.AF_INET:
				err.From = netip.AddrFrom4(in4.Addr)
				if e.Type == 3 && e.Code == 4 {
					err.MTU = int(e.Info)
				}
				m.Err = err
			case e.Origin == unix.SO_EE_ORIGIN_ICMP6 && v6 && in6.Family == unix.AF_INET6:
				err.From = netip.AddrFrom16(in6.Addr)
				if e.Type == 2 {
					err.MTU = int(e.Info)
				}
				m.Err = err
			}
		}
	}
	return m, fits
}

// sameError compares two ICMP errors, but for the zone of who sent them.
func sameError(got, want *wire.Error) bool {
	if got == nil || want == nil {
		return got == want
	}
	return got.Type == want.Type && got.Code == want.Code && got.MTU == want.MTU &&
		got.From.WithZone("") == want.From
}

// FuzzControl: control messages are read as the slow reader does, wherever they lie, and not a byte beyond their end.
func FuzzControl(f *testing.F) {
	stamp := controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, native(unix.NsecToTimespec(1.7e18)))
	ttl := controlMessage(unix.IPPROTO_IP, unix.IP_TTL, native(int32(64)))
	hops := controlMessage(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, native(int32(64)))
	three := native(unix.NsecToTimespec(1.7e18), unix.Timespec{}, unix.Timespec{})
	for _, seed := range [][]byte{
		nil, stamp, ttl, hops,
		append(bytes.Clone(stamp), ttl...),
		controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, three),
		controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, make([]byte, 48)),
		controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, make([]byte, 4))[:unix.CmsgLen(4)],
		controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, make([]byte, 4))[:unix.CmsgLen(4)],
		controlMessage(unix.IPPROTO_IP, unix.IP_TTL, make([]byte, 3))[:unix.CmsgLen(3)],
		controlMessage(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, make([]byte, 3))[:unix.CmsgLen(3)],
		recvErr4(unix.SO_EE_ORIGIN_ICMP, 3, 1, 0, 0),
		recvErr4(unix.SO_EE_ORIGIN_ICMP, 3, 4, 1300, 0),
		recvErr4(unix.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, unix.SCM_TSTAMP_SND, 77),
		recvErr4(unix.SO_EE_ORIGIN_LOCAL, 0, 0, 1300, 0),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, native(
			unix.SockExtendedErr{Errno: uint32(unix.EMSGSIZE), Origin: unix.SO_EE_ORIGIN_LOCAL, Info: 1300})),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR,
			extendedError(unix.SO_EE_ORIGIN_ICMP, 3, 1, 0, 0, testFroms[0])[:17]),
		controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVERR,
			extendedError(unix.SO_EE_ORIGIN_ICMP6, 2, 0, 1280, 0, testFroms[1])),
	} {
		f.Add(seed, false, uint8(0))
		f.Add(seed, true, uint8(3))
		for _, n := range []int{1, 4, 8} {
			f.Add(seed[:max(len(seed)-n, 0)], false, uint8(1))
		}
		for at := range min(len(seed), 8) { // a length that is not true
			bad := bytes.Clone(seed)
			bad[at] ^= 0xf8
			f.Add(bad, false, uint8(at))
		}
	}
	f.Fuzz(func(t *testing.T, control []byte, v6 bool, shift uint8) {
		if len(control) > 1024 {
			return
		}
		want, wantFits := slowControl(control, v6)
		moved := make([]byte, len(control)+8)[shift%8:][:len(control)]
		copy(moved, control)
		for name, b := range map[string][]byte{"moved": moved, "at the end of a page": atEnd(control)} {
			var got wire.Packet
			if fits := parseControl(b, &got, v6); fits != wantFits {
				t.Errorf("%s: %d would have fit, want %d", name, fits, wantFits)
			}
			if !sameError(got.Err, want.Err) {
				t.Errorf("%s: error %+v, want %+v", name, got.Err, want.Err)
			}
			if !got.Time.Equal(want.Time) || got.TTL != want.TTL || got.Key != want.Key || got.Departed != want.Departed {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
	})
}
