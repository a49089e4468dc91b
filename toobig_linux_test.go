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

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// The far end of a link of MTU 1,500, and what payload is one byte too large for it.
var narrow = []struct {
	network string
	host    func(i int) string
	tooBig  int
}{
	{"ip4", func(i int) string { return fmt.Sprintf("198.51.100.%d", 2+i) }, 1500 - 20 - 8 + 1},
	{"ip6", func(i int) string { return fmt.Sprintf("2001:db8:1::%x", 2+i) }, 1500 - 40 - 8 + 1},
}

func narrowLink(t *testing.T) *netlab.Responder {
	return netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		MTU:   1500,
		Addrs: nearPrefixes(),
		Quiet: true,
	})
}

// A packet that is larger than its device takes in one piece is refused at once, costs no more than one that leaves,
// and leaves nothing in the way of others.
func TestTooBigForDevice(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, c := range narrow {
			t.Run(c.network, func(t *testing.T) {
				const probes = 20
				responder := narrowLink(t)
				p := openPinger(t, kind, ping.WithDontFragment(true), ping.WithTimeout(10*time.Second))
				spent := processorTime(t)
				for range probes {
					r, err := p.Ping(t.Context(), c.host(0), ping.WithSize(c.tooBig))
					if !errors.Is(err, syscall.EMSGSIZE) || r.RTT != 0 {
						t.Errorf("%+v, %v, want %v", r, err, syscall.EMSGSIZE)
					}
				}
				if spent = processorTime(t) - spent; spent > probes*refusedSendTime {
					t.Errorf("%v of processor time for %d packets that are too big", spent, probes)
				}
				if _, err := p.Ping(t.Context(), c.host(0), ping.WithSize(c.tooBig-1)); err != nil {
					t.Errorf("one that fits: %v", err)
				}
				n := p.Counters()
				if n.SendErrors != probes || n.Sent != 1 || n.LocalDrops != 0 || n.Stray != 0 || n.LateErrors != 0 {
					t.Errorf("counters are %+v", n)
				}
				if n, _ := responder.Count(); n != 1 {
					t.Errorf("%d requests came, want the one that fits", n)
				}
			})
		}
	})
}

// A hundred searches at once over one link, whose first packets are too big for it, cost little, and what one is
// refused is no error of another.
func TestPathMTUsOverOneLink(t *testing.T) {
	const (
		searches = 100
		most     = 5 * time.Second // of processor time
	)
	for _, c := range narrow {
		t.Run(c.network, func(t *testing.T) {
			narrowLink(t)
			others := icmpSockets(t)
			p := openPinger(t)
			// A search needs milliseconds. Two minutes of processor time are not waited for.
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			spent := processorTime(t)
			wrong := make(chan string, searches)
			var calls sync.WaitGroup
			for i := range searches {
				calls.Go(func() {
					if got, err := p.PathMTU(ctx, c.host(i)); got != 1500 || err != nil {
						wrong <- fmt.Sprintf("%s: got %d, %v, want 1500", c.host(i), got, err)
					}
				})
			}
			calls.Wait()
			if n := len(wrong); n > 0 {
				t.Errorf("%d of %d are wrong, the first: %s", n, searches, <-wrong)
			}
			if spent = processorTime(t) - spent; spent > most {
				t.Errorf("%v of processor time, want %v at most", spent, most)
			}
			opts := []ping.ProbeOption{ping.WithDontFragment(true), ping.WithTimeout(10 * time.Second)}
			if _, err := p.Ping(t.Context(), c.host(0), opts...); err != nil {
				t.Errorf("after it: %v", err)
			}
			if n := p.Counters(); n.LocalDrops != 0 || n.InFlight != 0 {
				t.Errorf("counters are %+v", n)
			}
			if held, dropped := bufferState(t, icmpSockets(t, others...)); dropped != 0 || held > 1<<16 {
				t.Errorf("the sockets have dropped %d messages, and hold %d bytes still", dropped, held)
			}
		})
	}
}

// A Stream loses nothing beside callers whose packets are too big for the device, though what the kernel says of each
// of those takes room in the same receive buffer. It is as large as most systems allow (net.core.rmem_max is 212,992).
func TestTooBigBesideStream(t *testing.T) {
	const callers = 4
	echoes := skipped.AtLength(t, 100, 300)
	for _, c := range narrow {
		t.Run(c.network, func(t *testing.T) {
			narrowLink(t)
			others := icmpSockets(t)
			p := openPinger(t, ping.WithDontFragment(true), ping.WithTimeout(10*time.Second))
			if _, err := p.Ping(t.Context(), c.host(0)); err != nil {
				t.Fatal(err)
			}
			own := icmpSockets(t, others...)
			shrinkBuffers(t, own, 212_992)
			ctx, cancel := context.WithCancel(t.Context())
			var beside sync.WaitGroup
			defer beside.Wait()
			defer cancel()
			for i := range callers {
				beside.Go(func() {
					for ctx.Err() == nil {
						_, err := p.Ping(ctx, c.host(1+i), ping.WithSize(c.tooBig))
						if !errors.Is(err, syscall.EMSGSIZE) && ctx.Err() == nil {
							t.Errorf("too big: %v", err)
							return
						}
					}
				})
			}
			var s ping.Statistics
			for r, err := range p.Stream(t.Context(), c.host(0), ping.WithInterval(time.Millisecond)) {
				if err != nil {
					t.Fatal(err)
				}
				if s.Add(r); s.Sent == echoes {
					break
				}
			}
			cancel()
			beside.Wait()
			_, dropped := bufferState(t, own)
			if n := p.Counters(); s.Received != echoes || s.LocalDrops != 0 || n.LocalDrops != 0 || dropped != 0 {
				t.Errorf("%d of %d came, and %d messages were dropped here, %d by the Counters: %v",
					s.Received, echoes, dropped, n.LocalDrops, &s)
			}
		})
	}
}

// The errno of a packet that is too big for the device is also that of a router's ICMP error. While such errors about
// other targets come to the same socket, those that are refused here are told so, and what fits leaves.
func TestTooBigHereAndOnTheWay(t *testing.T) {
	const (
		echoes = 200
		copies = 4 // of each ICMP error
	)
	for _, c := range []struct {
		network, host, beyond string
		router                netip.Addr
		typ, code             byte
		tooBig                int
	}{
		{"ip4", narrow[0].host(0), "203.0.113.%d", netip.MustParseAddr("198.51.100.254"), 3, 4, narrow[0].tooBig},
		{"ip6", narrow[1].host(0), "2001:db8:2::%d", netip.MustParseAddr("2001:db8:1::fe"), 2, 0, narrow[1].tooBig},
	} {
		t.Run(c.network, func(t *testing.T) {
			netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
				MTU:    1500,
				Addrs:  nearPrefixes(),
				Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:2::/64")},
				Quiet:  true,
				Script: func(r *netlab.Request) []netlab.Answer {
					if r.Dst == netip.MustParseAddr(c.host) {
						return []netlab.Answer{r.Echo()}
					}
					return slices.Repeat([]netlab.Answer{r.Error(c.router, c.typ, c.code, 1400, -1)}, copies)
				},
			})
			p := openPinger(t, ping.WithDontFragment(true), ping.WithTimeout(time.Minute))
			ctx, cancel := context.WithCancel(t.Context())
			var others sync.WaitGroup
			defer others.Wait()
			defer cancel()
			for i := range 4 {
				others.Go(func() {
					host := fmt.Sprintf(c.beyond, 10+i)
					beErrors(ctx, t, p, host, false, [2]byte{}, [2]byte{c.typ, c.code})
				})
			}
			eventually(t, "ICMP errors have come", func() bool { return p.Counters().Errors > 100 })
			var calls sync.WaitGroup
			calls.Go(func() {
				for range echoes {
					_, err := p.Ping(t.Context(), c.host, ping.WithSize(c.tooBig))
					var told *ping.ICMPError
					if !errors.Is(err, syscall.EMSGSIZE) || errors.As(err, &told) && told.From == c.router {
						t.Errorf("too big: %v, want %v", err, syscall.EMSGSIZE)
						return
					}
				}
			})
			calls.Go(func() {
				s, err := p.PingN(t.Context(), c.host, echoes, ping.WithInterval(time.Millisecond))
				if err != nil || s.Received != echoes {
					t.Errorf("what fits: %v, %v", s, err)
				}
			})
			calls.Wait()
			if n := p.Counters(); n.SendErrors != echoes || n.LocalDrops != 0 {
				t.Errorf("counters are %+v", n)
			}
		})
	}
}
