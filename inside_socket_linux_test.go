package ping

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
)

// Each ICMP error fails a system call, and where the receive buffer has no room for it, leaves no other trace. What is
// sent meanwhile to another host leaves all the same, or is to be tried again. (Raw sockets' sends meet no pending error: net/ipv4/ip_output.c
// allocates for them by sock_wmalloc.)
func TestErrorBurst(t *testing.T) {
	refusals := make(chan []byte, 1)
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix(near4 + "/24"), netip.MustParsePrefix(near6 + "/64")},
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			refusals <- unreachable(r, r.Packet).Packet
			return nil
		},
	})
	burst := func(t *testing.T, refused, other netip.Addr, read bool) {
		transport, err := openSocket(other.Is6(), socketConfig{kind: SocketDatagram})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer transport.Close()
		if read {
			wg.Go(func() {
				for data := make([]byte, 100); ; {
					if _, err := transport.Receive([]Message{{Data: data}}); err != nil {
						return
					}
				}
			})
		} else {
			transport.(*socket).raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
		}
		template, err := newTemplate(other.Is6(), 56)
		if err != nil {
			t.Fatal(err)
		}
		send := func(host netip.Addr) error {
			_, err := transport.Send([]Message{{Addr: host, Data: slices.Clone(template)}})
			return err
		}
		if err := send(refused); err != nil {
			t.Fatal(err)
		}
		refusal := <-refusals
		var done atomic.Bool
		wg.Go(func() {
			for range 50_000 {
				responder.Send(refusal)
			}
			done.Store(true)
		})
		sent := 0
		for !done.Load() {
			switch err := send(other); {
			case err == nil:
				sent++
			case !errors.Is(err, ErrNoRoom): // one error after another: to be tried again later
				t.Fatal(err)
			}
		}
		if sent == 0 {
			t.Error("nothing was sent beside the errors")
		}
	}
	for _, c := range []struct{ refused, other string }{{far4, "127.0.0.1"}, {far6, "::1"}} {
		for name, read := range map[string]bool{"while somebody reads": true, "while nobody reads": false} {
			t.Run(c.other+" "+name, func(t *testing.T) {
				burst(t, netip.MustParseAddr(c.refused), netip.MustParseAddr(c.other), read)
			})
		}
	}
}
