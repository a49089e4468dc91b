package ping_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

func TestBadInput(t *testing.T) {
	p := newFakePinger(t, newFake(nil))
	for _, c := range []struct {
		host string
		opts []ping.ProbeOption
		want string
	}{
		{"", nil, "empty host name"},
		{"::ffff:192.0.2.1", nil, "use 192.0.2.1"},
		{"0.0.0.0", nil, "0.0.0.0 is no host's address"},
		{"::", nil, ":: is no host's address"},
		{"224.0.0.1", nil, "224.0.0.1 is a multicast or broadcast address"},
		{"ff02::1%lo", nil, "is a multicast or broadcast address"},
		{"255.255.255.255", nil, "255.255.255.255 is a multicast or broadcast address"},
		{"2001:db8::1%lo", nil, "2001:db8::1%lo has a zone"},
		{target, []ping.ProbeOption{ping.WithNetwork("ip6")}, `192.0.2.1 is not an address for WithNetwork("ip6")`},
		{"2001:db8::1", []ping.ProbeOption{ping.WithNetwork("ip4")}, `2001:db8::1 is not an address for WithNetwork("ip4")`},
		{target, []ping.ProbeOption{ping.WithNetwork("udp")}, `WithNetwork("udp"): want "ip", "ip4" or "ip6"`},
		{target, []ping.ProbeOption{ping.WithTimeout(0)}, "WithTimeout(0s): want more than 0"},
		{target, []ping.ProbeOption{ping.WithTimeout(-1)}, "WithTimeout(-1ns): want more than 0"},
		{target, []ping.ProbeOption{ping.WithInterval(-1)}, "WithInterval(-1ns): want 0 or more"},
		{target, []ping.ProbeOption{ping.WithSize(-1)}, "WithSize(-1): want 0 to 65527"},
		{target, []ping.ProbeOption{ping.WithSize(65528)}, "WithSize(65528): want 0 to 65527"},
		{target, []ping.ProbeOption{ping.WithSize(65508)}, "WithSize(65508): IPv4 takes 0 to 65507"},
		{target, []ping.ProbeOption{ping.WithTTL(0)}, "WithTTL(0): want 1 to 255"},
		{target, []ping.ProbeOption{ping.WithTTL(256)}, "WithTTL(256): want 1 to 255"},
		{target, []ping.ProbeOption{ping.WithTrafficClass(-1)}, "WithTrafficClass(-1): want 0 to 255"},
		{target, []ping.ProbeOption{ping.WithTrafficClass(256)}, "WithTrafficClass(256): want 0 to 255"},
		{target, []ping.ProbeOption{ping.WithCount(0)}, "WithCount(0): want 1 to 2147483647"},
		{target, []ping.ProbeOption{ping.WithMaxHops(0)}, "WithMaxHops(0): want 1 to 255"},
		{target, []ping.ProbeOption{ping.WithFlow(0)}, "WithFlow(0): want 1 to 65535"},
		{target, []ping.ProbeOption{ping.WithFlow(65536)}, "WithFlow(65536): want 1 to 65535"},
		{
			target, []ping.ProbeOption{ping.WithFlow(1), ping.WithSize(7)},
			"WithFlow(1) with WithSize(7): want a size of 8 or more",
		},
		{target, []ping.ProbeOption{nil}, "option 0 is nil"},
	} {
		_, err := p.Ping(t.Context(), c.host, c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Ping(%q): got %v, want %q", c.host, err, c.want)
		}
		s, err := p.PingN(t.Context(), c.host, 1, c.opts...)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("PingN(%q): got %v, want %q", c.host, err, c.want)
		}
		if err := p.Reachable(t.Context(), c.host, c.opts...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Reachable(%q): got %v, want %q", c.host, err, c.want)
		}
	}
	for _, n := range []int{0, -1} {
		s, err := p.PingN(t.Context(), target, n)
		if err == nil || s != nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("PingN of %d: %v, %v", n, s, err)
		}
	}
	if c := p.Counters(); c != (ping.Counters{}) {
		t.Errorf("something was sent: %+v", c)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		opt  ping.Option
		want string
	}{
		{ping.WithTTL(300), "WithTTL(300)"},
		{ping.WithSource(netip.Addr{}), "WithSource(invalid IP)"},
		{ping.WithSource(netip.MustParseAddr("::ffff:127.0.0.1")), "WithSource(::ffff:127.0.0.1)"},
		{ping.WithSource(netip.MustParseAddr("0.0.0.0")), "WithSource(0.0.0.0)"},
		{ping.WithSource(netip.MustParseAddr("224.0.0.1")), "WithSource(224.0.0.1)"},
		{ping.WithInterface(""), `WithInterface("")`},
		{ping.WithMark(-1), "WithMark(-1)"},
		{ping.WithSocket(9), "WithSocket(SocketKind(9))"},
		{ping.WithSocket(-1), "WithSocket(SocketKind(-1))"},
		{ping.WithResolver(nil), "WithResolver(nil)"},
		{ping.WithLogger(nil), "WithLogger(nil)"},
		{ping.WithTransport(nil), "WithTransport(nil)"},
		{nil, "option 0 is nil"},
	} {
		if p, err := ping.New(c.opt); err == nil || p != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New with %s: got %v", c.want, err)
		}
	}
}

// FuzzOptions: an option is refused with an error that names it, or the echo requests are as it says.
func FuzzOptions(f *testing.F) {
	f.Add(56, int64(time.Second), "ip4")
	f.Add(-1, int64(0), "")
	f.Add(1<<31-1, int64(-1), "udp")
	f.Fuzz(func(t *testing.T, n int, d int64, s string) {
		synctest.Test(t, func(t *testing.T) {
			var sent ping.Message
			f := newFake(func(_ int, m ping.Message) []delayed {
				sent = m
				return []delayed{{0, echoed(m)}}
			})
			p := newFakePinger(t, f)
			is := func(low, high int) bool { return low <= n && n <= high }
			length := time.Duration(d)
			for _, c := range []struct {
				name  string
				opt   ping.ProbeOption
				valid bool
				holds func() bool // for the echo request that was sent
			}{
				{"WithSize", ping.WithSize(n), is(0, 65527), func() bool { return len(sent.Data) == 8+n }},
				{"WithTTL", ping.WithTTL(n), is(1, 255), func() bool { return sent.TTL == n }},
				{"WithTrafficClass", ping.WithTrafficClass(n), is(0, 255), func() bool { return sent.TrafficClass == n }},
				{"WithFlow", ping.WithFlow(n), is(1, 65535), func() bool {
					return sent.FlowLabel > 0 && sent.FlowLabel <= 0xfffff
				}},
				{"WithTimeout", ping.WithTimeout(length), d > 0, nil},
				{"WithInterval", ping.WithInterval(length), d >= 0, nil},
				{"WithNetwork", ping.WithNetwork(s), s == "ip" || s == "ip6" || s == "ip4", nil},
			} {
				host := "2001:db8::1"
				if c.name == "WithNetwork" && s == "ip4" {
					host = target
				}
				sent = ping.Message{}
				r, err := p.Ping(t.Context(), host, c.opt)
				if (err == nil) != c.valid || err != nil && !strings.Contains(err.Error(), c.name+"(") {
					t.Errorf("%s of %d, %d, %q: %v", c.name, n, d, s, err)
				}
				if (sent.Data != nil) != c.valid || err == nil && (c.holds != nil && !c.holds() || r.From.String() != host) {
					t.Errorf("%s of %d: sent %+v, got %+v", c.name, n, sent, r)
				}
			}
			if len(f.departures(time.Now())) != int(p.Counters().Sent) {
				t.Errorf("counters are %+v", p.Counters())
			}
		})
		for _, c := range []struct {
			name  string
			opt   ping.Option
			valid bool
		}{
			{"WithMark", ping.WithMark(n), n >= 0 && int64(n) <= 1<<32-1},
			{"WithCount", ping.WithCount(n), n >= 1 && n <= 1<<31-1},
			{"WithMaxHops", ping.WithMaxHops(n), n >= 1 && n <= 255},
			{"WithRate", ping.WithRate(n), n >= 1 && n <= 10_000_000},
			{"WithSocket", ping.WithSocket(ping.SocketKind(n)), n >= 0 && n <= int(ping.SocketRaw)},
			{"WithInterface", ping.WithInterface(s), s != ""},
		} {
			p, err := ping.New(ping.WithTransport(newFake(nil)), c.opt)
			if (err == nil) != c.valid || (p == nil) != (err != nil) ||
				err != nil && !strings.Contains(err.Error(), c.name+"(") {
				t.Errorf("%s of %d, %q: %v, %v", c.name, n, s, p, err)
			}
			if p != nil {
				p.Close()
			}
		}
		_ = fmt.Sprint(ping.SocketKind(n), ping.Clock(n))
	})
}
