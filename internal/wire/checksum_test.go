package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

func TestChecksum(t *testing.T) {
	// The example of RFC 1071 section 3 sums to ddf2.
	if got := Checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("got %#x, want %#x", got, ^uint16(0xddf2))
	}
	for size := range 64 {
		payload := bytes.Repeat([]byte{0x5a, byte(size)}, 32)[:size]
		want, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 77, Seq: 5, Data: payload}}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Clone(want)
		got[2], got[3] = 0, 0
		if sum := Checksum(got); sum != binary.BigEndian.Uint16(want[2:]) {
			t.Errorf("size %d: got %#x, want %#x", size, sum, want[2:4])
		}
	}
}

// The checksum is known to fit, or not to, from header and cookie, whatever the size.
func TestChecksumFits(t *testing.T) {
	for _, size := range []int{CookieLen, CookieLen + 1, 56, 57, 300, 1472, MaxPayload4} {
		template, err := NewTemplate(false, size)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			b := AppendEcho(nil, template, uint16(i), uint64(i)*0x9e3779b97f4a7c15)
			if !ChecksumFits(b, size) {
				t.Fatalf("size %d: a checksum that is not there does not fit", size)
			}
			binary.BigEndian.PutUint16(b[4:], uint16(i*i))
			binary.BigEndian.PutUint16(b[2:], Checksum(b))
			b = b[:HeaderLen+CookieLen]
			if !ChecksumFits(b, size) {
				t.Errorf("size %d: %x does not fit", size, b)
			}
			b[5] ^= 1
			if (b[2]|b[3] == 0) != ChecksumFits(b, size) {
				t.Errorf("size %d: %x fits, of another identifier", size, b)
			}
		}
	}
}
