package icmpsock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

// A header is what of an IPv6 header the sender chooses; 0 is the system's choice.
type header struct{ hops, class int }

func headerOf(p *wire.Packet) header { return header{p.TTL, p.TrafficClass} }

// setHeader has the socket's options say what control messages would of the first packet, where the kernel passes
// those over, and returns how many of the packets that is right for. The caller holds sending's lock.
func (s *Socket) setHeader(packets []wire.Packet) (n int, err error) {
	have, want := &s.sending.header, headerOf(&packets[0])
	if have.hops != want.hops {
		o := option{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, want.hops, "IPV6_UNICAST_HOPS"}
		if want.hops == 0 {
			o.value = -1 // ipv6(7)
		}
		if err := o.set(int(s.fd)); err != nil {
			return 0, fmt.Errorf("a hop limit: %w: %w", err, errors.ErrUnsupported)
		}
		have.hops = want.hops
	}
	if have.class != want.class {
		o := option{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, want.class, "IPV6_TCLASS"}
		if err := o.set(int(s.fd)); err != nil {
			return 0, fmt.Errorf("a traffic class: %w: %w", err, errors.ErrUnsupported)
		}
		have.class = want.class
	}
	for n = 1; n < len(packets) && headerOf(&packets[n]) == want; n++ {
	}
	return n, nil
}
