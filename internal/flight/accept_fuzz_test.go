package flight

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// No bytes from the network make the table panic, or settle a probe that they do not answer: replies and the
// quotations in ICMP errors, of both families, for payloads with room for a cookie, for a part of one, and for none.
func FuzzAccept(f *testing.F) {
	type seed struct {
		addr   netip.Addr
		size   int
		quoted bool
	}
	for _, s := range []seed{
		{modelAddrs[0], 56, false}, {modelAddrs[0], 56, true}, {modelAddrs[2], 56, false}, {modelAddrs[2], 56, true},
		{modelAddrs[0], 0, false}, {modelAddrs[2], 4, true}, {modelAddrs[0], 300, false},
		{modelFroms[0], 56, false}, {modelFroms[1], 56, false}, {modelFroms[1], 4, false}, {modelFroms[1], 56, true},
	} {
		_, _, p := oneInFlight(f, s.addr.Is6(), s.size)
		m := wire.Packet{Addr: s.addr, Data: wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)}
		if !s.quoted {
			m = echoed(m)
		}
		for _, n := range []int{0, 1, 7, 8, 12, 15, 16, 17, 63, len(m.Data)} {
			data := m.Data[:min(n, len(m.Data))]
			f.Add(data, s.quoted, s.addr.AsSlice(), int64(5), s.addr.Is6(), uint16(s.size), uint8(3), uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, quoted bool, from []byte, at int64, v6 bool, size uint16, typ, code uint8) {
		table, in, p := oneInFlight(t, v6, int(size)%2000)
		addr, _ := netip.AddrFromSlice(from)
		m := &wire.Packet{Addr: addr, Data: bytes.Clone(data), Time: time.Unix(0, at)}
		if quoted {
			m.Err = &wire.Error{Type: int(typ), Code: int(code), From: p.Dst}
		}
		table.Accept(m, Stamp{at + 1, at + 1})

		// What the link has looked at already is as it should be.
		request := wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)
		if len(data) >= wire.HeaderLen {
			copy(request[2:6], data[2:6])
		}
		reply := echoed(wire.Packet{Addr: p.Dst, Data: request}).Data
		const cookieEnd = wire.HeaderLen + wire.CookieLen
		whole := min(len(data), len(request)) >= cookieEnd
		// ours is whether data begins as sent does, up to the end of the cookie, the code apart.
		ours := func(sent []byte) bool {
			n := min(len(data), len(sent), cookieEnd)
			return n >= wire.HeaderLen && data[0] == sent[0] && bytes.Equal(data[2:n], sent[2:n])
		}
		// Over IPv6 another may answer who has the whole cookie.
		asked := addr == p.Dst
		may := asked || whole && v6 && addr.Is6() && !addr.Is4In6()
		truncated := whole && len(data) < len(reply)
		// A router may have changed what it quotes after 8 bytes, the destination too. What it has not changed tells of
		// another probe that it is another.
		n := min(len(data), len(request))
		another := n > cookieEnd && !ours(request) && bytes.Equal(data[cookieEnd:n], request[cookieEnd:n])
		ended := n >= wire.HeaderLen && data[0] == request[0] && bytes.Equal(data[6:8], request[6:8]) &&
			(asked && !another || whole && ours(request) && addr.IsValid() && addr.Is6() == v6 && !addr.Is4In6())
		inTime := at >= 0 && at <= int64(time.Second) // else it may be too late, by the clocks
		want := Counts{Sent: 1}
		switch {
		case quoted && m.Err.From.Is4() && (typ == 4 || typ == 5): // RFC 792, pages 10 and 12
			want.Advice = 1
		case quoted && ended:
			want.Lost, want.Errors = 1, 1
			if !inTime {
				want = table.counts
			}
		case !quoted && may && (bytes.Equal(data, reply) || truncated && bytes.HasPrefix(reply, data)):
			want.Received = 1
			if !inTime {
				want = table.counts
			} else if r := in.results[0]; r.Truncated != truncated || r.Size != len(data) || r.From.IsValid() == asked {
				t.Errorf("%x from %v: %+v", data, addr, r)
			}
		case !quoted && may && ours(reply):
			want.Corrupted = 1
		default:
			want.Stray = 1
		}
		if table.counts != want || len(in.results) > 1 {
			t.Errorf("%x from %v: counted %+v, want %+v; results %+v", data, addr, table.counts, want, in.results)
		}
	})
}

// oneInFlight is a table with one probe in flight, sent when both clocks were at 0.
func oneInFlight(t testing.TB, v6 bool, size int) (*Table, *Inbox, *Probe) {
	f, in := newTableAndInbox(false)
	dst := modelAddrs[0]
	if v6 {
		dst = modelAddrs[2]
	}
	p := &Probe{Dst: dst, Shape: &Shape{Template: newTemplate(t, v6, size), Timeout: time.Second}}
	f.Take(in, p)
	f.Sent(p, Stamp{}, 0)
	return f, in, p
}
