package flight

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// extendedShape is that of extended echo requests, to be answered within a second.
func extendedShape(v6 bool, size int) *Shape {
	template, extension := wire.NewExtendedTemplate(v6, wire.Question{Name: "eth0"}, size)
	return &Shape{Template: template, Extension: uint8(extension), Timeout: time.Second}
}

// extendedRequest is an extended echo request as it was sent.
func extendedRequest(p *Probe) []byte {
	return wire.AppendExtendedEcho(nil, p.Shape.Template, int(p.Shape.Extension), p.Seq, p.Cookie)
}

// extendedReply is the reply to one, which came after 1 ns, with the first n bytes of what follows the header.
func extendedReply(p *Probe, code, status byte, n int) *wire.Packet {
	data := extendedRequest(p)
	data[0]++ // RFC 8335 section 3
	data[1], data[7] = code, status
	return &wire.Packet{Addr: p.Dst, Data: data[:wire.HeaderLen+n], TTL: 64, Time: time.Unix(0, 1)}
}

// Of extended echo requests as many can be in flight as there are numbers whose low byte is 0, 256, less those that
// echo requests have. A number is taken again when all the others have been.
func TestExtendedNumbers(t *testing.T) {
	for _, others := range []int{0, 5000, 30000} {
		f, in := newTableAndInbox(true)
		shape, extended := testShape(t), extendedShape(false, 56)
		seen := map[uint16]bool{}
		note := func(p *Probe) {
			if seen[p.Seq] || p.Shape == extended && p.Seq&0xff != 0 {
				t.Fatalf("with %d others: number %#x, taken %v", others, p.Seq, seen[p.Seq])
			}
			seen[p.Seq] = true
		}
		for range others {
			note(launch(f, in, shape, 0))
		}
		n := 0
		for ; f.HasNumber(extended); n++ {
			note(launch(f, in, extended, 0))
			note(launch(f, in, shape, 0))
		}
		low := 0
		for seq := range seen {
			if seq&0xff == 0 {
				low++
			}
		}
		if low != 256 || n < 256-others/256-1 || f.InFlight() != len(seen) {
			t.Errorf("with %d others: %d extended ones, %d of the numbers", others, n, low)
		}
		if !f.HasNumber(shape) {
			t.Error("no number for an echo request")
		}
	}
	f, in := newTableAndInbox(false)
	extended := extendedShape(false, 56)
	last := map[uint16]int{}
	for i := range 1000 {
		p := launch(f, in, extended, 0)
		if before, ok := last[p.Seq]; ok && i-before != 256 {
			t.Fatalf("number %#x again after %d", p.Seq, i-before)
		}
		last[p.Seq] = i
		f.Accept(extendedReply(p, 0, 0, p.Shape.Size()), Stamp{1, 1})
	}
	if f.counts.Received != 1000 || len(f.slots) != minSlots {
		t.Errorf("%+v, with %d slots", f.counts, len(f.slots))
	}
}

// An extended echo reply settles its probe with all that it brings back, with nothing, as RFC 8335 section 3 has it, or
// with so much that the secret is in it. It needs that where it comes from another address.
func TestExtendedAnswers(t *testing.T) {
	elsewhere := func(m *wire.Packet) {
		m.Addr = modelFroms[0]
		if m.Data[0] == wire.ExtendedReply6 {
			m.Addr = modelFroms[1]
		}
	}
	for _, v6 := range []bool{false, true} {
		extension := int(extendedShape(v6, 56).Extension)
		all := extension + 56
		for _, c := range []struct {
			name      string
			n         int
			change    func(*wire.Packet)
			want      Counts
			truncated bool
		}{
			{"all", all, nil, Counts{Received: 1}, false},
			{"the header alone", 0, nil, Counts{Received: 1}, true},
			{"the extension header", 4, nil, Counts{Received: 1}, true},
			{"the extension", extension, nil, Counts{Received: 1}, true},
			{"half of the secret", extension + 4, nil, Counts{Corrupted: 1}, false},
			{"the secret", extension + 8, nil, Counts{Received: 1}, true},
			{"another secret", all, func(m *wire.Packet) { m.Data[8+extension]++ }, Counts{Stray: 1}, false},
			{"another payload", all, func(m *wire.Packet) { m.Data[8+extension+30]++ }, Counts{Corrupted: 1}, false},
			{"a byte more", all, func(m *wire.Packet) { m.Data = append(m.Data, 56) }, Counts{Corrupted: 1}, false},
			{"another number", all, func(m *wire.Packet) { m.Data[6]++ }, Counts{Stray: 1}, false},
			{"an echo reply", all, func(m *wire.Packet) {
				m.Data[0], m.Data[7] = wire.EchoReply4, 0
				if v6 {
					m.Data[0] = wire.EchoReply6
				}
			}, Counts{Stray: 1}, false},
			{"the request", all, func(m *wire.Packet) { m.Data[0]-- }, Counts{Stray: 1}, false},
			{"elsewhere", 0, elsewhere, Counts{Stray: 1}, false},
		} {
			f, in, p := extendedInFlight(v6, 56)
			m := extendedReply(p, 2, 0x47, c.n)
			if c.change != nil {
				c.change(m)
			}
			f.Accept(m, Stamp{2, 2})
			if c.want.Sent = 1; f.counts != c.want {
				t.Errorf("v6 %v, %s: counted %+v, want %+v", v6, c.name, f.counts, c.want)
			}
			if c.want.Received > 0 {
				r := in.results[0]
				if r.Kind != Answered || r.Truncated != c.truncated || r.Size != 8+c.n || r.RTT != 1 ||
					(r.Extended != Extended{2, 0x47}) {
					t.Errorf("v6 %v, %s: %+v", v6, c.name, r)
				}
			}
		}
	}
}

// An ICMP error that quotes an extended echo request ends it, and one that quotes an echo request of its number does
// not.
func TestExtendedRefused(t *testing.T) {
	for n, want := range map[int]Kind{8: Refused, 12: Refused, 80: Refused, -1: Stray} {
		f, in, p := extendedInFlight(false, 56)
		m := refusalOf(p, 3, 1, 1)
		if m.Data = extendedRequest(p); n < 0 {
			m.Data[0], m.Data[7], n = wire.EchoRequest4, 0, 8
		}
		m.Data = m.Data[:n]
		f.Accept(m, Stamp{2, 2})
		if got := len(in.results) == 1 && in.results[0].Kind == Refused; got != (want == Refused) {
			t.Errorf("%x quoted: %+v, %+v", m.Data, in.results, f.counts)
		}
	}
	f, in := newTableAndInbox(false)
	p := launch(f, in, testShape(t), 0)
	m := replyTo(p, 1)
	m.Data[0] = wire.ExtendedReply4
	if f.Accept(m, Stamp{2, 2}); f.counts.Stray != 1 || len(in.results) != 0 {
		t.Errorf("an extended reply to an echo request: %+v", f.counts)
	}
}

// extendedInFlight is a table with one extended echo request in flight, sent when both clocks were at 0.
func extendedInFlight(v6 bool, size int) (*Table, *Inbox, *Probe) {
	f, in := newTableAndInbox(false)
	p := &Probe{Dst: modelAddrs[0], Shape: extendedShape(v6, size)}
	if v6 {
		p.Dst = modelAddrs[2]
	}
	f.Take(in, p)
	f.Sent(p, Stamp{}, 0)
	return f, in, p
}

// FuzzAcceptExtended: nothing settles an extended echo request but an extended reply with its number, whose payload, if
// there is one, is its own; or an error that quotes it, as far as that must be quoted or proves it.
func FuzzAcceptExtended(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		_, _, p := extendedInFlight(v6, 56)
		for _, n := range []int{0, 4, 16, 20, 28, 76} {
			f.Add(extendedReply(p, 3, 0x40, min(n, p.Shape.Size())).Data, p.Dst.AsSlice(), v6, uint8(56), false)
			f.Add(extendedRequest(p)[:8+min(n, p.Shape.Size())], p.Dst.AsSlice(), v6, uint8(56), true)
		}
	}
	f.Fuzz(func(t *testing.T, data, from []byte, v6 bool, size uint8, quoted bool) {
		table, in, p := extendedInFlight(v6, int(size))
		addr, _ := netip.AddrFromSlice(from)
		m := &wire.Packet{Addr: addr, Data: bytes.Clone(data), Time: time.Unix(0, 1)}
		request := extendedRequest(p)
		start := wire.HeaderLen + int(p.Shape.Extension)
		typ := request[0] + 1
		if quoted {
			m.Err, typ = &wire.Error{Type: 1, From: p.Dst}, request[0]
		}
		table.Accept(m, Stamp{2, 2})
		ok := len(data) >= wire.HeaderLen && data[0] == typ && data[6] == request[6]
		payload, sent := data[min(start, len(data)):], request[start:]
		proof := min(len(payload), len(sent)) >= wire.CookieLen
		if quoted {
			// As for an echo request: a router may have changed what it quotes after 8 bytes, the destination too.
			n := min(len(payload), len(sent))
			known := bytes.Equal(payload[:min(n, wire.CookieLen)], sent[:min(n, wire.CookieLen)])
			another := !known && n > wire.CookieLen && bytes.Equal(payload[wire.CookieLen:n], sent[wire.CookieLen:n])
			ok = ok && addr.IsValid() && (addr == p.Dst && !another ||
				proof && known && v6 == (addr.Is6() && !addr.Is4In6()))
		} else {
			ok = ok && (addr == p.Dst || proof && v6 && addr.Is6() && !addr.Is4In6()) && bytes.HasPrefix(sent, payload) &&
				(proof || len(payload) == 0 || len(payload) == len(sent))
		}
		if got := len(in.results) == 1; got != ok {
			t.Errorf("%x from %v, quoted %v: %+v, want settled %v", data, addr, quoted, in.results, ok)
		}
	})
}
