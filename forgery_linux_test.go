package ping_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// Forged replies through the kernel, from the target, from others, and before and after the true one: none is accepted,
// the true ones are, and each packet that came is accounted for, those too for which the buffer had no room.
func TestForgedOnTheWire(t *testing.T) {
	const burst = 500 // forged replies to each probe
	most := forgeries(skipped.AtLength(t, 2000, 20_000))
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, c := range []struct {
			name    string
			buffer  int
			probes  int
			timeout time.Duration
		}{
			{"usual buffer", 0, most / burst, 10 * time.Second},
			{"small buffer", 4096, skipped.AtLength(t, 4, 8), skipped.AtLength(t, 50*ms, 200*ms)},
		} {
			t.Run(c.name, func(t *testing.T) {
				n := c.probes
				who := &guesser{Rand: rand.New(rand.NewPCG(15, 16)), cookies: []uint64{0}}
				var honest atomic.Bool
				responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
					Addrs: nearPrefixes(),
					Quiet: true,
					Script: func(r *netlab.Request) (answers []netlab.Answer) {
						if honest.Load() {
							return []netlab.Answer{r.Echo()}
						}
						right := binary.BigEndian.Uint64(r.Payload)
						for i := range burst {
							if i == burst/2 {
								answers = append(answers, r.Echo())
							}
							answers = append(answers, r.Forge(func(p *netlab.Packet) {
								binary.BigEndian.PutUint64(p.Payload, who.cookie(right))
								if i%3 == 0 {
									p.Src = p.Src.Next()
								}
							}))
						}
						who.cookies = append(who.cookies[:min(len(who.cookies), 1000)], right)
						return answers
					},
				})
				p, sockets := openPingerAlone(t, kind)
				if c.buffer > 0 {
					shrinkBuffers(t, sockets, c.buffer)
				}
				received, lost, local, overtaken := 0, 0, 0, 0
				for i := range n {
					s, err := p.PingN(t.Context(), []string{far4, far6}[i%2], 1, ping.WithTimeout(c.timeout))
					if err != nil {
						t.Fatal(err)
					}
					received, lost, local = received+s.Received, lost+s.Lost, local+s.LocalDrops
					if _, answers := responder.Count(); answers < (i+1)*(burst+1) {
						overtaken++ // the responder had not got so far
					}
				}
				eventually(t, "all has been read", func() bool {
					requests, answers := responder.Count()
					k := p.Counters()
					return requests == n && k.Stray+k.Received+k.Late+k.LocalDrops == uint64(answers)
				})
				k := p.Counters()
				if received+lost != n || lost < local || lost > local+overtaken || k.Late > uint64(overtaken) ||
					k.Stray+k.LocalDrops < uint64(n*burst) {
					t.Errorf("%d of %d probes answered, %d lost, %d of them here; %+v", received, n, lost, local, k)
				}
				if c.buffer == 0 && k.LocalDrops == 0 && k.Stray != uint64(n*burst) {
					t.Errorf("%d forged, %+v", n*burst, k)
				}
				if c.buffer > 0 && k.LocalDrops == 0 {
					t.Errorf("nothing dropped: %+v", k)
				}
				honest.Store(true)
				for _, host := range []string{far4, far6} {
					if _, err := p.Ping(t.Context(), host, ping.WithTimeout(time.Minute)); err != nil {
						t.Errorf("after it: %v", err)
					}
				}
			})
		}
	})
}

// While strays with our identifier come as fast as they can be made, a hundred thousand a second and more, no probe is
// lost but those that this host may have dropped itself, and each stray is accounted for.
func TestStrayFlood(t *testing.T) {
	timeout := skipped.AtLength(t, 3*time.Second, 20*time.Second) // for those dropped here
	pings := skipped.AtLength(t, 40, 100)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		hosts, nears := [2]string{far4, far6}, [2]string{near4, near6}
		var ids [2]atomic.Int32
		responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
			Addrs: nearPrefixes(),
			Quiet: true,
			Script: func(r *netlab.Request) []netlab.Answer {
				i := slices.Index(hosts[:], r.Dst.String())
				if i < 0 {
					return nil
				}
				ids[i].Store(int32(r.ID))
				return []netlab.Answer{r.Echo()}
			},
		})
		p := openPinger(t, kind)
		var strays [2][]byte
		for i, host := range hosts {
			if _, err := p.Ping(t.Context(), host, ping.WithTimeout(time.Minute)); err != nil {
				t.Fatal(err)
			}
			packet := netlab.Packet{
				Src: netip.MustParseAddr(host), Dst: netip.MustParseAddr(nears[i]), TTL: 64,
				Type: [2]byte{0, 129}[i] /* echo reply */, ID: uint16(ids[i].Load()),
				Payload: make([]byte, 56),
			}
			binary.BigEndian.PutUint64(packet.Payload, 0x0123456789abcdef)
			strays[i] = packet.Marshal()
		}
		end := make(chan struct{})
		var flood, calls sync.WaitGroup
		var sent atomic.Uint64
		start := time.Now()
		flood.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
					responder.Send(strays[i%2])
					sent.Add(1)
				}
			}
		})
		eventually(t, "the flood has come", func() bool { return p.Counters().Stray > 1000 })
		for _, host := range hosts {
			calls.Go(func() {
				s, err := p.PingN(t.Context(), host, pings, ping.WithInterval(5*ms), ping.WithTimeout(timeout))
				if err != nil || s.Received+s.LocalDrops != pings || s.Sent != pings {
					t.Errorf("%s: %v, %d dropped here, %v", host, s, s.LocalDrops, err)
				}
			})
		}
		// However much comes, timeouts and contexts hold.
		for _, silent := range [2]string{"198.51.100.3", "2001:db8:1::3"} {
			calls.Go(func() {
				if _, err := p.Ping(t.Context(), silent, ping.WithTimeout(20*ms)); !errors.Is(err, ping.ErrTimeout) {
					t.Errorf("%s, for 20 ms: %v", silent, err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*ms)
				defer cancel()
				_, err := p.Ping(ctx, silent, ping.WithTimeout(time.Hour))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s, with a context of 20 ms: %v", silent, err)
				}
			})
		}
		calls.Wait()
		close(end)
		flood.Wait()
		rate := float64(sent.Load()) / time.Since(start).Seconds()
		eventually(t, "all has been read", func() bool {
			k := p.Counters()
			return k.Stray+k.LocalDrops+k.Received == sent.Load()+uint64(2*pings+2)
		})
		k := p.Counters()
		t.Logf("%.0f strays a second, %d in all; %+v", rate, sent.Load(), k)
		for _, host := range hosts {
			if _, err := p.Ping(t.Context(), host, ping.WithTimeout(time.Minute)); err != nil {
				t.Errorf("after it: %v", err)
			}
		}
	})
}
