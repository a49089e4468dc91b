package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// The bytes are those of RFC 8335, field by field.
func TestExtendedBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		which  Question
		v6     bool
		local  byte
		object []byte
	}{
		{"name", Question{Name: "eth0"}, false, 1, []byte{0, 8, 3, 1, 'e', 't', 'h', '0'}},
		{"padded name", Question{Name: "lan-1"}, true, 1, []byte{0, 12, 3, 1, 'l', 'a', 'n', '-', '1', 0, 0, 0}},
		{"index", Question{Index: 0x01020304}, false, 1, []byte{0, 8, 3, 2, 1, 2, 3, 4}},
		{"IPv4 address", Question{Addr: netip.MustParseAddr("192.0.2.1")}, true, 1,
			[]byte{0, 12, 3, 3, 0, 1, 4, 0, 192, 0, 2, 1}},
		{"neighbour", Question{Addr: netip.MustParseAddr("2001:db8::1"), Neighbour: true}, false, 0,
			[]byte{0, 24, 3, 3, 0, 2, 16, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			template, extension := NewExtendedTemplate(c.v6, c.which, 10)
			b := AppendExtendedEcho([]byte("before"), template, extension, 0x5a00, 0x0123456789abcdef)[6:]
			want := []byte{42, 0, 0, 0, 0, 0, 0x5a, c.local} // section 2
			if c.v6 {
				want[0] = 160
			}
			want = append(want, 0x20, 0, b[10], b[11])                 // RFC 4884 section 7: version 2, checksum
			want = append(want, c.object...)                           // section 2.1
			want = append(want, 0, 14, 247, 0)                         // RFC 4884 sections 8 and 10, a class for private use
			want = append(want, 1, 0x23, 0x45, 0x67, 0x89, 0xab)       // the cookie
			want = append(want, 0xcd, 0xef, 8, 9)                      // and the rest of the payload
			if !bytes.Equal(b, want) || Checksum(b[HeaderLen:]) != 0 { // RFC 4884 section 7
				t.Errorf("got  %x\nwant %x; extension's checksum leaves %#x", b, want, Checksum(b[HeaderLen:]))
			}
			if extension != len(want)-HeaderLen-10 {
				t.Errorf("extension of %d bytes", extension)
			}
		})
	}
}

// What we write is what x/net/icmp reads.
func TestExtendedRead(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, which := range []Question{
			{Name: "eth0"}, {Name: strings.Repeat("x", 63)}, {Index: 1<<31 - 1}, {Addr: netip.MustParseAddr("10.0.0.1")},
			{Addr: netip.MustParseAddr("fe80::1"), Neighbour: true},
		} {
			for _, size := range []int{0, 1, 8, 56, 57, 1400} {
				template, extension := NewExtendedTemplate(v6, which, size)
				const cookie = 0xfedcba9876543210
				b := AppendExtendedEcho(nil, template, extension, 0xff00, cookie)
				protocol, typ := 1, icmp.Type(ipv4.ICMPTypeExtendedEchoRequest)
				if v6 {
					protocol, typ = 58, ipv6.ICMPTypeExtendedEchoRequest
				}
				m, err := icmp.ParseMessage(protocol, b)
				if err != nil {
					t.Fatal(err)
				}
				body, ok := m.Body.(*icmp.ExtendedEchoRequest)
				if !ok || m.Type != typ || m.Code != 0 || body.Seq != 0xff || body.Local == which.Neighbour ||
					len(body.Extensions) == 0 {
					t.Fatalf("v6 %v, %+v: got %v %+v", v6, which, m.Type, m.Body)
				}
				got, _ := body.Extensions[0].(*icmp.InterfaceIdent)
				addr, _ := netip.AddrFromSlice(got.Addr)
				if got.Name != which.Name || got.Index != int(which.Index) || addr != which.Addr {
					t.Errorf("v6 %v: got %+v, want %+v", v6, got, which)
				}
				e, ok := ParseEcho(b)
				e.CutExtension(extension)
				if !ok || !e.IsExtended() || !e.IsRequest(v6) || e.IsReply(v6) || e.Seq>>8 != 0xff || !e.HasCookie(cookie, size) ||
					!e.Intact(size) {
					t.Errorf("v6 %v size %d: not read back: %+v", v6, size, e)
				}
			}
		}
	}
}

// Extended are the types of RFC 8335 alone.
func TestExtendedTypes(t *testing.T) {
	for typ := range 256 {
		e, ok := ParseEcho([]byte{byte(typ), 3, 0, 0, 0, 0, 0x12, 0x47})
		want := Echo{Type: byte(typ), Code: 3, Seq: 0x1247, Payload: []byte{}}
		extended := typ == 42 || typ == 43 || typ == 160 || typ == 161
		if fmt.Sprint(e) != fmt.Sprint(want) || !ok || e.IsExtended() != extended {
			t.Errorf("type %d: got %+v, extended %v, want %+v", typ, e, e.IsExtended(), want)
		}
		for _, v6 := range []bool{false, true} {
			request, reply := typ == 8 || typ == 42, typ == 0 || typ == 43
			if v6 {
				request, reply = typ == 128 || typ == 160, typ == 129 || typ == 161
			}
			if e.IsRequest(v6) != request || e.IsReply(v6) != reply {
				t.Errorf("type %d, v6 %v: request %v, reply %v", typ, v6, e.IsRequest(v6), e.IsReply(v6))
			}
		}
	}
}

// FuzzExtended: whatever comes is cut up as it was put together, or is known to be something else.
func FuzzExtended(f *testing.F) {
	template, extension := NewExtendedTemplate(false, Question{Name: "eth0"}, 56)
	request := AppendExtendedEcho(nil, template, extension, 0x700, 1)
	for _, n := range []int{0, 7, 8, 9, 8 + extension, 15 + extension, 16 + extension, len(request)} {
		f.Add(request[:n], uint8(extension), uint16(56), uint64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, extension uint8, size uint16, cookie uint64) {
		e, ok := ParseEcho(data)
		if !ok {
			return
		}
		e.CutExtension(int(extension))
		payload := data[min(HeaderLen+int(extension), len(data)):]
		if !bytes.Equal(e.Payload, payload) {
			t.Errorf("%x without its extension of %d: %x", data, extension, e.Payload)
		}
		want := make([]byte, int(size))
		for i := range want {
			want[i] = byte(i)
		}
		copy(want, binary.BigEndian.AppendUint64(nil, cookie))
		same := (data[1] == 0 || e.IsExtended()) && bytes.Equal(payload, want)
		if got := e.HasCookie(cookie, int(size)) && e.Intact(int(size)); got != same {
			t.Errorf("%x is intact: %v", data, got)
		}
	})
}
