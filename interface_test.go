package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// answerExtended is a fake that answers each extended echo request with a code and a status, and with the first n bytes
// of what follows the header.
func answerExtended(code, status byte, n int) *fake {
	return newFake(func(_ int, m ping.Message) []delayed {
		m.Data[0]++ // RFC 8335 section 3
		m.Data[1], m.Data[7] = code, status
		m.Data = m.Data[:min(8+n, len(m.Data))]
		return []delayed{{ms, m}}
	})
}

// What each bit of an answer says (RFC 8335 section 3), whether the answer brings the payload back or not.
func TestAskInterfaceBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nil)
		p := newFakePinger(t, f)
		for status := range 256 {
			for code := range 6 {
				for _, n := range []int{0, 1000} {
					f.answer = answerExtended(byte(code), byte(status), n).answer
					s, err := p.AskInterface(t.Context(), target, ping.InterfaceID{Name: "eth0"})
					r := s.Reply
					if r.RTT != ms || r.Truncated != (n == 0) || r.From != r.Target || r.Sent.IsZero() {
						t.Errorf("code %d, status %#x: %+v", code, status, r)
					}
					if code > 0 {
						if !errors.Is(err, ping.InterfaceError(code)) || r.Err != err || s.Active || s.IPv4 || s.IPv6 ||
							s.Neighbour != 0 || ping.ErrorKind(err) != "interface" {
							t.Errorf("code %d, status %#x: %+v, %v", code, status, s, err)
						}
						continue
					}
					want := ping.InterfaceStatus{
						Active: status&4 > 0, IPv4: status&2 > 0, IPv6: status&1 > 0,
						Neighbour: ping.NeighbourState(status >> 5), Reply: r,
					}
					if s != want || err != nil {
						t.Errorf("status %#x: %+v, %v, want %+v", status, s, err, want)
					}
				}
			}
		}
	})
}

// What cannot be asked is refused before anything is sent. The error names the field, the value and what is allowed.
func TestAskInterfaceRefused(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.1")
	synctest.Test(t, func(t *testing.T) {
		f := answerExtended(0, 0, 1<<16)
		p := newFakePinger(t, f)
		for _, c := range []struct {
			id   ping.InterfaceID
			opts []ping.ProbeOption
			want string
		}{
			{ping.InterfaceID{}, nil, "InterfaceID has 0 of Name, Index and Addr: want one"},
			{ping.InterfaceID{Name: "a", Addr: addr}, nil, "InterfaceID has 2 of Name, Index and Addr: want one"},
			{ping.InterfaceID{Name: "a", Neighbour: true}, nil,
				"InterfaceID has Neighbour without Addr: want the neighbour's address"},
			{ping.InterfaceID{Name: strings.Repeat("a", 64)}, nil,
				`InterfaceID.Name "` + strings.Repeat("a", 64) + `": want 1 to 63 bytes, none of them 0`},
			{ping.InterfaceID{Name: "a\x00"}, nil, `InterfaceID.Name "a\x00": want 1 to 63 bytes, none of them 0`},
			{ping.InterfaceID{Index: -1}, nil, "InterfaceID.Index -1: want 1 to 2147483647"},
			{ping.InterfaceID{Addr: netip.MustParseAddr("fe80::1%eth0")}, nil,
				"InterfaceID.Addr fe80::1%eth0: want no zone, which means nothing to another host"},
			{ping.InterfaceID{Name: "a"}, []ping.ProbeOption{ping.WithSize(65504)},
				"WithSize(65504): a question for interface a takes 0 to 65491"},
			{ping.InterfaceID{Name: "a"}, []ping.ProbeOption{ping.WithSize(65508)}, "WithSize(65508): IPv4 takes 0 to 65507"},
		} {
			s, err := p.AskInterface(t.Context(), target, c.id, c.opts...)
			if want := "ping " + target + ": " + c.want; err == nil || err.Error() != want || s.Reply.Err != err {
				t.Errorf("%+v: got %v, want %s", c.id, err, want)
			}
		}
		if len(f.sent) > 0 {
			t.Errorf("%d sent", len(f.sent))
		}
		for _, c := range []struct {
			host string
			size int
		}{{target, 65491}, {target, 0}, {"2001:db8::1", 65511}} {
			id := ping.InterfaceID{Name: "a"}
			s, err := p.AskInterface(t.Context(), c.host, id, ping.WithSize(c.size))
			if err != nil || s.Reply.Size != c.size+24 {
				t.Errorf("%s, size %d: %+v, %v", c.host, c.size, s, err)
			}
		}
	})
}

// A host of the network in memory answers as its interfaces are, however it is asked.
func TestAskInterfaceHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8:9::1")
		settings := []pingtest.Setting{
			pingtest.AnswersAbout(
				pingtest.Interface{Name: "eth0", Index: 2, Addrs: []netip.Addr{four, six}, Active: true},
				pingtest.Interface{Name: "eth1", Index: 3},
				pingtest.Interface{Name: "twin", Index: 4},
				pingtest.Interface{Name: "twin", Index: 5, Active: true},
			),
			pingtest.Neighbours(map[netip.Addr]ping.NeighbourState{four: ping.NeighbourStale, six: ping.NeighbourFailed}),
			pingtest.RTT(7 * ms),
		}
		n.Host("192.0.2.1", settings...)
		n.Host("2001:db8::1", settings...)
		n.Host("192.0.2.2")
		n.Host("192.0.2.3", pingtest.AnswersAbout(pingtest.Interface{Name: "eth0"}))
		p := n.Pinger(t)
		nobody := netip.MustParseAddr("10.9.9.9")
		for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
			for _, c := range []struct {
				id   ping.InterfaceID
				want string
			}{
				{ping.InterfaceID{Name: "eth0"}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Index: 2}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Addr: four}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Addr: netip.AddrFrom16(four.As16())}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Addr: six}, "active, IPv4, IPv6"},
				{ping.InterfaceID{Name: "eth1"}, "not active"},
				{ping.InterfaceID{Name: "twin"}, "ping " + host + ": several interfaces satisfy the query"},
				{ping.InterfaceID{Name: "eth"}, "ping " + host + ": no such interface"},
				{ping.InterfaceID{Index: 9}, "ping " + host + ": no such interface"},
				{ping.InterfaceID{Addr: nobody}, "ping " + host + ": no such interface"},
				{ping.InterfaceID{Addr: four, Neighbour: true}, "stale"},
				{ping.InterfaceID{Addr: six, Neighbour: true}, "failed"},
				{ping.InterfaceID{Addr: nobody, Neighbour: true}, "ping " + host + ": no such table entry"},
			} {
				s, err := p.AskInterface(t.Context(), host, c.id)
				if s.String() != c.want || s.Reply.RTT != 7*ms || s.Reply.Truncated || s.Reply.Err != err {
					t.Errorf("%s: %v: got %v, want %s; %+v", host, c.id, s, c.want, s.Reply)
				}
			}
		}
		for host, id := range map[string]ping.InterfaceID{
			"192.0.2.2": {Name: "eth0"},                // as most hosts are
			"192.0.2.3": {Addr: four, Neighbour: true}, // as Linux is
		} {
			if s, err := p.AskInterface(t.Context(), host, id); !errors.Is(err, ping.ErrTimeout) || s.Reply.Sent.IsZero() {
				t.Errorf("%s: %+v, %v", host, s, err)
			}
		}
		if c := p.Counters(); c.Received != 26 || c.Lost != 2 || c.Stray != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// A forged answer, and a spoilt one, do not pass for the host's; refusals end the question as they do a ping.
func TestAskInterfaceFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		eth0 := pingtest.AnswersAbout(pingtest.Interface{Name: "eth0", Active: true})
		router := n.Host("192.0.2.254")
		n.Host("192.0.2.1", eth0, pingtest.Forgeries(1), pingtest.Duplicates(1))
		n.Host("192.0.2.2", eth0, pingtest.Corruption(1))
		n.Host("192.0.2.3", eth0, pingtest.Refuse(ping.ICMPError{Type: 3, Code: 1, From: router.Addr()}))
		n.Host("192.0.2.4", eth0, pingtest.Behind(router))
		n.Host("192.0.2.5", eth0, pingtest.Truncation(20))
		p := n.Pinger(t)
		for host, want := range map[string]string{
			"192.0.2.1": "", "192.0.2.2": "timeout", "192.0.2.3": "icmp", "192.0.2.4": "icmp", "192.0.2.5": "",
		} {
			s, err := p.AskInterface(t.Context(), host, ping.InterfaceID{Name: "eth0"}, ping.WithTTL(1))
			if ping.ErrorKind(err) != want || (err == nil) != s.Active || s.Reply.Truncated != (host == "192.0.2.5") {
				t.Errorf("%s: %v, %v", host, s, err)
			}
		}
		if c := p.Counters(); c.Stray != 1 || c.Duplicates != 1 || c.Corrupted != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// A thousand questions at once each get their own answer, though there are 256 numbers for them; pings go on beside.
func TestAskInterfaceThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		n.Host("192.0.2.1", pingtest.RTT(100*ms), pingtest.AnswersAbout(
			pingtest.Interface{Index: 1, Active: true}, pingtest.Interface{Index: 2}))
		p := n.Pinger(t)
		var running sync.WaitGroup
		for i := range 1000 {
			running.Go(func() {
				s, err := p.AskInterface(t.Context(), "192.0.2.1", ping.InterfaceID{Index: 1 + i%2})
				if err != nil || s.Active != (i%2 == 0) || s.Reply.RTT != 100*ms {
					t.Errorf("%d: %v, %v", i, s, err)
				}
			})
			running.Go(func() {
				if r, err := p.Ping(t.Context(), "192.0.2.1"); err != nil || r.RTT != 100*ms {
					t.Errorf("ping: %v", err)
				}
			})
		}
		start := time.Now()
		running.Wait()
		if took := time.Since(start); took < 400*ms || took > 420*ms { // four rounds of 256
			t.Errorf("took %v", took)
		}
	})
}

// The texts that people read.
func TestAskInterfaceTexts(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.9")
	for want, got := range map[string]fmt.Stringer{
		"interface eth0":           ping.InterfaceID{Name: "eth0"},
		"interface number 2":       ping.InterfaceID{Index: 2},
		"interface with 192.0.2.9": ping.InterfaceID{Addr: addr},
		"neighbour 192.0.2.9":      ping.InterfaceID{Addr: addr, Neighbour: true},
		"reachable":                ping.NeighbourReachable,
		"failed":                   ping.NeighbourFailed,
		"state 0":                  ping.NeighbourState(0),
		"state 7":                  ping.NeighbourState(7),
		"not active, IPv6":         ping.InterfaceStatus{IPv6: true},
		"16 bytes from 192.0.2.9: seq=0 time=1.000 ms (no such interface)": ping.Reply{
			Target: addr, From: addr, Size: 16, RTT: ms, Err: ping.ErrNoSuchInterface},
	} {
		if got.String() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	for code, want := range map[ping.InterfaceError]string{
		ping.ErrMalformedQuery: "malformed query", 9: "extended echo reply with code 9",
	} {
		if code.Error() != want {
			t.Errorf("got %v, want %s", code, want)
		}
	}
}
