package icmpsock

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/icmpsock/ping/internal/wire"
)

// FuzzOurs: of what a raw socket receives, that alone is ours which has our identifier, and for IPv4 a sound header
// and checksum; and which is a reply, if it is not quoted by an ICMP error.
func FuzzOurs(f *testing.F) {
	const id = 0x1234
	header := []byte{0x45, 0, 0, 84, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1}
	reply := wire.AppendEcho(nil, template(f, false, 56), 1, 2)
	reply[0] = wire.EchoReply4
	binary.BigEndian.PutUint16(reply[4:], id)
	reply[2], reply[3] = 0, 0
	binary.BigEndian.PutUint16(reply[2:], wire.Checksum(reply))
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
		want := sound && len(message) >= 8 && message[4] == id>>8 && message[5] == id&0xff &&
			(quoted || slices.Contains(map[bool][]byte{false: {0, 43}, true: {129, 161}}[v6], message[0]))
		s := &Socket{id: id, v6: v6}
		m := wire.Packet{Data: atEnd(data)}
		if got := s.ours(&m, quoted); got != want || got && !bytes.Equal(m.Data, message) {
			t.Errorf("%x, v6 %v, quoted %v: ours %v, want %v; %x", data, v6, quoted, got, want, m.Data)
		}
		s.id = 0
		if m.Data = data; !s.ours(&m, quoted) || !bytes.Equal(m.Data, data) {
			t.Errorf("%x changed for a datagram socket: %x", data, m.Data)
		}
	})
}
