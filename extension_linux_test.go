package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// What a router tells in the extension of an ICMP error is read through the kernel, whichever of the ways that there
// are it tells where that begins, and the probe is known whatever its length.
func TestExtensions(t *testing.T) {
	stack := netlab.MPLSObject(netlab.MPLSLabel{Label: 16001, TrafficClass: 5, TTL: 1})
	incoming := netlab.ExtensionObject(2, 0b00_00_1111, // RFC 5837: incoming; index, address, name, MTU
		0, 0, 0, 7, 0, 1, 0, 0, 192, 0, 2, 254, 8, 'e', 't', 'h', '0', 0, 0, 0, 0, 0, 0x23, 0x28)
	next := netlab.ExtensionObject(2, 0b11_00_0100, // the next hop's address
		0, 2, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9)
	unknown := netlab.ExtensionObject(250, 9, 1, 2, 3, 4)
	whole := netlab.Extension(stack, incoming, next, unknown)
	unsummed := slices.Clone(whole)
	unsummed[2], unsummed[3] = 0, 0
	want := ping.ICMPError{
		MPLS: []ping.MPLSLabel{{Label: 16001, TrafficClass: 5, TTL: 1}},
		Interfaces: []ping.ICMPInterface{
			{Role: ping.InterfaceIncoming, Index: 7, Addr: netip.MustParseAddr("192.0.2.254"), Name: "eth0", MTU: 9000},
			{Role: ping.InterfaceNextHop, Addr: netip.MustParseAddr("2001:db8::9")},
		},
		Objects: []ping.ICMPObject{
			{Class: 1, Type: 1, Data: stack[4:]}, {Class: 2, Type: 0b1111, Data: incoming[4:]},
			{Class: 2, Type: 0b11000100, Data: next[4:]}, {Class: 250, Type: 9, Data: unknown[4:]},
		},
	}
	cases := []struct {
		name      string
		quotation int
		length    netlab.Length
		extension []byte
	}{
		{"told", 128, netlab.LengthTold, whole},
		{"told, longer", 256, netlab.LengthTold, whole},
		{"told, no checksum", 128, netlab.LengthTold, unsummed},
		{"in bytes", 128, netlab.LengthInBytes, whole},
		{"in bytes, longer", 160, netlab.LengthInBytes, whole},
		{"in bytes, no checksum", 128, netlab.LengthInBytes, unsummed},
		{"untold", 128, netlab.LengthUntold, whole},
		{"untold, longer", 200, netlab.LengthUntold, whole},
		{"untold, no checksum", 128, netlab.LengthUntold, unsummed},
	}
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		c := cases[r.TTL-1]
		return []netlab.Answer{r.ErrorExtended(router(r.Dst), typeExceeded(r), 0, c.quotation, c.length, c.extension)}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for i, c := range cases {
			for _, host := range []string{beyond4, beyond6} {
				for _, size := range []int{0, 8, 56, 79, 80, 100, 101, 160, 600, 1400} {
					_, err := p.Ping(t.Context(), host, ping.WithTTL(i+1), ping.WithSize(size), ping.WithTimeout(5*time.Second))
					var e *ping.ICMPError
					if !errors.As(err, &e) {
						t.Errorf("%s, %d bytes to %s: %v", c.name, size, host, err)
						continue
					}
					got := ping.ICMPError{MPLS: e.MPLS, Interfaces: e.Interfaces, Objects: e.Objects}
					if !reflect.DeepEqual(got, want) {
						t.Errorf("%s, %d bytes to %s: got\n%s\nwant\n%s", c.name, size, host, fmt.Sprint(got), fmt.Sprint(want))
					}
				}
			}
		}
	})
}
