package ping

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// What we write is what x/net/icmp reads.
func TestAppendEcho(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, size := range []int{0, 1, 7, 8, 9, 56, 255, 256, 257, 1000, maxPayload4} {
			template, err := newTemplate(v6, size)
			if err != nil {
				t.Fatal(err)
			}
			const seq, cookie = 0xfffe, 0x0123456789abcdef
			b := appendEcho(nil, template, seq, cookie)
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
			var want [cookieLen]byte
			binary.BigEndian.PutUint64(want[:], cookie)
			if n := min(size, cookieLen); !bytes.Equal(body.Data[:n], want[:n]) {
				t.Errorf("v6 %v size %d: payload begins %x, want the cookie", v6, size, body.Data[:n])
			}
			e, ok := parseEcho(b)
			if !ok || !e.isRequest(v6) || e.isReply(v6) || e.seq != seq || !e.hasCookie(cookie, size) || !e.intact(size) {
				t.Errorf("v6 %v size %d: not read back: %+v", v6, size, e)
			}
		}
	}
}

// Every change to a reply is seen, wherever it is.
func TestChangedReply(t *testing.T) {
	const cookie = 0x0123456789abcdef
	for _, size := range []int{1, 8, 9, 56, 600} {
		template, err := newTemplate(false, size)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			b := appendEcho(nil, template, 1, cookie)
			b[headerLen+i] ^= 0x10
			e, _ := parseEcho(b)
			if e.hasCookie(cookie, size) && e.intact(size) {
				t.Errorf("size %d: byte %d of the payload changed unseen", size, i)
			}
		}
		b := appendEcho(nil, template, 1, cookie)
		for name, b := range map[string][]byte{"shorter": b[:len(b)-1], "longer": append(bytes.Clone(b), byte(size))} {
			if e, _ := parseEcho(b); e.intact(size) {
				t.Errorf("size %d: a %s reply is taken for intact", size, name)
			}
		}
		b[1] = 5
		if e, _ := parseEcho(b); e.intact(size) {
			t.Errorf("size %d: code 5 is taken for intact", size)
		}
	}
}

// Whatever the secret, one flow has one checksum, and another flow another.
func FuzzFlow(f *testing.F) {
	f.Add(uint64(0), uint16(0), uint16(1), uint16(2))
	f.Add(^uint64(0), uint16(0xffff), uint16(0xffff), uint16(1))
	f.Add(uint64(0x0123456789abcdef), uint16(77), uint16(0x8000), uint16(0x7fff))
	f.Fuzz(func(t *testing.T, secret uint64, seq, flow, other uint16) {
		if flow == 0 || other == 0 {
			t.Skip("no flows")
		}
		sum := func(secret uint64, seq, flow uint16) uint16 {
			cookie := balance(secret, seq, flow)
			if cookie>>16 != secret>>16 {
				t.Errorf("the secret %x became %x", secret, cookie)
			}
			b := appendEcho(nil, testTemplate, seq, cookie)
			b[2], b[3] = 0, 0
			return checksum(b)
		}
		want := sum(1, 2, flow)
		if got := sum(secret, seq, flow); got != want {
			t.Errorf("flow %d: checksums %x and %x", flow, got, want)
		}
		if got := sum(secret, seq, other); (got == want) != (flow == other) {
			t.Errorf("flows %d and %d: checksums %x and %x", flow, other, want, got)
		}
	})
}

func TestChecksum(t *testing.T) {
	// The example of RFC 1071 section 3 sums to ddf2.
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("got %#x, want %#x", got, ^uint16(0xddf2))
	}
	for size := range 64 {
		want, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 77, Seq: 5, Data: pattern[:size]}}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Clone(want)
		got[2], got[3] = 0, 0
		if sum := checksum(got); sum != binary.BigEndian.Uint16(want[2:]) {
			t.Errorf("size %d: got %#x, want %#x", size, sum, want[2:4])
		}
	}
}
