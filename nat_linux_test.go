package ping_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// behind is the address that a NAT in the tests translates far hosts to.
func behind(dst netip.Addr) netip.Addr {
	if dst.Is6() {
		return netip.MustParseAddr("2001:db8:5::5")
	}
	return netip.MustParseAddr("10.0.0.5")
}

// otherIdentifier is a request as a NAT has it that gave it another identifier, and has put that right in the
// quotation, but not the checksum.
func otherIdentifier(r *netlab.Request) []byte {
	packet := r.Altered(func(p *netlab.Packet) { p.ID += 4711 })
	binary.BigEndian.PutUint16(packet[len(packet)-len(r.Payload)-4:], r.ID)
	return packet
}

// That a device before a router translates addresses or the identifier shows in what the router quotes, unless that was
// put right on the way back. What routers change in passing is no NAT, nor is a quotation that is too short to tell.
func TestNAT(t *testing.T) {
	quotations := []func(r *netlab.Request) []byte{
		func(r *netlab.Request) []byte { return r.Packet },
		func(r *netlab.Request) []byte {
			return r.Altered(func(p *netlab.Packet) { p.TTL, p.TrafficClass, p.DontFragment = 7, 8, !p.DontFragment })
		},
		func(r *netlab.Request) []byte { return r.Altered(func(p *netlab.Packet) { p.Dst = behind(r.Dst) }) },
		otherIdentifier,
		func(r *netlab.Request) []byte { // to the end of the cookie
			packet := otherIdentifier(r)
			return packet[:len(packet)-len(r.Payload)+8]
		},
		func(r *netlab.Request) []byte { // 8 bytes
			packet := otherIdentifier(r)
			return packet[:len(packet)-len(r.Payload)]
		},
		func(r *netlab.Request) []byte { // without a checksum
			packet := otherIdentifier(r)
			binary.BigEndian.PutUint16(packet[len(packet)-len(r.Payload)-6:], 0)
			return packet
		},
	}
	want := map[string]string{
		beyond4: "no, no, for 10.0.0.5, yes, yes, no, no, ",
		beyond6: "no, no, for 2001:db8:5::5, no, no, no, no, ", // whose checksum is of addresses too
	}
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > len(quotations) {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{netlab.ErrorQuoting(quotations[r.TTL-1](r), router(r.Dst), typeExceeded(r), 0, 0)}
	})
	word := func(nat bool, quoted netip.Addr) string {
		switch {
		case quoted.IsValid() && nat:
			return "for " + quoted.String() + ", "
		case nat:
			return "yes, "
		}
		return "no, "
	}
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for host, want := range want {
			for _, size := range []int{8, 9, 56, 1001, 1400} {
				got := ""
				for h, err := range p.Trace(t.Context(), host, ping.WithSize(size), ping.WithCount(1)) {
					if err != nil {
						t.Fatal(err)
					}
					var e *ping.ICMPError
					if !errors.As(h.Replies[0].Err, &e) {
						break
					}
					text := h.String()
					if hint := strings.Contains(text, " (NAT"); hint != e.NAT ||
						e.Quoted.IsValid() && !strings.Contains(text, fmt.Sprintf("%v (NAT: for %v)  ", e.From, e.Quoted)) {
						t.Errorf("%s, %d bytes: %s, but NAT %v, %v", host, size, text, e.NAT, e.Quoted)
					}
					got += word(e.NAT, e.Quoted)
				}
				if got != want {
					t.Errorf("%s, %d bytes: got %s, want %s", host, size, got, want)
				}
			}
			got := ""
			for h, err := range p.TraceMTU(t.Context(), host) {
				if err != nil {
					t.Fatal(err)
				}
				if h.Distance > 0 && !h.Reached {
					got += word(h.NAT, h.Quoted)
				}
			}
			if got != want {
				t.Errorf("TraceMTU to %s: got %s, want %s", host, got, want)
			}
		}
	})
}

// Linux as a NAT puts right what is quoted, but those behind it have the address that was asked.
func TestNATOfLinux(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		skipped.Test(t, "no nft")
	}
	self := netlab.Self(t)
	chain := netlab.NewChain(t, self, 3)
	for i, ns := range []*netlab.Namespace{self, chain.Routers[0]} {
		ns.Route(t, netip.MustParsePrefix("203.0.113.0/24"), chain.Addrs4[i], "")
	}
	chain.Routers[1].Do(t, func() {
		cmd := exec.Command(nft, fmt.Sprintf("add table ip nat; "+
			"add chain ip nat in { type nat hook prerouting priority -100; }; "+
			"add rule ip nat in ip daddr 203.0.113.9 dnat to %v", chain.Addrs4[3]))
		if text, err := cmd.CombinedOutput(); err != nil {
			skipped.Test(t, fmt.Sprintf("nft: %v: %s", err, text))
		}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		var got []string
		for h, err := range openPinger(t, kind).Trace(t.Context(), "203.0.113.9", ping.WithCount(1)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, regexp.MustCompile(`  [0-9.]+ ms`).ReplaceAllString(h.String(), ""))
		}
		want := []string{" 1  10.77.0.2", " 2  203.0.113.9 (NAT)", " 3  203.0.113.9 (NAT)", " 4  203.0.113.9"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
