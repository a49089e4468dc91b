package ping

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/netlab"
)

// While strays with our identifier come as fast as they can be made, a hundred thousand a second and more, no probe is
// lost but those that this host may have dropped itself, and each stray is accounted for.
func TestStrayFlood(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Option) {
		var ids [2]atomic.Int32
		responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
			Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
			Quiet: true,
			Script: func(r *netlab.Request) []netlab.Answer {
				ids[family(r.Dst.Is6())].Store(int32(r.ID))
				return []netlab.Answer{r.Echo()}
			},
		})
		p := newPinger(t, kind)
		hosts, nears := [2]string{far4, far6}, [2]string{near4, near6}
		var strays [2][]byte
		for i, host := range hosts {
			if _, err := p.Ping(t.Context(), host, WithTimeout(time.Minute)); err != nil {
				t.Fatal(err)
			}
			packet := netlab.Packet{
				Src: netip.MustParseAddr(host), Dst: netip.MustParseAddr(nears[i]), TTL: 64,
				Type: [2]byte{icmpEchoReply, icmp6EchoReply}[i], ID: uint16(ids[i].Load()),
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
		await(t, "the flood has come", func() bool { return p.Counters().Stray > 1000 })
		for _, host := range hosts {
			calls.Go(func() {
				s, err := p.PingN(t.Context(), host, 100, WithInterval(5*ms), WithTimeout(20*time.Second))
				if err != nil || s.Received+s.LocalDrops != 100 || s.Sent != 100 {
					t.Errorf("%s: %v, %d dropped here, %v", host, s, s.LocalDrops, err)
				}
			})
		}
		calls.Wait()
		close(end)
		flood.Wait()
		rate := float64(sent.Load()) / time.Since(start).Seconds()
		await(t, "all has been read", func() bool {
			k := p.Counters()
			return k.Stray+k.LocalDrops+k.Received == sent.Load()+202
		})
		k := p.Counters()
		t.Logf("%.0f strays a second, %d in all; %+v", rate, sent.Load(), k)
		for _, host := range hosts {
			if _, err := p.Ping(t.Context(), host, WithTimeout(time.Minute)); err != nil {
				t.Errorf("after it: %v", err)
			}
		}
	})
}
