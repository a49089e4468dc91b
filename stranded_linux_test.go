package ping_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// A packet that has a route, and that the packet filter turns away from it with an error that an ICMP error could
// leave too, is told so at once, and at a small price.
func TestStranded(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		narrowLink(t)
		p := openPinger(t, kind, ping.WithTimeout(time.Minute))
		netlab.Self(t).Strand(t, netip.MustParsePrefix("198.51.100.0/24"))
		const each = 50
		spent := processorTime(t)
		for range each {
			_, err := p.Ping(t.Context(), "198.51.100.2")
			if !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) || errors.Is(err, ping.ErrNoRoom) {
				t.Fatal(err)
			}
		}
		if spent = processorTime(t) - spent; spent > each*refusedSendTime {
			t.Errorf("%d Pings took %v of processor time", each, spent)
		}
		if _, err := p.Ping(t.Context(), "127.0.0.1"); err != nil {
			t.Error(err)
		}
	})
}
