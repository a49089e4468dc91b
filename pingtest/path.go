package pingtest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

// pathTo lists the hosts on the way of a request to one, which is the last.
func (n *Network) pathTo(h *Host, request *ping.Message, now time.Time) []*Host {
	n.path = append(n.path[:0], h)
	for len(h.routers) > 0 && len(n.path) < pathLimit {
		router := h.routers[0]
		if ways := uint64(len(h.routers)); ways > 1 {
			router = h.routers[flowOf(request, h)%ways]
		}
		h = router
		h.advance(now)
		n.path = append(n.path, h)
	}
	slices.Reverse(n.path)
	return n.path
}

// flowOf is a number that is the same for all requests of a flow that come to where the ways to a host part, evenly
// spread over the flows.
func flowOf(request *ping.Message, parting *Host) uint64 {
	to, at := request.Addr.As16(), parting.addr.As16()
	sum := uint64(request.FlowLabel)
	if request.Addr.Is4() {
		sum = uint64(checksum(request.Data))
	}
	for _, word := range [...]uint64{
		binary.BigEndian.Uint64(to[:]), binary.BigEndian.Uint64(to[8:]),
		binary.BigEndian.Uint64(at[:]), binary.BigEndian.Uint64(at[8:]),
	} {
		sum = mix(sum ^ word)
	}
	return sum
}

// mix spreads the bits of a word, each over all (David Stafford's 13th variant of the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// checksum is that of an ICMP message without regard to the one that is in it, as far as telling flows apart goes.
func checksum(data []byte) uint16 {
	sum := uint32(0)
	for i, b := range data {
		switch {
		case i == 2 || i == 3: // the checksum itself
		case i%2 == 0:
			sum += uint32(b) << 8
		default:
			sum += uint32(b)
		}
	}
	return ^uint16(sum % 0xffff) // which adds the carries, as the one's complement does
}
