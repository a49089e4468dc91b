package pingtest_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A router that tells of one interface, and is silent about its neighbours.
func ExampleAnswersAbout() {
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.AnswersAbout(pingtest.Interface{
		Name: "eth0", Index: 2, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Active: true,
	}))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	fmt.Println(p.AskInterface(context.Background(), "192.0.2.1", ping.InterfaceID{Index: 2}))
	// Output: active, IPv4 <nil>
}

// A router whose neighbour has gone.
func ExampleNeighbours() {
	peer := netip.MustParseAddr("203.0.113.9")
	n := pingtest.NewNetwork()
	n.Host("192.0.2.1", pingtest.Neighbours(map[netip.Addr]ping.NeighbourState{peer: ping.NeighbourFailed}))

	p, err := ping.New(n.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	fmt.Println(p.AskInterface(context.Background(), "192.0.2.1", ping.InterfaceID{Addr: peer, Neighbour: true}))
	// Output: failed <nil>
}

// Settings for interfaces and neighbours can be changed, and taken back.
func TestInterfacesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		h := n.Host("192.0.2.1", pingtest.AnswersAbout(pingtest.Interface{Name: "a", Addrs: addrs, Active: true}))
		p, err := ping.New(n.Options()...)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ask := func() string {
			s, _ := p.AskInterface(t.Context(), "192.0.2.1", ping.InterfaceID{Name: "a"})
			return s.String()
		}
		addrs[0] = netip.MustParseAddr("2001:db8::1") // the host's is another
		for _, want := range []string{"active, IPv4", "not active", "ping 192.0.2.1: no reply in time"} {
			if got := ask(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if want == "active, IPv4" {
				h.Set(pingtest.AnswersAbout(pingtest.Interface{Name: "a"}))
			} else {
				h.Set(pingtest.AnswersAbout())
			}
		}
		if c := h.Counts(); c.Answered != 2 || c.Swallowed != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// FuzzQuestion: whatever is asked has an answer: what is malformed (RFC 8335 section 4) is told so.
func FuzzQuestion(f *testing.F) {
	for _, object := range [][]byte{
		{0, 8, 3, 1, 'e', 't', 'h', '0'}, {0, 8, 3, 2, 0, 0, 0, 2}, {0, 12, 3, 3, 0, 1, 4, 0, 192, 0, 2, 1},
		{0, 8, 3, 3, 0, 1, 4, 0}, {0, 7, 3, 2, 0, 0, 0, 2}, {0, 8, 3, 4, 0, 0, 0, 2}, {0, 8, 2, 1, 'e', 't', 'h', '0'},
		{0, 3}, {}, {0, 4, 3, 1}, {255, 255, 3, 1},
	} {
		for _, typ := range []byte{42, 160} {
			f.Add(append([]byte{typ, 0, 0, 0, 0, 0, 1, 1, 0x20, 0, 0, 0}, object...))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 8 || data[0] != 42 && data[0] != 160 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			n := pingtest.NewNetwork()
			host := netip.MustParseAddr("192.0.2.1")
			n.Host(host.String(), pingtest.Neighbours(map[netip.Addr]ping.NeighbourState{host: ping.NeighbourProbe}),
				pingtest.AnswersAbout(pingtest.Interface{Name: "eth0", Index: 2, Addrs: []netip.Addr{host}, Active: true}))
			transport := n.Transport()
			defer transport.Close()
			if _, err := transport.Send([]ping.Message{{Addr: host, Data: data}}); err != nil {
				t.Fatal(err)
			}
			got := []ping.Message{{Data: make([]byte, len(data)+100)}}
			if _, err := transport.Receive(got); err != nil {
				t.Fatal(err)
			}
			reply := got[0].Data
			if len(reply) != len(data) || reply[0] != data[0]+1 || reply[6] != data[6] || reply[1] > 4 ||
				reply[7] != 0 && reply[1] != 0 {
				t.Errorf("%x is answered by %x", data, reply)
			}
			object := data[min(12, len(data)):]
			sound := len(data) > 8 && data[8]>>4 == 2 && len(object) >= 4 &&
				int(binary.BigEndian.Uint16(object)) <= len(object) && object[2] == 3 && object[3] >= 1 && object[3] <= 3
			if malformed := reply[1] == byte(ping.ErrMalformedQuery); !sound && !malformed {
				t.Errorf("%x is answered by %x", data, reply)
			}
		})
	})
}
