package ping_test

import (
	"fmt"
	"testing"

	"github.com/icmpsock/ping"
)

// What this host's own link takes is known from the first packet that is too big for it: the search has no more than
// one byte more refused.
func TestPathMTUOwnLink(t *testing.T) {
	mtus := []int{1280, 1433, 1500, 9000}
	if since, _ := kernelSince(t, 6, 1); since {
		mtus = append(mtus, 15_013) // to an older kernel it is the limit of its own
	}
	for _, mtu := range mtus {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			_, hosts := mtuPath(t, mtu)
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				for _, host := range hosts {
					p := openPinger(t, kind)
					checkMTU(t, p, map[string]int{host: mtu})
					if n := p.Counters().SendErrors; n != 2 {
						t.Errorf("%s: %d packets were refused here, want 2", host, n)
					}
					for hop, err := range p.TraceMTU(t.Context(), host) {
						if hop.MTU != mtu || err != nil {
							t.Errorf("%s: %+v, %v", host, hop, err)
						}
					}
					if n := p.Counters().SendErrors; n > 2+2 {
						t.Errorf("%s: %d packets of a TraceMTU were refused here, want 2", host, n-2)
					}
				}
			})
		})
	}
}
