package icmpsock

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// The links are those whose hosts have to be asked for: not loopback, nor one that is down,
// nor those of another namespace.
func TestReadNeighbours(t *testing.T) {
	ns, other := netlab.Self(t), netlab.New(t)
	s := open(t, Config{})
	netlab.Link(t, ns, "near0", other, "near1")
	netlab.Link(t, ns, "down0", other, "down1")
	ns.Addr(t, "down0", netip.MustParsePrefix("192.0.2.1/24"))
	ns.SetUp(t, "down0", false)
	ns.Addr(t, "near0", netip.MustParsePrefix("198.51.100.1/20"))
	ns.Addr(t, "near0", netip.MustParsePrefix("203.0.113.7/32"))
	ns.Addr(t, "near0", netip.MustParsePrefix("2001:db8:1::1/116"))
	other.Addr(t, "near1", netip.MustParsePrefix("198.51.100.2/20"))

	n := s.Neighbours()
	for _, want := range []string{"198.51.96.0/20", "2001:db8:1::/116", "fe80::/64"} {
		if !slices.Contains(n.Links, netip.MustParsePrefix(want)) {
			t.Errorf("%s is missing in %v", want, n.Links)
		}
	}
	for _, link := range n.Links {
		switch {
		case link.IsSingleIP(), link.Addr().IsLoopback(), link.Contains(netip.MustParseAddr("192.0.2.1")):
			t.Errorf("%v is no link", link)
		}
	}
	if n.Tables[0] < 1 || n.Tables[1] < 1 {
		t.Errorf("tables of %v", n.Tables)
	}
	other.Do(t, func() { // whichever namespace the thread is in
		if here := s.Neighbours(); !slices.Equal(here.Links, n.Links) {
			t.Errorf("links from another namespace: %v, want %v", here.Links, n.Links)
		}
		far := netip.MustParsePrefix("203.0.113.0/24")
		other.Addr(t, "near1", netip.MustParsePrefix("203.0.113.9/24"))
		if there := open(t, Config{V6: true}).Neighbours(); !slices.Contains(there.Links, far) {
			t.Errorf("the links over there are %v", there.Links)
		}
	})
}
