package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// testTemplate is an echo request of the usual size, over IPv4.
var testTemplate, _ = NewTemplate(false, 56)

// What we write is what x/net/icmp reads.
func TestAppendEcho(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, size := range []int{0, 1, 7, 8, 9, 56, 255, 256, 257, 1000, MaxPayload4} {
			template, err := NewTemplate(v6, size)
			if err != nil {
				t.Fatal(err)
			}
			const seq, cookie = 0xfffe, 0x0123456789abcdef
			b := AppendEcho(nil, template, seq, cookie)
			protocol, typ := 1, icmp.Type(ipv4.ICMPTypeEcho)
			if v6 {
				protocol, typ = 58, ipv6.ICMPTypeEchoRequest
			}
			m, err := icmp.ParseMessage(protocol, b)
			if err != nil {
				t.Fatal(err)
			}
			body, ok := m.Body.(*icmp.Echo)
			if !ok || m.Type != typ || m.Code != 0 || body.Seq != seq || len(body.Data) != size {
				t.Errorf("v6 %v size %d: got %v code %d %+v", v6, size, m.Type, m.Code, m.Body)
				continue
			}
			var want [CookieLen]byte
			binary.BigEndian.PutUint64(want[:], cookie)
			if n := min(size, CookieLen); !bytes.Equal(body.Data[:n], want[:n]) {
				t.Errorf("v6 %v size %d: payload begins %x, want the cookie", v6, size, body.Data[:n])
			}
			e, ok := ParseEcho(b)
			if !ok || !e.IsRequest(v6) || e.IsReply(v6) || e.Seq != seq || !e.HasCookie(cookie, size) || !e.Intact(size) {
				t.Errorf("v6 %v size %d: not read back: %+v", v6, size, e)
			}
		}
	}
}

// Every change to a reply is seen, wherever it is.
func TestChangedReply(t *testing.T) {
	const cookie = 0x0123456789abcdef
	for _, size := range []int{1, 8, 9, 15, 16, 17, 56, 63, 257, 600} {
		template, err := NewTemplate(false, size)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			b := AppendEcho(nil, template, 1, cookie)
			b[HeaderLen+i] ^= 0x10
			e, _ := ParseEcho(b)
			if e.HasCookie(cookie, size) && e.Intact(size) {
				t.Errorf("size %d: byte %d of the payload changed unseen", size, i)
			}
		}
		b := AppendEcho(nil, template, 1, cookie)
		for name, b := range map[string][]byte{"shorter": b[:len(b)-1], "longer": append(bytes.Clone(b), byte(size))} {
			if e, _ := ParseEcho(b); e.Intact(size) {
				t.Errorf("size %d: a %s reply is taken for intact", size, name)
			}
		}
		b[1] = 5
		if e, _ := ParseEcho(b); e.Intact(size) {
			t.Errorf("size %d: code 5 is taken for intact", size)
		}
	}
}

// FuzzEcho: what is taken for an intact echo is what was sent, byte by byte.
func FuzzEcho(f *testing.F) {
	f.Add([]byte(nil), uint64(0), uint16(0))
	f.Add(AppendEcho(nil, testTemplate, 1, 0x0123456789abcdef), uint64(0x0123456789abcdef), uint16(56))
	f.Add(AppendEcho(nil, testTemplate, 1, 0x0123456789abcdef)[:12], uint64(0x0123456789abcdef), uint16(4))
	f.Fuzz(func(t *testing.T, data []byte, cookie uint64, size uint16) {
		e, ok := ParseEcho(data)
		if ok != (len(data) >= HeaderLen) {
			t.Errorf("%x is an echo message: %v", data, ok)
		}
		if !ok {
			return
		}
		want := make([]byte, int(size))
		for i := range want {
			want[i] = byte(i)
		}
		copy(want, binary.BigEndian.AppendUint64(nil, cookie))
		n := min(len(want), len(e.Payload), CookieLen)
		if got := e.HasCookie(cookie, int(size)); got != bytes.Equal(e.Payload[:n], want[:n]) {
			t.Errorf("%x has the cookie %x: %v", data, cookie, got)
		}
		same := (data[1] == 0 || e.IsExtended()) && bytes.Equal(data[HeaderLen:], want)
		if got := e.HasCookie(cookie, int(size)) && e.Intact(int(size)); got != same {
			t.Errorf("%x is intact: %v", data, got)
		}
	})
}
