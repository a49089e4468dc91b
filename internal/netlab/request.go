//go:build linux

package netlab

import (
	"net/netip"
	"time"
)

// A Request is an ICMP echo request that reached a Responder.
type Request struct {
	Src, Dst     netip.Addr
	TTL          int
	TrafficClass int
	DontFragment bool // always true of IPv6, whose routers fragment nothing
	ID, Seq      uint16
	Payload      []byte    // what follows the eight bytes of ICMP header
	Packet       []byte    // the whole IP packet, reassembled
	Received     time.Time // the kernel's stamp, of the last fragment if there are several
	N            int       // how many requests came before it
}

// An Answer is a packet on its way back.
type Answer struct {
	After  time.Duration // how long from now, at once if not positive
	Packet []byte        // the IP packet; nil stands for none
}

// newRequest makes a Request of a packet whose bytes it may keep.
func newRequest(packet []byte, stamp time.Time, n int) *Request {
	p, _ := parse(packet)
	return &Request{
		Src:          p.Src,
		Dst:          p.Dst,
		TTL:          p.TTL,
		TrafficClass: p.TrafficClass,
		DontFragment: p.DontFragment,
		ID:           p.ID,
		Seq:          p.Seq,
		Payload:      p.Payload,
		Packet:       packet,
		Received:     stamp,
		N:            n,
	}
}

// Echo returns the answer of an honest host.
func (r *Request) Echo() Answer {
	return r.Forge(func(*Packet) {})
}

// EchoFirst returns the answer of a host that sends back no more than the first n
// bytes of the payload.
func (r *Request) EchoFirst(n int) Answer {
	return r.Forge(func(p *Packet) { p.Payload = p.Payload[:min(n, len(p.Payload))] })
}

// Forge returns an answer that is like an honest host's but for what change
// does to it. The payload is a copy, to be changed at will.
func (r *Request) Forge(change func(*Packet)) Answer {
	p, _ := parse(clone(r.Packet))
	reply := p.echoed()
	change(&reply)
	return Answer{Packet: reply.Marshal()}
}

// Altered returns the request's own packet but for what change does to it, for
// ErrorQuoting.
func (r *Request) Altered(change func(*Packet)) []byte {
	p, _ := parse(clone(r.Packet))
	change(&p)
	return p.Marshal()
}

// Later returns the answer, delayed by d from now.
func (a Answer) Later(d time.Duration) Answer {
	a.After = d
	return a
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
