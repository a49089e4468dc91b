package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// The hosts of a network where some answer, routers and hosts refuse the requests to others by ICMP, and this host's
// own routes refuse the rest.
var refusing = []struct {
	network string
	healthy string
	beyond  string // the hosts that are answered about by ICMP: expired with a TTL of 1, else closed
	router  netip.Addr
	expired [2]byte // type and code
	closed  [2]byte
	nowhere string // the hosts to which this host's routes do not go
}{
	{
		"ip4", "198.51.100.2", "203.0.113.%d", netip.MustParseAddr("198.51.100.254"),
		[2]byte{11, 0}, [2]byte{3, 3}, "192.0.2.%d",
	},
	{
		"ip6", "2001:db8:1::2", "2001:db8:2::%d", netip.MustParseAddr("2001:db8:1::fe"),
		[2]byte{3, 0}, [2]byte{1, 4}, "2001:db8:3::%d",
	},
}

// A request that this host's routes refuse is told so at once, with the reason of its own route, while ICMP errors
// about other targets come to the same socket, each of which fails some system call. Those are told to their probes,
// and what has a way is sent.
func TestRefusedByRouteBesideErrors(t *testing.T) {
	const copies = 4 // of each ICMP error
	routes := []struct {
		kind int // 0: none
		want error
	}{
		{0, syscall.ENETUNREACH},
		{unix.RTN_UNREACHABLE, syscall.EHOSTUNREACH},
		{unix.RTN_PROHIBIT, syscall.EACCES},
		{unix.RTN_BLACKHOLE, syscall.EINVAL},
	}
	for _, c := range refusing {
		t.Run(c.network, func(t *testing.T) {
			netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
				Addrs:  nearPrefixes(),
				Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
				Quiet:  true,
				Script: func(r *netlab.Request) []netlab.Answer {
					switch {
					case r.Dst == netip.MustParseAddr(c.healthy):
						return []netlab.Answer{r.Echo()}
					case r.TTL == 1:
						return slices.Repeat([]netlab.Answer{r.Error(c.router, c.expired[0], c.expired[1], 0, -1)}, copies)
					default:
						return slices.Repeat([]netlab.Answer{r.Error(r.Dst, c.closed[0], c.closed[1], 0, -1)}, copies)
					}
				},
			})
			nowhere := func(i int) string { return fmt.Sprintf(c.nowhere, 1+i) }
			for i, r := range routes {
				if r.kind != 0 {
					addr := netip.MustParseAddr(nowhere(i))
					netlab.Self(t).RouteType(t, netip.PrefixFrom(addr, addr.BitLen()), r.kind)
				}
			}
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				const rounds = 50
				p := openPinger(t, kind, ping.WithTimeout(time.Minute))
				ctx, cancel := context.WithCancel(t.Context())
				var flood, calls sync.WaitGroup
				defer flood.Wait()
				defer cancel()
				for i := range 6 {
					flood.Go(func() { beErrors(ctx, t, p, fmt.Sprintf(c.beyond, 10+i), i%2 == 0, c.expired, c.closed) })
				}
				eventually(t, "ICMP errors have come", func() bool { return p.Counters().Errors > 100 })
				for i, r := range routes {
					calls.Go(func() {
						for range rounds {
							_, err := p.Ping(t.Context(), nowhere(i))
							var told *ping.ICMPError
							if !errors.Is(err, r.want) || errors.As(err, &told) {
								t.Errorf("%s: %v, want %v", nowhere(i), err, r.want)
								return
							}
						}
					})
				}
				calls.Go(func() {
					s, err := p.PingN(t.Context(), c.healthy, rounds, ping.WithInterval(time.Millisecond))
					if err != nil || s.Received != rounds {
						t.Errorf("the healthy: %v, %v, %d could not be sent", s, err, s.SendErrors)
					}
				})
				before, spent := p.Counters(), processorTime(t)
				calls.Wait()
				after := p.Counters()
				spent = processorTime(t) - spent
				t.Logf("beside %d ICMP errors, %v of processor time", after.Errors-before.Errors, spent)
				if n := after.SendErrors; n != uint64(rounds*len(routes)) {
					t.Errorf("%d could not be sent, want %d", n, rounds*len(routes))
				}
			})
		})
	}
}

// beErrors pings a host whose every answer is an ICMP error until ctx ends.
func beErrors(ctx context.Context, t *testing.T, p *ping.Pinger, host string, expire bool, expired, closed [2]byte) {
	opts, want := []ping.ProbeOption{ping.WithInterval(0)}, closed
	if expire {
		opts, want = append(opts, ping.WithTTL(1)), expired
	}
	for r, err := range p.Stream(ctx, host, opts...) {
		if err != nil {
			return // ctx has ended
		}
		var told *ping.ICMPError
		if !errors.As(r.Err, &told) || told.Type != int(want[0]) || told.Code != int(want[1]) {
			t.Errorf("%s: %v, want the ICMP error %v", host, r.Err, want)
			return
		}
	}
}
