package ping

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// slowControl is parseControl by the book: x/sys cuts it up, encoding/binary reads it.
func slowControl(control []byte, v6 bool) (m Message) {
	get := func(data []byte, v any) bool {
		_, err := binary.Decode(data, binary.NativeEndian, v)
		return err == nil
	}
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return m
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
		case (key == [2]int32{unix.IPPROTO_IP, unix.IP_TTL} || key == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}) && get(data, &n):
			m.TTL = int(n)
		case (!v6 && key == [2]int32{unix.IPPROTO_IP, unix.IP_RECVERR} || v6 && key == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_RECVERR}) && get(data, &e):
			offender := make([]byte, unix.SizeofSockaddrInet6)
			copy(offender, data[unsafe.Sizeof(e):])
			var in4 unix.RawSockaddrInet4
			var in6 unix.RawSockaddrInet6
			get(offender, &in4)
			get(offender, &in6)
			err := &ICMPError{Type: int(e.Type), Code: int(e.Code)}
			switch {
			case e.Origin == unix.SO_EE_ORIGIN_TIMESTAMPING:
				m.key, m.departed = e.Data, e.Info == unix.SCM_TSTAMP_SND
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
	return m
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
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(unix.SO_EE_ORIGIN_ICMP, 3, 1, 0, 0, modelFroms[0])),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(unix.SO_EE_ORIGIN_ICMP, 3, 4, 1300, 0, modelFroms[0])),
		controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, extendedError(unix.SO_EE_ORIGIN_ICMP6, 2, 0, 1280, 0, modelFroms[1])),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(unix.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, unix.SCM_TSTAMP_SND, 77, modelFroms[0])),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(unix.SO_EE_ORIGIN_LOCAL, 0, 0, 1300, 0, modelFroms[0])),
		controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, extendedError(unix.SO_EE_ORIGIN_ICMP, 3, 1, 0, 0, modelFroms[0])[:17]),
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
		want := slowControl(control, v6)
		moved := make([]byte, len(control)+8)[shift%8:][:len(control)]
		copy(moved, control)
		for name, b := range map[string][]byte{"moved": moved, "at the end of a page": atEnd(control)} {
			var got Message
			parseControl(b, &got, v6)
			if (got.Err == nil) != (want.Err == nil) || got.Err != nil && (got.Err.Type != want.Err.Type || got.Err.Code != want.Err.Code ||
				got.Err.MTU != want.Err.MTU || got.Err.From.WithZone("") != want.Err.From) {
				t.Errorf("%s: error %+v, want %+v", name, got.Err, want.Err)
			}
			if !got.Time.Equal(want.Time) || got.TTL != want.TTL || got.key != want.key || got.departed != want.departed {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
	})
}

// FuzzOurs: of what a raw socket receives, that alone is ours which has our identifier, and for IPv4 a sound header and
// checksum.
func FuzzOurs(f *testing.F) {
	const id = 0x1234
	header := []byte{0x45, 0, 0, 84, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1}
	reply := echoed(Message{Addr: testAddr, Data: appendEcho(nil, testTemplate, 1, 2)}).Data
	binary.BigEndian.PutUint16(reply[4:], id)
	reply[2], reply[3] = 0, 0
	binary.BigEndian.PutUint16(reply[2:], checksum(reply))
	spoiled := append(bytes.Clone(header), reply...)
	spoiled[60] ^= 4
	for _, data := range [][]byte{
		append(bytes.Clone(header), reply...), spoiled,
		append(append([]byte{0x46}, header[1:]...), append([]byte{1, 1, 1, 1}, reply...)...),
		append([]byte{0x4f}, header[1:]...), append([]byte{0x40}, header[1:]...),
		header, header[:19], reply, reply[:8], reply[:7], nil,
	} {
		for mode := range 4 {
			f.Add(data, mode&1 != 0, mode&2 != 0)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, v6, quoted bool) {
		if len(data) > 4096 {
			return
		}
		message, sound := data, true
		if !v6 && !quoted {
			length := 0
			if len(data) > 0 {
				length = int(data[0]%16) * 4
			}
			if sound = length >= 20 && len(data) >= length; sound {
				message = data[length:]
				sum := 0 // of ones' complement, which is that of the numbers modulo 65,535
				for i, b := range message {
					sum += int(b) << (8 * (1 - i%2))
				}
				sound = sum > 0 && sum%65535 == 0
			}
		}
		want := sound && len(message) >= 8 && message[4] == id>>8 && message[5] == id&0xff
		s := &socket{id: id, v6: v6}
		m := Message{Data: atEnd(data)}
		if got := s.ours(&m, quoted); got != want || got && !bytes.Equal(m.Data, message) {
			t.Errorf("%x, v6 %v, quoted %v: ours %v, want %v; %x", data, v6, quoted, got, want, m.Data)
		}
		s.id = 0
		if m.Data = data; !s.ours(&m, quoted) || !bytes.Equal(m.Data, data) {
			t.Errorf("%x changed for a datagram socket: %x", data, m.Data)
		}
	})
}

// FuzzSockaddr: whatever the kernel says of an address, what is read of it can be sent to.
func FuzzSockaddr(f *testing.F) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, family := range []uint16{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX, 0} {
		b := native(unix.RawSockaddrInet6{Family: family, Addr: [16]byte{0: 0xfe, 1: 0x80, 15: byte(r.Uint32())}, Scope_id: 3})
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		var name unix.RawSockaddrInet6
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)), b)
		addr, ok := address(&name, v6)
		if want := name.Family == unix.AF_INET && !v6 || name.Family == unix.AF_INET6 && v6; ok != want {
			t.Fatalf("%+v, v6 %v: %v", name, v6, ok)
		}
		if !ok {
			return
		}
		if addr.Is6() != v6 {
			t.Fatalf("%v, v6 %v", addr, v6)
		}
		back, _, err := sockaddr(addr, v6)
		if again, ok := address(&back, v6); err != nil || !ok || again != addr {
			t.Errorf("%v became %v: %v", addr, again, err)
		}
	})
}
