package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/ipv4"
)

// FuzzCutQuote: what an ICMP error quotes is cut where the IP header in it says, or refused.
func FuzzCutQuote(f *testing.F) {
	four := append([]byte{0x45, 0, 0, 84, 0, 1, 0, 0, 64, 1, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1}, testTemplate...)
	options := append(append([]byte{0x46}, four[1:20]...), append([]byte{1, 1, 1, 1}, testTemplate...)...)
	six := append(append([]byte{0x60, 0, 0, 0, 0, 64, 58, 64}, make([]byte, 32)...), testTemplate...)
	udp, short := bytes.Clone(four), append([]byte{0x44}, four[1:]...)
	udp[9] = 17
	for _, quote := range [][]byte{
		four, udp, short, four[:28], four[:27], options, six, six[:48], six[:47], {0x4f}, {0x40, 21: 0}, nil,
	} {
		f.Add(quote, false)
		f.Add(quote, true)
	}
	f.Fuzz(func(t *testing.T, quote []byte, v6 bool) {
		to, message, ok := CutQuote(quote, v6)
		if !ok {
			if v6 && len(quote) >= 48 && quote[0]>>4 == 6 && quote[6] == 58 {
				t.Errorf("%x refused", quote)
			}
			h, err := ipv4.ParseHeader(quote)
			if !v6 && err == nil && h.Version == 4 && h.Len >= 20 && h.Protocol == 1 && len(quote) >= h.Len+HeaderLen {
				t.Errorf("%x refused", quote)
			}
			return
		}
		header := len(quote) - len(message)
		switch {
		case len(message) < HeaderLen || !bytes.Equal(message, quote[header:]):
			t.Errorf("%x: the message is %x", quote, message)
		case v6:
			if header != 40 || quote[6] != 58 || to != netip.AddrFrom16([16]byte(quote[24:40])) {
				t.Errorf("%x: cut at %d, to %v", quote, header, to)
			}
		default:
			if header != int(quote[0]&15)*4 || header < 20 || quote[9] != 1 || to.As4() != [4]byte(quote[16:20]) {
				t.Errorf("%x: cut at %d, to %v", quote, header, to)
			}
		}
	})
}

// An ICMP error is cut up as the kernel of Linux does it, by its type and version; others are refused.
func TestCutError(t *testing.T) {
	four := append([]byte{0x45, 0, 0, 84, 0, 1, 0, 0, 64, 1, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1}, testTemplate...)
	six := append(append([]byte{0x60, 0, 0, 0, 0, 64, 58, 64}, make([]byte, 32)...), testTemplate...)
	six[40] = EchoRequest6
	from4, from6 := netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::fe")
	stack := extended(object(1, 1, 0, 6, 0x43, 1))
	padded := func(quote []byte) []byte {
		return append(append(bytes.Clone(quote), make([]byte, 128-len(quote))...), stack...)
	}
	for _, c := range []struct {
		name   string
		from   netip.Addr
		header [8]byte
		quote  []byte
		ok     bool
		mtu    int
		labels int
		length int // of the message; 0: as quoted
	}{
		{"time exceeded", from4, [8]byte{11}, four, true, 0, 0, 0},
		{"labels", from4, [8]byte{11, 0, 0, 0, 0, 32}, padded(four), true, 0, 1, 108},
		{"labels, length in bytes", from4, [8]byte{11, 0, 0, 0, 0, 128}, padded(four), true, 0, 1, 108},
		{"labels, no length", from4, [8]byte{3, 1}, padded(four), true, 0, 1, 108},
		{"fragmentation needed", from4, [8]byte{3, 4, 0, 0, 0, 0, 5, 0xdc}, four, true, 1500, 0, 0},
		{"port unreachable", from4, [8]byte{3, 3, 0, 0, 0, 0, 5, 0xdc}, four, true, 0, 0, 0},
		{"parameter problem", from4, [8]byte{12, 0, 0, 0, 20}, four, true, 0, 0, 0},
		{"redirect", from4, [8]byte{5, 1}, four, false, 0, 0, 0},
		{"echo reply", from4, [8]byte{0}, four, false, 0, 0, 0},
		{"of 8 bytes", from4, [8]byte{11}, nil, false, 0, 0, 0},
		{"hop limit exceeded", from6, [8]byte{3}, six, true, 0, 0, 0},
		{"labels", from6, [8]byte{3, 0, 0, 0, 16}, padded(six), true, 0, 1, 88},
		{"labels, length in bytes", from6, [8]byte{1, 3, 0, 0, 128}, padded(six), true, 0, 1, 88},
		{"packet too big", from6, [8]byte{2, 0, 0, 0, 0, 0, 5, 0}, six, true, 1280, 0, 0},
		{"parameter problem", from6, [8]byte{4, 1, 0, 0, 0, 0, 0, 6}, six, true, 0, 0, 0},
		{"neighbour advertisement", from6, [8]byte{136}, six, false, 0, 0, 0},
		{"echo reply", from6, [8]byte{129}, six, false, 0, 0, 0},
	} {
		data := append(c.header[:], c.quote...)
		e, to, message, ok := CutError(data, c.from)
		if ok != c.ok {
			t.Errorf("%s from %v: %v, want %v", c.name, c.from, ok, c.ok)
		}
		if !ok {
			continue
		}
		wantTo, want, _ := CutQuote(c.quote, c.from.Is6())
		if c.length > 0 {
			want = want[:c.length]
		}
		if e.Type != int(c.header[0]) || e.Code != int(c.header[1]) || e.From != c.from || e.MTU != c.mtu ||
			len(e.MPLS) != c.labels || to != wantTo || !bytes.Equal(message, want) {
			t.Errorf("%s from %v: %+v, to %v, %d bytes", c.name, c.from, e, to, len(message))
		}
	}
}
