package icmpsock

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/wire"
)

// Each ICMP error fails a system call, and where the receive buffer has no room for it, leaves no other trace. What
// is sent meanwhile to another host leaves all the same, or is to be tried again. (Raw sockets' sends meet no pending
// error: net/ipv4/ip_output.c allocates for them by sock_wmalloc.)
func TestErrorBurst(t *testing.T) {
	refusals := make(chan []byte, 1)
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			typ, code := byte(3), byte(1) // host unreachable
			if r.Dst.Is6() {
				typ, code = 1, 3 // address unreachable
			}
			refusals <- netlab.ErrorQuoting(r.Packet, router(r.Dst), typ, code, 0).Packet
			return nil
		},
	})
	for _, c := range []struct{ refused, other string }{{far4, "127.0.0.1"}, {far6, "::1"}} {
		for name, reads := range map[string]bool{"while somebody reads": true, "while nobody reads": false} {
			t.Run(c.other+" "+name, func(t *testing.T) { testErrorBurst(t, responder, refusals, c.refused, c.other, reads) })
		}
	}
}

// testErrorBurst sends to other while refusals of what was sent to refused come.
func testErrorBurst(t *testing.T, responder *netlab.Responder, refusals <-chan []byte, refused, other string,
	reads bool) {
	s := open(t, Config{V6: netip.MustParseAddr(other).Is6()})
	var running sync.WaitGroup
	defer running.Wait()
	defer s.Close()
	if reads {
		running.Go(func() {
			for packets := room(batchSize, usualMessage); s.Wait() == nil; packets = room(batchSize, usualMessage) {
				for {
					n, _, err := s.TryReceive(packets, true)
					if n == 0 || err != nil {
						break
					}
				}
			}
		})
	} else if err := unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
		t.Fatal(err)
	}
	send(t, s, request(t, refused, 1, 56))
	refusal := <-refusals
	var done atomic.Bool
	running.Go(func() {
		for range 50_000 {
			responder.Send(refusal)
		}
		done.Store(true)
	})
	sent := 0
	for packet := request(t, other, 1, 56); !done.Load(); {
		switch n, err := s.Send([]wire.Packet{packet}); {
		case n == 1 && err == nil:
			sent++
		case !errors.Is(err, wire.ErrNoRoom): // one error after another: to be tried again later
			t.Fatal(err)
		}
	}
	if sent == 0 {
		t.Error("nothing was sent beside the errors")
	}
}
