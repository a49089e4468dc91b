//go:build linux

package netlab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is a host of each family beyond a responder, and a router on the way.
type world struct{ host, other, router netip.Addr }

var worlds = []world{
	{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("10.0.0.254")},
	{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("fd00::fe")},
}

func newTestResponder(t testing.TB, cfg ResponderConfig) *Responder {
	cfg.Addrs = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")}
	cfg.Routes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	return NewResponder(t, Self(t), cfg)
}

// eachFamily runs test with a responder and a pinger for each family.
func eachFamily(t *testing.T, test func(t *testing.T, w world, r *Responder, p *pinger)) {
	for _, w := range worlds {
		t.Run(w.host.String(), func(t *testing.T) {
			test(t, w, newTestResponder(t, ResponderConfig{}), newPinger(t, w.host))
		})
	}
}

func (p *pinger) mustSend(dst netip.Addr, seq uint16, payload string) {
	p.t.Helper()
	err := p.send(dst, seq, []byte(payload))
	if err != nil {
		// An ICMP error that receiveError has read fails one send if it became pending only then: it is queued a moment
		// before (net/ipv4/ping.c, ping_err).
		err = p.send(dst, seq, []byte(payload))
	}
	if err != nil {
		p.t.Fatal("sendto:", err)
	}
}

func (p *pinger) want(from netip.Addr, seq uint16, payload string) {
	p.t.Helper()
	got := p.receive()
	if got.from != from || got.seq != seq || string(got.payload) != payload {
		p.t.Errorf("reply %d %q from %v, want %d %q from %v", got.seq, got.payload, got.from, seq, payload, from)
	}
}

func TestEcho(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		p.setTTL(17)
		before := time.Now()
		for seq := range uint16(3) {
			p.mustSend(w.host, seq, "hello")
			p.want(w.host, seq, "hello")
		}
		after := time.Now()
		p.mustSend(w.router, 3, "")
		p.want(w.router, 3, "")

		records := r.Records()
		if len(records) != 4 {
			t.Fatalf("%d records, want 4", len(records))
		}
		for i, rec := range records[:3] {
			if rec.N != i || rec.Seq != uint16(i) || rec.Dst != w.host || rec.TTL != 17 || string(rec.Payload) != "hello" {
				t.Errorf("record %d: %+v", i, rec.Request)
			}
			if len(rec.Sent) != 1 || rec.Received.Before(before) || rec.Sent[0].Before(rec.Received) ||
				rec.Sent[0].After(after) {
				t.Errorf("record %d: received %v, sent %v; the test ran from %v to %v", i, rec.Received, rec.Sent, before, after)
			}
		}
		if requests, answers := r.Count(); requests != 4 || answers != 4 {
			t.Errorf("%d requests and %d answers, want 4", requests, answers)
		}
		r.Reset()
		if requests, answers := r.Count(); len(r.Records()) != 0 || requests != 0 || answers != 0 {
			t.Error("records after Reset")
		}
	})
}

// A host that sends back no more than the beginning sends a packet that is right for that.
func TestEchoFirst(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		r.SetScript(func(q *Request) []Answer { return []Answer{q.EchoFirst(3)} })
		p.mustSend(w.host, 0, "hello")
		p.want(w.host, 0, "hel")
		p.mustSend(w.host, 1, "hi")
		p.want(w.host, 1, "hi")
	})
}

func TestRequestHeader(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		if p.is4 {
			p.set(unix.IPPROTO_IP, unix.IP_TOS, 0xb8)
			p.set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		} else {
			p.set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0xb8)
		}
		p.mustSend(w.host, 0, "")
		p.want(w.host, 0, "")
		if p.is4 {
			p.set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		}
		p.mustSend(w.host, 1, "")
		p.want(w.host, 1, "")
		for i, rec := range r.Records() {
			if rec.TrafficClass != 0xb8 || rec.DontFragment != (i == 0 || !p.is4) {
				t.Errorf("request %d: traffic class %#x, don't fragment %t", i, rec.TrafficClass, rec.DontFragment)
			}
		}
	})
}

func TestResponderLeavesNothing(t *testing.T) {
	openFiles := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	t.Run("responder", func(t *testing.T) {
		r := newTestResponder(t, ResponderConfig{Script: func(q *Request) []Answer {
			return []Answer{q.Echo(), q.Echo().Later(time.Hour)}
		}})
		p := newPinger(t, worlds[0].host)
		p.mustSend(worlds[0].host, 1, "")
		p.want(worlds[0].host, 1, "")
		if got := r.Records()[0].Sent; !got[1].IsZero() {
			t.Errorf("delayed answer sent at %v", got[1])
		}
	})
	if got := openFiles(); got != files {
		t.Errorf("%d open files, %d before", got, files)
	}
	// A goroutine that is past its last word may take a moment to be gone. One
	// that stays makes this test run out of time.
	for runtime.NumGoroutine() > goroutines {
		runtime.Gosched()
	}
}

func TestQuiet(t *testing.T) {
	const n = 3*batchSize + 1
	r := newTestResponder(t, ResponderConfig{Quiet: true})
	for _, w := range worlds {
		p := newPinger(t, w.host)
		for seq := range uint16(n) {
			p.mustSend(w.host, seq, "hello")
		}
		for seq := range uint16(n) {
			p.want(w.host, seq, "hello")
		}
	}
	if requests, answers := r.Count(); requests != 2*n || answers != 2*n || len(r.Records()) != 0 {
		t.Errorf("%d requests and %d answers, %d records; want %d, %d and none",
			requests, answers, len(r.Records()), 2*n, 2*n)
	}
}

func TestDelay(t *testing.T) {
	const delay = 5 * time.Millisecond
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		r.SetScript(func(q *Request) []Answer {
			switch q.Seq {
			case 0:
				return []Answer{q.Echo().Later(4 * delay)}
			case 1:
				return []Answer{q.Echo().Later(delay), {}, q.Echo().Later(delay)}
			}
			return []Answer{q.Echo()}
		})
		for seq := range uint16(3) {
			p.mustSend(w.host, seq, "")
		}
		for _, seq := range []uint16{2, 1, 1, 0} {
			p.want(w.host, seq, "")
		}
		records := r.Records()
		for i, want := range []time.Duration{4 * delay, delay, 0} {
			rec := records[i]
			if got := rec.Sent[0].Sub(rec.Received); got < want {
				t.Errorf("answer %d sent %v after its request, want at least %v", i, got, want)
			}
		}
		if sent := records[1].Sent; len(sent) != 3 || !sent[1].IsZero() || sent[2].Before(sent[0]) {
			t.Errorf("sent at %v, want two in order and a zero between", sent)
		}
	})
}

func TestLossAndDuplicates(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		r.SetScript(func(q *Request) []Answer {
			if q.N%2 == 0 {
				return nil
			}
			return []Answer{q.Echo(), q.Echo()}
		})
		for seq := range uint16(4) {
			p.mustSend(w.host, seq, "")
		}
		for _, seq := range []uint16{1, 1, 3, 3} {
			p.want(w.host, seq, "")
		}
	})
}

func TestForge(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		changes := []func(*Packet){
			func(r *Packet) { r.Src = w.other },
			func(r *Packet) { r.Payload[0] ^= 0xff },
			func(r *Packet) { r.Payload = r.Payload[:1] },
			func(r *Packet) { r.Payload = append(r.Payload, '+') },
			func(r *Packet) { r.Seq = 77 },
			func(r *Packet) { r.ID ^= 1 },            // for another socket
			func(r *Packet) { r.BadChecksum = true }, // refused by the kernel
			func(*Packet) {},
		}
		r.SetScript(func(q *Request) (answers []Answer) {
			for _, change := range changes {
				answers = append(answers, q.Forge(change))
			}
			return answers
		})
		p.mustSend(w.host, 1, "abc")
		p.want(w.other, 1, "abc")
		p.want(w.host, 1, "\x9ebc")
		p.want(w.host, 1, "a")
		p.want(w.host, 1, "abc+")
		p.want(w.host, 77, "abc")
		p.want(w.host, 1, "abc")
		if got := r.Records()[0].Payload; string(got) != "abc" {
			t.Errorf("recorded payload %q, want %q", got, "abc")
		}

		r.SetScript(func(q *Request) []Answer {
			return []Answer{q.Forge(func(r *Packet) { r.Code = 5 })}
		})
		p.mustSend(w.host, 2, "")
		if got := p.receive(); got.code != 5 {
			t.Errorf("code %d, want 5", got.code)
		}
	})
}

func TestErrors(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		typ, mtu := byte(2), uint32(1300)
		if w.host.Is4() {
			typ = 3
		}
		code := byte(4)
		if !w.host.Is4() {
			code = 0
		}
		long := string(bytes.Repeat([]byte("x"), 1400))
		limit := 576 - 28 - 28 // headers of the error and of what it quotes
		if !w.host.Is4() {
			limit = 1280 - 48 - 48
		}
		for _, tt := range []struct {
			quote int
			want  string
		}{
			{8, ""},
			{8 + 3, "xxx"},
			{-1, long[:limit]},
		} {
			r.SetScript(func(q *Request) []Answer {
				return []Answer{q.Error(w.router, typ, code, mtu, tt.quote)}
			})
			p.mustSend(w.host, 1, long)
			got := p.receiveError()
			if got.offender != w.router || got.from != w.host || got.typ != typ || got.code != code ||
				got.info != mtu || got.seq != 1 {
				t.Errorf("quote %d: got %+v", tt.quote, got)
			}
			if string(got.payload) != tt.want {
				t.Errorf("quote %d: %d bytes of payload, want %d", tt.quote, len(got.payload), len(tt.want))
			}
		}
	})
}

func TestErrorQuotingAltered(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		typ := byte(3) // time exceeded
		if w.host.Is4() {
			typ = 11
		}
		r.SetScript(func(q *Request) []Answer {
			altered := q.Altered(func(p *Packet) {
				p.Dst = w.other
				p.Payload[0] = 'X'
			})
			return []Answer{
				ErrorQuoting(altered, w.router, typ, 0, 0),
				q.ErrorMPLS(w.router, typ, 0, MPLSLabel{Label: 16001, TTL: 1}, MPLSLabel{Label: 24000, TrafficClass: 5, TTL: 2}),
			}
		})
		p.mustSend(w.host, 1, "abc")
		if got := p.receiveError(); got.from != w.other || string(got.payload) != "Xbc" {
			t.Errorf("quoted destination %v and payload %q, want %v and %q", got.from, got.payload, w.other, "Xbc")
		}
		got := p.receiveError()
		if got.from != w.host || !bytes.HasPrefix(got.payload, []byte("abc\x00")) {
			t.Errorf("quoted destination %v and payload %q, want %v and %q", got.from, got.payload, w.host, "abc")
		}
		labels := []byte{0x20, 0, 0, 0, 0, 12, 1, 1, 0x03, 0xe8, 0x10, 1, 0x05, 0xdc, 0x0b, 2}
		tail := got.payload[len(got.payload)-len(labels):]
		if fold(sum(0, tail)) != 0xffff {
			t.Errorf("extension % x with a wrong checksum", tail)
		}
		tail[2], tail[3] = 0, 0
		if !bytes.Equal(tail, labels) {
			t.Errorf("extension % x, want % x", tail, labels)
		}
	})
}

func TestFragments(t *testing.T) {
	for _, mtu := range []int{1280, 1500, 9000, 65535} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			r := newTestResponder(t, ResponderConfig{MTU: mtu})
			for _, w := range worlds {
				size := 65527
				if w.host.Is4() {
					size = 65507
				}
				payload := string(bytes.Repeat([]byte("0123456789"), 6553)[:size])
				p := newPinger(t, w.host)
				// The default buffer is small for a reply in many pieces.
				p.set(unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
				p.mustSend(w.host, 1, payload)
				if got := p.receive(); string(got.payload) != payload {
					t.Errorf("reply of %d bytes from %v, want %d the same", len(got.payload), w.host, size)
				}
			}
			for _, rec := range r.Records() {
				if rec.Sent[0].IsZero() || rec.Sent[0].Before(rec.Received) {
					t.Errorf("received %v, sent %v", rec.Received, rec.Sent)
				}
			}
		})
	}
}

func TestSend(t *testing.T) {
	eachFamily(t, func(t *testing.T, w world, r *Responder, p *pinger) {
		p.mustSend(w.host, 1, "")
		p.want(w.host, 1, "")
		late := r.Records()[0].Request
		r.Send(late.Forge(func(p *Packet) { p.Seq = 9 }).Packet)
		p.want(w.host, 9, "")
	})
}

func BenchmarkResponder(b *testing.B) {
	for _, quiet := range []bool{true, false} {
		b.Run(fmt.Sprintf("quiet=%t", quiet), func(b *testing.B) {
			newTestResponder(b, ResponderConfig{Quiet: quiet})
			const window = 64
			p := newPinger(b, worlds[0].host)
			payload := make([]byte, 56)
			b.ReportAllocs()
			sent := 0
			for received := 0; received < b.N; received++ {
				for ; sent < b.N && sent < received+window; sent++ {
					if err := p.send(worlds[0].host, uint16(sent), payload); err != nil {
						b.Fatal(err)
					}
				}
				p.receive()
			}
		})
	}
}
