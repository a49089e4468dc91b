package ping_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

func TestPrefixes(t *testing.T) {
	for _, c := range []struct {
		prefixes []string
		count    int
		first    string
		last     string
	}{
		{[]string{"192.0.2.0/24"}, 254, "192.0.2.1", "192.0.2.254"},
		{[]string{"192.0.2.77/24"}, 254, "192.0.2.1", "192.0.2.254"},
		{[]string{"192.0.2.4/30"}, 2, "192.0.2.5", "192.0.2.6"},
		{[]string{"192.0.2.4/31"}, 2, "192.0.2.4", "192.0.2.5"},
		{[]string{"192.0.2.5/32"}, 1, "192.0.2.5", "192.0.2.5"},
		{[]string{"255.255.255.0/24"}, 254, "255.255.255.1", "255.255.255.254"},
		{[]string{"255.255.255.254/31"}, 2, "255.255.255.254", "255.255.255.255"},
		{[]string{"2001:db8::/120"}, 255, "2001:db8::1", "2001:db8::ff"},
		{[]string{"2001:db8::2/126"}, 3, "2001:db8::1", "2001:db8::3"},
		{[]string{"2001:db8::2/127"}, 2, "2001:db8::2", "2001:db8::3"},
		{[]string{"2001:db8::/128"}, 1, "2001:db8::", "2001:db8::"},
		{[]string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124"}, 15,
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{[]string{"192.0.2.0/30", "2001:db8::/126", "192.0.2.0/30"}, 7, "192.0.2.1", "192.0.2.2"},
		{nil, 0, "", ""},
	} {
		var prefixes []netip.Prefix
		for _, text := range c.prefixes {
			prefixes = append(prefixes, netip.MustParsePrefix(text), netip.Prefix{}) // the second is none
		}
		got := slices.Collect(ping.Prefixes(prefixes...))
		if len(got) != c.count || c.count > 0 && (got[0].String() != c.first || got[c.count-1].String() != c.last) {
			t.Errorf("%v: %d addresses: %v", c.prefixes, len(got), got)
		}
	}
	n := 0
	for range ping.Prefixes(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")) {
		if n++; n == 1<<24 {
			break
		}
	}
	if n != 1<<24 {
		t.Errorf("%d addresses", n)
	}
}

// A Sweep of prefixes asks each of their hosts once.
func TestSweepOfPrefixes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		asked := map[netip.Addr]int{}
		for addr, r := range p.Sweep(t.Context(), ping.Prefixes(netip.MustParsePrefix("198.51.100.0/25"),
			netip.MustParsePrefix("198.51.100.128/25"), netip.MustParsePrefix("2001:db8::/122"))) {
			if asked[addr]++; r.Err != nil || r.Target != addr {
				t.Errorf("%v: %v", addr, r)
			}
		}
		if len(asked) != 126+126+63 {
			t.Errorf("%d addresses", len(asked))
		}
	})
}
