package ping_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

func TestHop(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	six := netip.MustParseAddr("2001:db8::1")
	from := func(a netip.Addr, typ, code int, labels ...ping.MPLSLabel) ping.Reply {
		e := &ping.ICMPError{Type: typ, Code: code, From: a, MPLS: labels}
		return ping.Reply{From: a, RTT: 1500 * time.Microsecond, Err: e}
	}
	silent := ping.Reply{Err: ping.ErrTimeout}
	tooBig, tooBig6 := from(a, 3, 4), from(six, 2, 0)
	tooBig6.Err.(*ping.ICMPError).MTU = 1280
	for _, c := range []struct {
		replies []ping.Reply
		want    string
		addrs   []netip.Addr
		reached bool
	}{
		{nil, " 7", nil, false},
		{[]ping.Reply{silent, silent}, " 7  *  *", nil, false},
		{[]ping.Reply{from(a, 11, 0), silent, from(a, 11, 0)}, " 7  10.0.0.1  1.500 ms  *  1.500 ms", []netip.Addr{a}, false},
		{
			[]ping.Reply{from(a, 11, 0), from(b, 11, 0), from(a, 11, 0)},
			" 7  10.0.0.1  1.500 ms  10.0.0.2  1.500 ms  10.0.0.1  1.500 ms", []netip.Addr{a, b}, false,
		},
		{[]ping.Reply{silent, {From: a, RTT: time.Microsecond}}, " 7  *  10.0.0.1  0.001 ms", []netip.Addr{a}, true},
		{
			[]ping.Reply{from(a, 11, 0, ping.MPLSLabel{16001, 5, 1}, ping.MPLSLabel{3, 0, 254})},
			" 7  10.0.0.1 <MPLS:L=16001,E=5,S=0,T=1/L=3,E=0,S=1,T=254>  1.500 ms", []netip.Addr{a}, false,
		},
		{[]ping.Reply{from(a, 3, 0)}, " 7  10.0.0.1  1.500 ms !N", []netip.Addr{a}, false},
		{[]ping.Reply{from(a, 3, 3)}, " 7  10.0.0.1  1.500 ms !<3>", []netip.Addr{a}, false},
		{[]ping.Reply{tooBig}, " 7  10.0.0.1  1.500 ms !F", []netip.Addr{a}, false},
		{[]ping.Reply{tooBig6}, " 7  2001:db8::1  1.500 ms !F-1280", []netip.Addr{six}, false},
		{[]ping.Reply{from(six, 1, 1)}, " 7  2001:db8::1  1.500 ms !X", []netip.Addr{six}, false},
		{[]ping.Reply{from(six, 1, 4)}, " 7  2001:db8::1  1.500 ms !<4>", []netip.Addr{six}, false},
		{[]ping.Reply{from(six, 4, 1)}, " 7  2001:db8::1  1.500 ms !<4-1>", []netip.Addr{six}, false},
	} {
		h := ping.Hop{Distance: 7, Replies: c.replies}
		if got := h.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if got := h.Addrs(); !slices.Equal(got, c.addrs) {
			t.Errorf("%s: addresses are %v", c.want, got)
		}
		if h.Reached() != c.reached {
			t.Errorf("%s: Reached is %v", c.want, !c.reached)
		}
	}
}

func TestHopJSON(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.1")
	h := ping.Hop{Distance: 3, Replies: []ping.Reply{
		{From: a, RTT: time.Microsecond, Err: &ping.ICMPError{Type: 11, From: a}},
		{Seq: 1, Err: ping.ErrTimeout},
	}, End: ping.EndMaxHops}
	want := `{"distance":3,"replies":[{"seq":0,"from":"10.0.0.1","rtt_ns":1000,` +
		`"kind":"icmp","error":"time to live exceeded, from 10.0.0.1",` +
		`"icmp_error":{"type":11,"code":0,"from":"10.0.0.1"}},` +
		`{"seq":1,"kind":"timeout","error":"no reply in time"}],"end":"max_hops"}`
	if got, err := json.Marshal(h); err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
