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
