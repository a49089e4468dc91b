package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

func TestInterfaces(t *testing.T) {
	index := []byte{0, 0, 1, 2}
	four := []byte{0, 1, 0, 0, 192, 0, 2, 1}
	six := []byte{0, 2, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	name := []byte{8, 'e', 't', 'h', '0', 0, 0, 0}
	mtu := []byte{0, 0, 0x5, 0xdc}
	addr4, addr6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		name string
		typ  byte
		data []byte
		want Interface
		ok   bool
	}{
		{"nothing", 0, nil, Interface{}, true},
		{"all", 0b00_00_1111, slices.Concat(index, four, name, mtu), Interface{0, 258, addr4, "eth0", 1500}, true},
		{"an IPv6 address", 0b10_00_0100, six, Interface{Role: 2, Addr: addr6}, true},
		{"an index", 0b01_00_1000, index, Interface{Role: 1, Index: 258}, true},
		{"a name", 0b11_00_0010, name, Interface{Role: 3, Name: "eth0"}, true},
		{"an MTU", 0b11_00_0001, mtu, Interface{Role: 3, MTU: 1500}, true},
		{"name and MTU", 0b00_00_0011, slices.Concat(name, mtu), Interface{Name: "eth0", MTU: 1500}, true},
		{"reserved bits", 0b00_11_0001, mtu, Interface{MTU: 1500}, true},
		{"bytes after it", 0b00_00_0001, append(slices.Clone(mtu), 1, 2, 3, 4), Interface{MTU: 1500}, true},
		{"a name without padding", 2, []byte{4, 'l', 'a', 'n'}, Interface{Name: "lan"}, true},
		{"the longest name", 2, append([]byte{64}, bytes.Repeat([]byte("x"), 63)...),
			Interface{Name: string(bytes.Repeat([]byte("x"), 63))}, true},
		{"a name that is no UTF-8", 2, []byte{4, 'a', 0xff, 'b'}, Interface{Name: "a\uFFFDb"}, true},
		{"a huge index", 8, []byte{255, 255, 255, 255}, Interface{Index: math.MaxInt32}, true},
		{"less than an index", 8, index[:3], Interface{}, false},
		{"less than an MTU", 1, nil, Interface{}, false},
		{"less than a family", 4, four[:3], Interface{}, false},
		{"less than an IPv4 address", 4, four[:7], Interface{}, false},
		{"less than an IPv6 address", 4, six[:19], Interface{}, false},
		{"a third family", 4, append([]byte{0, 3}, six[2:]...), Interface{}, false},
		{"no name", 2, nil, Interface{}, false},
		{"a name of length 0", 2, []byte{0, 0, 0, 0}, Interface{}, false},
		{"a name that is longer than the rest", 2, name[:4], Interface{}, false},
		{"a name of an odd length", 2, []byte{3, 'a', 'b', 0}, Interface{}, false},
		{"a name that is too long", 2, append([]byte{68}, make([]byte, 67)...), Interface{}, false},
	} {
		if got, ok := parseInterface(c.typ, c.data); got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v, want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// Of interfaces, all are told, in order; a malformed one is there as it came.
func TestSeveralInterfaces(t *testing.T) {
	var e Error
	quote := bytes.Repeat([]byte{0x55}, 108)
	x := extended(object(2, 0b00_00_1000, 0, 0, 0, 5), object(2, 0b10_00_1000, 0, 0), object(2, 0b10_00_1000, 0, 0, 0, 6))
	e.SplitQuote(append(quote, x...), 108, 20)
	if want := []Interface{{Index: 5}, {Role: 2, Index: 6}}; !slices.Equal(e.Interfaces, want) || len(e.Objects) != 3 {
		t.Errorf("got %+v of %d, want %+v of 3", e.Interfaces, len(e.Objects), want)
	}
	// They do not lie in the buffer that the message was read into.
	clear(x)
	if want := []byte{0, 0, 0, 5}; !bytes.Equal(e.Objects[0].Data, want) {
		t.Errorf("the object is %x, want %x", e.Objects[0].Data, want)
	}
}

// FuzzInterface: nothing makes it panic, and what golang.org/x/net/icmp reads it reads too.
func FuzzInterface(f *testing.F) {
	f.Add(byte(0b1111), []byte{0, 0, 0, 7, 0, 1, 0, 0, 192, 0, 2, 1, 8, 'e', 't', 'h', '0', 0, 0, 0, 0, 0, 5, 220})
	f.Add(byte(0b11000100), []byte{0, 2, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add(byte(2), []byte{4, 'l', 'a', 'n'})
	f.Fuzz(func(t *testing.T, typ byte, data []byte) {
		if len(data) > 200 {
			return
		}
		i, ok := parseInterface(typ, data)
		if !ok && i != (Interface{}) || i.Role != int(typ>>6) && ok || len(i.Name) > 3*63 || i.MTU < 0 || i.Index < 0 {
			t.Fatalf("type %#b, %x: %+v, %v", typ, data, i, ok)
		}
		if !ok || typ&(hasIndex|hasMTU) == 0 {
			return // x/net reads what has an index or an MTU
		}
		header := []byte{TimeExceeded4, 0, 0, 0, 0, 32, 0, 0}
		message := slices.Concat(header, make([]byte, 128), extended(object(2, typ, data...)))
		m, err := icmp.ParseMessage(ipv4.ICMPTypeTimeExceeded.Protocol(), message)
		if err != nil {
			return // it is stricter
		}
		x, _ := m.Body.(*icmp.TimeExceeded)
		if len(x.Extensions) != 1 {
			t.Fatalf("type %#b, %x: %+v, for x/net %+v", typ, data, i, x.Extensions)
		}
		if info, ok := x.Extensions[0].(*icmp.InterfaceInfo); ok && info.Interface != nil && typ&hasIndex != 0 {
			if want := binary.BigEndian.Uint32(data); int(min(want, math.MaxInt32)) != i.Index {
				t.Errorf("type %#b, %x: index %d, want %d", typ, data, i.Index, want)
			}
			if info.Addr != nil {
				if want, _ := netip.AddrFromSlice(info.Addr.IP); want.Unmap() != i.Addr.Unmap() {
					t.Errorf("type %#b, %x: address %v, want %v", typ, data, i.Addr, want)
				}
			}
		}
	})
}
