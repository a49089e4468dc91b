package flight

import (
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// cut is a reply of which but n bytes of the payload came back.
func cut(m *wire.Packet, n int) *wire.Packet {
	m.Data = m.Data[:wire.HeaderLen+n]
	return m
}

// from is a message that somebody else sent.
func from(m *wire.Packet, addr netip.Addr) *wire.Packet {
	m.Addr = addr
	return m
}

// What answers a probe, and what is made of what does not.
func TestWhatAnswers(t *testing.T) {
	const whole, cut, corrupted, stray = "whole", "cut", "corrupted", "stray"
	for _, c := range []struct {
		name      string
		v6        bool
		size      int
		back      int // of the payload
		changed   int // the byte of the message that is another; 0: none
		elsewhere bool
		want      string
	}{
		{"whole", false, 56, 56, 0, false, whole},
		{"cut", false, 56, 55, 0, false, cut},
		{"cut", true, 1400, 68, 0, false, cut},
		{"cut after the cookie", false, 56, 8, 0, false, cut},
		{"cut within the cookie", false, 56, 7, 0, false, corrupted},
		{"cut, of half a cookie", true, 4, 3, 0, false, corrupted},
		{"all cut off", true, 56, 0, 0, false, corrupted},
		{"cut and changed", false, 56, 20, 27, false, corrupted},
		{"cut, with a code", false, 56, 20, 1, false, corrupted},
		{"cut, with another cookie", false, 56, 20, 8, false, stray},
		{"longer", false, 56, 57, 0, false, corrupted},

		{"from elsewhere", true, 56, 56, 0, true, whole},
		{"from elsewhere", true, 8, 8, 0, true, whole},
		{"from elsewhere, cut", true, 56, 8, 0, true, cut},
		{"from elsewhere, changed", true, 56, 56, 20, true, corrupted},
		{"from elsewhere, with another cookie", true, 56, 56, 15, true, stray},
		{"from elsewhere, with too little of a cookie", true, 7, 7, 0, true, stray},
		{"from elsewhere, cut within the cookie", true, 56, 7, 0, true, stray},
		{"from elsewhere", false, 56, 56, 0, true, stray},
		{"from elsewhere, cut", false, 56, 20, 0, true, stray},
	} {
		f, in, p := oneInFlight(t, c.v6, c.size)
		in.Anomalies = true
		m := replyTo(p, 50)
		m.Data = append(m.Data, byte(c.size))[:wire.HeaderLen+c.back]
		if c.changed > 0 {
			m.Data[c.changed]++
		}
		want := Result{TTL: m.TTL, Size: len(m.Data), Received: 50}
		if c.elsewhere {
			m.Addr = modelFroms[family(p.Dst)]
			want.From = m.Addr
		}
		switch c.want {
		case corrupted:
			want.Kind = Corrupted
		case stray:
			want.Kind = Stray
		default:
			want.RTT, want.Clock, want.Truncated = 50, Kernel, c.want == cut
		}
		f.Accept(m, Stamp{100, 100})
		if len(in.results) != 1 || in.results[0] != want {
			t.Errorf("%s, v6 %v, of %d bytes: got %+v, want %+v", c.name, c.v6, c.size, in.results, want)
		}
	}
}

// A reply from an address of the other family is none, whatever its cookie.
func TestAnswerFromOtherFamily(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		f, in, p := oneInFlight(t, v6, 56)
		m := replyTo(p, 50)
		m.Addr, m.Data[0] = modelFroms[1], wire.EchoReply6
		if v6 {
			m.Addr, m.Data[0] = modelFroms[0], wire.EchoReply4
		}
		f.Accept(m, Stamp{100, 100})
		if len(in.results) != 0 || f.counts.Stray != 1 {
			t.Errorf("v6 %v: results %+v, counts %+v", v6, in.results, f.counts)
		}
	}
}

// A truncated answer and a whole one are two to one probe, whichever comes first.
func TestTruncatedTwice(t *testing.T) {
	f, in, p := oneInFlight(t, false, 56)
	in.Anomalies = true
	f.Accept(cut(replyTo(p, 50), 20), Stamp{100, 100})
	f.Accept(replyTo(p, 60), Stamp{100, 100})
	f.Accept(cut(replyTo(p, 70), 30), Stamp{100, 100})
	for i, want := range []Result{
		{Truncated: true, Clock: Kernel, TTL: 64, Size: 28, RTT: 50, Received: 50},
		{Kind: Duplicate, Clock: Kernel, TTL: 64, Size: 64, RTT: 60, Received: 60},
		{Kind: Duplicate, Truncated: true, Clock: Kernel, TTL: 64, Size: 38, RTT: 70, Received: 70},
	} {
		if i >= len(in.results) || in.results[i] != want {
			t.Fatalf("result %d of %+v, want %+v", i, in.results, want)
		}
	}
}

// A probe that times out says who has answered it that was not asked: the last of them, though it came before the call
// that sent had returned. The next probe with that number knows nothing of it.
func TestAnsweredElsewhere(t *testing.T) {
	f, in := newTableAndInbox(false)
	shape := &Shape{Template: newTemplate(t, false, 56), Timeout: time.Second}
	early := take(f, in, shape)
	f.Accept(from(replyTo(early, 50), modelAddrs[1]), Stamp{60, 60})
	f.Sent(early, Stamp{}, 0)
	late := launch(f, in, shape, 0)
	f.Accept(from(replyTo(late, 50), modelAddrs[1]), Stamp{60, 60})
	f.Accept(from(replyTo(late, 50), modelFroms[0]), Stamp{60, 60})
	wrong := launch(f, in, shape, 0)
	m := from(replyTo(wrong, 50), modelFroms[0])
	m.Data[wire.HeaderLen]++
	f.Accept(m, Stamp{60, 60})
	f.Accept(replyTo(late, 2e9), Stamp{3e9, 3e9})
	f.Expire(3e9)
	f.next = early.Seq
	launch(f, in, shape, 3e9)
	f.Expire(5e9)
	from := []netip.Addr{modelFroms[0], modelAddrs[1], {}, {}}
	for i, want := range from {
		if i >= len(in.results) || in.results[i].Kind != TimedOut || in.results[i].From != want {
			t.Fatalf("result %d of %+v, want a timeout, answered by %v", i, in.results, want)
		}
	}
	if f.counts != (Counts{Sent: 4, Lost: 4, Late: 1, Stray: 4}) {
		t.Errorf("counts %+v", f.counts)
	}
}

// Of an ICMP error that is none of the probe's, it is told who sent it.
func TestStrayError(t *testing.T) {
	f, in, p := oneInFlight(t, false, 56)
	in.Anomalies = true
	m := refusalOf(p, wire.Unreachable4, 1, 50)
	m.Addr = modelAddrs[1]
	m.Data[wire.HeaderLen]++
	f.Accept(m, Stamp{100, 100})
	if len(in.results) != 1 || in.results[0].Kind != Stray || in.results[0].From != m.Err.From {
		t.Errorf("results %+v, want a stray from %v", in.results, m.Err.From)
	}
}

// What ends a probe of what an ICMP error quotes: its whole cookie, wherever a translated destination says that it
// went; or else its sequence number and destination, whatever follows them, unless that is plainly another probe's.
func TestWhatErrorsQuote(t *testing.T) {
	const cookie, end = wire.HeaderLen, wire.HeaderLen + wire.CookieLen
	zeroed := func(from int) func([]byte) []byte {
		return func(b []byte) []byte { clear(b[from:]); return b }
	}
	first := func(n int) func([]byte) []byte {
		return func(b []byte) []byte { return b[:n] }
	}
	for _, c := range []struct {
		name   string
		size   int
		change func([]byte) []byte // nil: none
		here   bool                // it ends the probe, with the destination quoted as it was
		nat    bool                // and with another
	}{
		{"all", 56, nil, true, true},
		{"8 bytes", 56, first(8), true, false},
		{"a part of the cookie", 56, first(15), true, false},
		{"the cookie", 56, first(16), true, true},
		{"the rest zeroed", 56, zeroed(8), true, false},
		{"zeroed after the cookie", 56, zeroed(end), true, true},
		{"zeroed within the cookie", 56, zeroed(12), true, false},
		{"a zeroed cookie and no more", 56, func(b []byte) []byte { clear(b[cookie:end]); return b[:end] }, true, false},
		{"rubbish", 56, func(b []byte) []byte {
			for i := cookie; i < len(b); i++ {
				b[i] = byte(i * 37)
			}
			return b
		}, true, false},
		{"padded", 56, func(b []byte) []byte { return append(b, make([]byte, 64)...) }, true, true},
		{"longer", 56, func(b []byte) []byte { return append(b, 56) }, true, true},
		{"no payload", 0, nil, true, false},
		{"half a cookie", 4, nil, true, false},
		{"half a cookie, zeroed", 4, zeroed(8), true, false},
		{"nothing but a cookie", 8, nil, true, true},
		{"another's cookie", 56, func(b []byte) []byte { b[cookie]++; return b }, false, false},
		{"another's cookie, padded", 56, func(b []byte) []byte { b[end-1]++; return append(b, 0, 0, 0, 0) }, false, false},
		{"another's cookie, cut", 56, func(b []byte) []byte { b[cookie]++; return b[:end+8] }, false, false},
		{"less than 8 bytes", 56, first(7), false, false},
		{"another type", 56, func(b []byte) []byte { b[0]++; return b }, false, false},
	} {
		for _, v6 := range []bool{false, true} {
			for _, nat := range []bool{false, true} {
				f, in, p := oneInFlight(t, v6, c.size)
				typ := wire.Unreachable4
				if v6 {
					typ = wire.Unreachable6
				}
				m := refusalOf(p, typ, 1, 50)
				if c.change != nil {
					m.Data = c.change(m.Data)
				}
				want := c.here
				if nat {
					m.Addr, want = modelFroms[family(p.Dst)], c.nat
				}
				f.Accept(m, Stamp{100, 100})
				got := len(in.results) == 1 && in.results[0].Kind == Refused && in.results[0].From == m.Err.From
				if got != want || f.counts.Stray == 1 == got {
					t.Errorf("%s, v6 %v, translated %v: ended %v, want %v; %+v", c.name, v6, nat, got, want, f.counts)
				}
				quoted := netip.Addr{}
				if nat && got {
					quoted = m.Addr
				}
				if m.Err.NAT != quoted.IsValid() || m.Err.Quoted != quoted {
					t.Errorf("%s, v6 %v, translated %v: NAT %v, of %v", c.name, v6, nat, m.Err.NAT, m.Err.Quoted)
				}
			}
		}
	}
}

// The cookie of a probe of one IP version is no proof in an error about a packet of the other.
func TestErrorOfOtherFamily(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		f, in, p := oneInFlight(t, v6, 56)
		m := refusalOf(p, wire.Unreachable4, 1, 50)
		m.Addr, m.Data[0] = modelFroms[1], wire.EchoRequest6
		if v6 {
			m.Addr, m.Data[0] = modelFroms[0], wire.EchoRequest4
		}
		m.Err.From = m.Addr
		f.Accept(m, Stamp{100, 100})
		if len(in.results) != 0 || f.counts.Stray != 1 {
			t.Errorf("v6 %v: results %+v, counts %+v", v6, in.results, f.counts)
		}
	}
}
