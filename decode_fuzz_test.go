package ping

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
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
	} {
		_, _, r := oneInFlight(f, s.addr.Is6(), s.size)
		m := Message{Addr: s.addr, Data: appendEcho(nil, r.template, r.seq, r.cookie)}
		if !s.quoted {
			m = echoed(m)
		}
		for _, n := range []int{0, 1, 7, 8, 12, 15, 16, 63, len(m.Data)} {
			f.Add(m.Data[:min(n, len(m.Data))], s.quoted, s.addr.AsSlice(), int64(5), s.addr.Is6(), uint16(s.size), uint8(3), uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, quoted bool, from []byte, at int64, v6 bool, size uint16, typ, code uint8) {
		table, in, r := oneInFlight(t, v6, int(size)%2000)
		addr, _ := netip.AddrFromSlice(from)
		m := &Message{Addr: addr, Data: bytes.Clone(data), Time: time.Unix(0, at)}
		if quoted {
			m.Err = &ICMPError{Type: int(typ), Code: int(code), From: r.dst}
		}
		table.accept(m, stamp{at + 1, at + 1})

		// What the kernel, or the transport, has looked at already is as it should be.
		request := appendEcho(nil, r.template, r.seq, r.cookie)
		if len(data) >= headerLen {
			copy(request[2:6], data[2:6])
		}
		reply := echoed(Message{Addr: r.dst, Data: request}).Data
		// ours is whether data begins as sent does, up to the end of the cookie, the code apart.
		ours := func(sent []byte) bool {
			n := min(len(data), len(sent), headerLen+cookieLen)
			return addr == r.dst && n >= headerLen && data[0] == sent[0] && bytes.Equal(data[2:n], sent[2:n])
		}
		want := Counters{Sent: 1}
		switch {
		case quoted && m.Err.isAdvice():
			want.Advice = 1
		case quoted && ours(request):
			want.Lost, want.Errors = 1, 1
			if at < 0 || at > int64(time.Second) {
				want = table.counts // by the clocks it may be too late
			}
		case !quoted && addr == r.dst && bytes.Equal(data, reply):
			want.Received = 1
			if at < 0 || at > int64(time.Second) {
				want = table.counts
			}
		case !quoted && ours(reply):
			want.Corrupted = 1
		default:
			want.Stray = 1
		}
		if table.counts != want || len(in.outcomes) > 1 {
			t.Errorf("%x from %v: counted %+v, want %+v; outcomes %+v", data, addr, table.counts, want, in.outcomes)
		}
	})
}

// isAdvice is advice that is told apart here by the documents: RFC 792, pages 10 and 12.
func (e *ICMPError) isAdvice() bool { return e != nil && e.From.Is4() && (e.Type == 4 || e.Type == 5) }

// oneInFlight is a table with one probe in flight, sent when both clocks were at 0.
func oneInFlight(t testing.TB, v6 bool, size int) (*flight, *inbox, *request) {
	table := newTestFlight()
	in := newInbox()
	table.register(in)
	template, err := newTemplate(v6, size)
	if err != nil {
		t.Fatal(err)
	}
	r := &request{dst: modelAddrs[2*family(v6)], template: template, timeout: time.Second}
	table.take(in, r)
	table.sent(r.seq, stamp{}, 0)
	return table, in, r
}

// FuzzCutQuote: what an ICMP error quotes is cut where the IP header in it says, or refused.
func FuzzCutQuote(f *testing.F) {
	four := append([]byte{0x45, 0, 0, 84, 0, 1, 0, 0, 64, 1, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1}, testTemplate...)
	options := append(append([]byte{0x46}, four[1:20]...), append([]byte{1, 1, 1, 1}, testTemplate...)...)
	six := append(append([]byte{0x60, 0, 0, 0, 0, 64, 58, 64}, make([]byte, 32)...), testTemplate...)
	udp, short := bytes.Clone(four), append([]byte{0x44}, four[1:]...)
	udp[9] = 17
	for _, quote := range [][]byte{four, udp, short, four[:28], four[:27], options, six, six[:48], six[:47], {0x4f}, {0x40, 21: 0}, nil} {
		f.Add(quote, false)
		f.Add(quote, true)
	}
	f.Fuzz(func(t *testing.T, quote []byte, v6 bool) {
		to, message, ok := cutQuote(quote, v6)
		if !ok {
			if v6 && len(quote) >= 48 && quote[0]>>4 == 6 && quote[6] == 58 {
				t.Errorf("%x refused", quote)
			}
			if h, err := ipv4.ParseHeader(quote); !v6 && err == nil && h.Version == 4 && h.Len >= 20 && h.Protocol == 1 && len(quote) >= h.Len+headerLen {
				t.Errorf("%x refused", quote)
			}
			return
		}
		header := len(quote) - len(message)
		switch {
		case len(message) < headerLen || !bytes.Equal(message, quote[header:]):
			t.Errorf("%x: the message is %x", quote, message)
		case v6:
			if header != 40 || quote[6] != 58 || to != netip.AddrFrom16([16]byte(quote[24:40])) {
				t.Errorf("%x: cut at %d, to %v", quote, header, to)
			}
		default:
			if header != int(quote[0]&15)*4 || header < 20 || quote[9] != 1 || to.As4() != [4]byte(quote[16:20]) {
				t.Errorf("%x: cut at %d, to %v", quote, header, to)
			}
		}
	})
}

// FuzzEcho: what is taken for an intact echo is what was sent, byte by byte.
func FuzzEcho(f *testing.F) {
	f.Add([]byte(nil), uint64(0), uint16(0))
	f.Add(appendEcho(nil, testTemplate, 1, 0x0123456789abcdef), uint64(0x0123456789abcdef), uint16(56))
	f.Add(appendEcho(nil, testTemplate, 1, 0x0123456789abcdef)[:12], uint64(0x0123456789abcdef), uint16(4))
	f.Fuzz(func(t *testing.T, data []byte, cookie uint64, size uint16) {
		e, ok := parseEcho(data)
		if ok != (len(data) >= headerLen) {
			t.Errorf("%x is an echo message: %v", data, ok)
		}
		if !ok {
			return
		}
		want := make([]byte, int(size))
		for i := range want {
			want[i] = byte(i)
		}
		copy(want, binary.BigEndian.AppendUint64(nil, cookie))
		n := min(len(want), len(e.payload), cookieLen)
		if got := e.hasCookie(cookie, int(size)); got != bytes.Equal(e.payload[:n], want[:n]) {
			t.Errorf("%x has the cookie %x: %v", data, cookie, got)
		}
		if got := e.hasCookie(cookie, int(size)) && e.intact(int(size)); got != (data[1] == 0 && bytes.Equal(data[headerLen:], want)) {
			t.Errorf("%x is intact: %v", data, got)
		}
	})
}
