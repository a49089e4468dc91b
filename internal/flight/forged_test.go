package flight

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

// forged is how many forged replies are offered.
var forged = flag.Int("forged", 0, "forged replies to offer in TestForged (default 1,000,000, with -long 10,000,000)")

// A forger knows all of a probe but its cookie: the target, the identifier, the sequence number, the size. It knows
// the cookies of all other probes.
type forger struct {
	*rand.Rand
	cookies []uint64
}

// cookie is a guess at the cookie of a probe, and always wrong.
func (f *forger) cookie(right uint64) uint64 {
	guess := right
	switch f.IntN(6) {
	case 0:
		guess = 0
	case 1:
		guess ^= 1 << f.IntN(64)
	case 2:
		guess += uint64(f.IntN(512)) - 256
	case 3:
		guess = f.cookies[f.IntN(len(f.cookies))]
	case 4:
		guess = guess<<8 | guess>>56
	default:
		guess = f.Uint64()
	}
	if guess == right {
		guess++
	}
	return guess
}

// source is where a forged reply to a probe says that it comes from.
func (f *forger) source(dst netip.Addr) netip.Addr {
	switch f.IntN(8) {
	case 0:
		return modelAddrs[f.IntN(len(modelAddrs))]
	case 1:
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, f.Uint32())))
	case 2:
		return netip.AddrFrom16(dst.As16()) // IPv4-mapped, if it is IPv4
	case 3:
		return netip.Addr{}
	}
	return dst
}

// No reply with a wrong cookie is accepted, whoever it says that it comes from; nor a quotation with one that is as it
// was sent otherwise.
func TestForged(t *testing.T) {
	n := *forged
	if n == 0 {
		n = skipped.AtLength(t, 1_000_000, 10_000_000)
	}
	f, in := newTableAndInbox(false)
	who := &forger{Rand: rand.New(rand.NewPCG(13, 14))}
	var shapes [2]*Shape
	for i := range shapes {
		shapes[i] = &Shape{Template: newTemplate(t, i == 1, 56), Timeout: time.Hour}
	}
	var probes []*Probe
	for i := range 1000 {
		dst := modelAddrs[i%len(modelAddrs)]
		p := &Probe{Dst: dst, Tag: int64(i), Shape: shapes[family(dst)]}
		f.Take(in, p)
		if i%10 > 0 { // the others are just being sent
			f.Sent(p, Stamp{}, 0)
		}
		probes = append(probes, p)
		who.cookies = append(who.cookies, p.Cookie)
	}
	var data []byte
	for i := range n {
		p := probes[who.IntN(len(probes))]
		data = wire.AppendEcho(data[:0], p.Shape.Template, p.Seq, p.Cookie)
		binary.BigEndian.PutUint64(data[wire.HeaderLen:], who.cookie(p.Cookie))
		m := wire.Packet{Addr: who.source(p.Dst), Data: data, TTL: 64, Time: time.Unix(0, 5)}
		switch {
		case i%8 == 0:
			m.Err = &wire.Error{Type: wire.Unreachable4, Code: 1, From: m.Addr}
		case p.Dst.Is6():
			data[0] = wire.EchoReply6
		default:
			data[0] = wire.EchoReply4
		}
		f.Accept(&m, Stamp{10, 10})
	}
	if len(in.results) != 0 || len(f.early) != 0 || f.counts != (Counts{Sent: 900, Stray: uint64(n)}) {
		t.Errorf("of %d forged: results %+v, %d early, counts %+v", n, in.results, len(f.early), f.counts)
	}
	// They have not harmed the true ones.
	for i, p := range probes {
		if i%10 == 0 {
			f.Sent(p, Stamp{}, 0)
		}
		f.Accept(replyTo(p, 5), Stamp{10, 10})
	}
	if f.counts.Received != 1000 || len(in.results) != 1000 {
		t.Errorf("%d true replies, counts %+v", len(in.results), f.counts)
	}
}

// Who sees neither the probes nor their destinations ends none by an ICMP error, whatever of the rest it knows or
// guesses: the sequence numbers, the other probes' cookies, all but one byte of the cookie.
func TestForgedQuotations(t *testing.T) {
	f, in := newTableAndInbox(false)
	who := &forger{Rand: rand.New(rand.NewPCG(17, 18)), cookies: []uint64{0}}
	var probes []*Probe
	for i := range 1000 {
		dst := modelAddrs[i%len(modelAddrs)]
		p := &Probe{
			Dst:   dst,
			Shape: &Shape{Template: newTemplate(t, dst.Is6(), modelSizes[i%len(modelSizes)]), Timeout: time.Hour},
		}
		f.Take(in, p)
		f.Sent(p, Stamp{}, 0)
		probes = append(probes, p)
		who.cookies = append(who.cookies, p.Cookie)
	}
	const n = 200_000
	for range n {
		p := probes[who.IntN(len(probes))]
		data := wire.AppendEcho(nil, p.Shape.Template, p.Seq, who.cookie(p.Cookie))
		switch who.IntN(4) {
		case 0:
			data = data[:wire.HeaderLen+who.IntN(min(p.Shape.Size(), wire.CookieLen)+1)]
		case 1:
			clear(data[wire.HeaderLen:])
		case 2:
			data = wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)
			data = data[:wire.HeaderLen+min(p.Shape.Size(), wire.CookieLen-1)]
		}
		m := wire.Packet{Addr: modelFroms[family(p.Dst)], Data: data, Time: time.Unix(0, 5)}
		m.Err = &wire.Error{Type: wire.TimeExceeded4, From: m.Addr}
		f.Accept(&m, Stamp{10, 10})
	}
	if len(in.results) != 0 || f.counts != (Counts{Sent: 1000, Stray: n}) {
		t.Errorf("%d forged: %d results, counts %+v", n, len(in.results), f.counts)
	}
}
