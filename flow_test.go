package ping_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
)

// All probes of a trace have one checksum and one flow label, another for another flow, and each a secret of its own.
func TestFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sums := map[string]bool{}
		for _, host := range []string{target, "2001:db8::99"} {
			for _, flow := range []int{0, 1, 2, 77, 65535} {
				w := &way{routers: []string{"10.0.0.1", "", "10.0.0.3"}}
				if strings.Contains(host, ":") {
					w.routers = []string{"2001:db8::1", "", "2001:db8::3"}
				}
				p := newFakePinger(t, newFake(w.answer))
				var opts []ping.ProbeOption
				if flow > 0 {
					opts = append(opts, ping.WithFlow(flow))
				}
				if n := len(lines(t, p, host, opts...)); n != 4 {
					t.Errorf("%d hops", n)
				}
				if flow > 0 {
					if _, err := p.Ping(t.Context(), host, ping.WithFlow(flow), ping.WithTTL(64)); err != nil {
						t.Error(err)
					}
					addrs := slices.Values([]netip.Addr{netip.MustParseAddr(host)})
					for _, r := range p.Sweep(t.Context(), addrs, ping.WithFlow(flow), ping.WithTTL(64)) {
						if r.Err != nil {
							t.Error(r.Err)
						}
					}
				}
				seen := map[string]bool{}
				secrets := map[string]bool{}
				for _, m := range w.sent {
					m.Data[2], m.Data[3] = 0, 0
					seen[fmt.Sprintf("%x of %d", internetChecksum(m.Data), m.FlowLabel)] = true
					secrets[string(m.Data[8:14])] = true
					if m.FlowLabel < 0 || m.FlowLabel > 0xfffff || (m.FlowLabel != 0) != (flow != 0 && m.Addr.Is6()) {
						t.Errorf("flow %d to %s has label %d", flow, host, m.FlowLabel)
					}
				}
				if len(seen) != 1 || len(secrets) != len(w.sent) {
					t.Errorf("flow %d to %s: checksums %v, %d secrets of %d probes", flow, host, seen, len(secrets), len(w.sent))
				}
				for s := range seen {
					sums[host+s] = true
				}
			}
		}
		// Without WithFlow it is the checksum, not the label, of flow 65535.
		if len(sums) != 9 {
			t.Errorf("%d flows, want 9: %v", len(sums), sums)
		}
	})
}

// Without a flow, checksums vary as they always did.
func TestNoFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{}
		p := newFakePinger(t, newFake(w.answer))
		s, err := p.PingN(t.Context(), target, 20, ping.WithTTL(64), ping.WithInterval(0))
		if err != nil || s.Received != 20 {
			t.Errorf("%v, %v", s, err)
		}
		seen := map[uint16]bool{}
		for _, m := range w.sent {
			m.Data[2], m.Data[3] = 0, 0
			seen[internetChecksum(m.Data)] = true
		}
		if len(seen) < 15 {
			t.Errorf("%d checksums", len(seen))
		}
	})
}

// internetChecksum is that of RFC 1071.
func internetChecksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
