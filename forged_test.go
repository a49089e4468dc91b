package ping

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// forged is how many forged replies are offered.
var forged = flag.Int("forged", 0, "forged replies to offer in TestForged and TestForgedOnTheWire (default 10,000,000 and 20,000)")

func forgeries(usually int) int {
	switch {
	case *forged > 0:
		return *forged
	case testing.Short():
		return usually / 100
	}
	return usually
}

// A forger knows all of a probe but its cookie: the target, the identifier, the sequence number, the size. It knows the
// cookies of all other probes.
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

// No reply with a wrong cookie is accepted, whoever it says that it comes from; nor a quotation with one.
func TestForged(t *testing.T) {
	f := newTestFlight()
	in := newInbox()
	f.register(in)
	who := &forger{Rand: rand.New(rand.NewPCG(13, 14))}
	var requests []request
	templates := [2][]byte{}
	for i := range templates {
		templates[i], _ = newTemplate(i == 1, 56)
	}
	for i := range 1000 {
		addr := modelAddrs[i%len(modelAddrs)]
		r := request{dst: addr, template: templates[family(addr.Is6())], timeout: time.Hour, tag: int64(i)}
		f.take(in, &r)
		if i%10 > 0 { // the others are just being sent
			f.sent(r.seq, stamp{}, 0)
		}
		requests = append(requests, r)
		who.cookies = append(who.cookies, r.cookie)
	}
	n := forgeries(10_000_000)
	var data []byte
	for i := range n {
		r := &requests[who.IntN(len(requests))]
		data = appendEcho(data[:0], r.template, r.seq, r.cookie)
		binary.BigEndian.PutUint64(data[headerLen:], who.cookie(r.cookie))
		from := r.dst
		switch who.IntN(8) {
		case 0:
			from = modelAddrs[who.IntN(len(modelAddrs))]
		case 1:
			from = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, who.Uint32())))
		case 2:
			from = netip.AddrFrom16(r.dst.As16()) // IPv4-mapped, if it is IPv4
		case 3:
			from = netip.Addr{}
		}
		m := Message{Addr: from, Data: data, TTL: 64, Time: time.Unix(0, 5)}
		if i%8 == 0 {
			m.Err = &ICMPError{Type: icmpUnreachable, Code: 1, From: from}
		} else {
			data[0] = icmpEchoReply
			if r.dst.Is6() {
				data[0] = icmp6EchoReply
			}
		}
		f.accept(&m, stamp{10, 10})
	}
	if len(in.outcomes) != 0 || len(f.early) != 0 || f.counts != (Counters{Sent: 900, Stray: uint64(n)}) {
		t.Errorf("of %d forged: outcomes %+v, %d early, counts %+v", n, in.outcomes, len(f.early), f.counts)
	}
	// They have not harmed the true ones.
	for i := range requests {
		r := &requests[i]
		if i%10 == 0 {
			f.sent(r.seq, stamp{}, 0)
		}
		m := echoed(Message{Addr: r.dst, Data: appendEcho(nil, r.template, r.seq, r.cookie)})
		m.Time = time.Unix(0, 5)
		f.accept(&m, stamp{10, 10})
	}
	if f.counts.Received != 1000 || len(in.outcomes) != 1000 {
		t.Errorf("%d true replies, counts %+v", len(in.outcomes), f.counts)
	}
}
