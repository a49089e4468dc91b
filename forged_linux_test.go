package ping

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// Forged replies through the kernel, from the target, from others, and before and after the true one: none is accepted,
// the true ones are, and each packet that came is accounted for, those too for which the buffer had no room.
func TestForgedOnTheWire(t *testing.T) {
	const burst = 500 // forged replies to each probe
	most := forgeries(20_000) / burst
	eachKind(t, func(t *testing.T, kind Option) {
		for _, c := range []struct {
			name    string
			buffer  int
			probes  int
			timeout time.Duration
		}{{"usual buffer", 0, most, 10 * time.Second}, {"small buffer", 4096, 8, 200 * ms}} {
			t.Run(c.name, func(t *testing.T) {
				n := c.probes
				who := &forger{Rand: rand.New(rand.NewPCG(15, 16)), cookies: []uint64{0}}
				var honest atomic.Bool
				responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
					Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
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
				p := newPinger(t, kind)
				if c.buffer > 0 {
					for i := range p.lines {
						p.lines[i].Load().conn.transport.(*socket).raw.Control(func(fd uintptr) {
							unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, c.buffer)
						})
					}
				}
				received, lost, local, overtaken := 0, 0, 0, 0
				for i := range n {
					s, err := p.PingN(t.Context(), []string{far4, far6}[i%2], 1, WithTimeout(c.timeout))
					if err != nil {
						t.Fatal(err)
					}
					received, lost, local = received+s.Received, lost+s.Lost, local+s.LocalDrops
					if _, answers := responder.Count(); answers < (i+1)*(burst+1) {
						overtaken++ // the responder had not got so far
					}
				}
				await(t, "all has been read", func() bool {
					requests, answers := responder.Count()
					k := p.Counters()
					return requests == n && k.Stray+k.Received+k.Late+k.LocalDrops == uint64(answers)
				})
				k := p.Counters()
				if received+lost != n || lost < local || lost > local+overtaken || k.Late > uint64(overtaken) || k.Stray+k.LocalDrops < uint64(n*burst) {
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
					if _, err := p.Ping(t.Context(), host, WithTimeout(time.Minute)); err != nil {
						t.Errorf("after it: %v", err)
					}
				}
			})
		}
	})
}
