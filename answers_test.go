package ping_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What a Pinger makes of each thing that the network can do to a probe.
func TestAnswers(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.9")
	type counts struct{ received, lost, errors, late, duplicates, reordered, corrupted, stray int }
	twist := func(change func(*ping.Message)) func(int, ping.Message) []delayed {
		return func(_ int, m ping.Message) []delayed {
			m = echoed(m)
			change(&m)
			return []delayed{{5 * ms, m}}
		}
	}
	for _, c := range []struct {
		name   string
		size   int
		n      int
		answer func(n int, m ping.Message) []delayed
		want   counts
	}{
		{"echo", 56, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, no payload", 0, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, half a cookie", 4, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, largest", 65507, 2, echoAfter(20 * ms), counts{received: 2}},
		{"silence", 56, 3, nil, counts{lost: 3}},
		{"in the nick of time", 56, 1, echoAfter(200*ms - 1), counts{received: 1}},
		{"after the timeout", 56, 2, echoAfter(230 * ms), counts{lost: 2, late: 1}}, // the last too late to be seen
		{"three times", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{{5 * ms, echoed(m)}, {6 * ms, echoed(m)}, {7 * ms, echoed(m)}}
		}, counts{received: 2, duplicates: 2}},
		{"late and twice", 56, 3, func(n int, m ping.Message) []delayed {
			if n == 0 {
				return []delayed{{210 * ms, echoed(m)}, {220 * ms, echoed(m)}}
			}
			return []delayed{{150 * ms, echoed(m)}}
		}, counts{received: 2, lost: 1, late: 1, duplicates: 1}},
		{"first after second", 56, 3, func(n int, m ping.Message) []delayed {
			if n == 0 {
				return []delayed{{130 * ms, echoed(m)}}
			}
			return []delayed{{5 * ms, echoed(m)}}
		}, counts{received: 3, reordered: 1}},
		{"other source", 56, 2, twist(func(m *ping.Message) { m.Addr = other }), counts{lost: 2, stray: 2}},
		{"other cookie", 56, 2, twist(func(m *ping.Message) { m.Data[8] ^= 1 }), counts{lost: 2, stray: 2}},
		{"other payload", 56, 2, twist(func(m *ping.Message) { m.Data[40] ^= 1 }), counts{lost: 2, corrupted: 2}},
		{"other code", 56, 2, twist(func(m *ping.Message) { m.Data[1] = 5 }), counts{lost: 2, corrupted: 2}},
		{"cut short", 56, 2, twist(func(m *ping.Message) { m.Data = m.Data[:40] }), counts{received: 2}},
		{"cut in the cookie", 56, 2, twist(func(m *ping.Message) { m.Data = m.Data[:15] }), counts{lost: 2, corrupted: 2}},
		{"cut short and changed", 56, 2, twist(func(m *ping.Message) {
			m.Data = m.Data[:40]
			m.Data[39] ^= 1
		}), counts{lost: 2, corrupted: 2}},
		{"cut short, then whole", 56, 2, func(_ int, m ping.Message) []delayed {
			cut := echoed(m)
			cut.Data = cut.Data[:40]
			return []delayed{{5 * ms, cut}, {6 * ms, echoed(m)}}
		}, counts{received: 2, duplicates: 1}}, // that of the last comes too late to be seen
		{"longer", 56, 2, twist(func(m *ping.Message) { m.Data = append(m.Data, 64) }), counts{lost: 2, corrupted: 2}},
		{"other sequence number", 56, 2, twist(func(m *ping.Message) { m.Data[6] ^= 0x80 }), counts{lost: 2}},
		{"the request itself", 56, 2, func(_ int, m ping.Message) []delayed { return []delayed{{ms, m}} }, counts{lost: 2}},
		{"corrupted, then true", 56, 2, func(_ int, m ping.Message) []delayed {
			bad := echoed(m)
			bad.Data[50] ^= 0xff
			return []delayed{{5 * ms, bad}, {6 * ms, echoed(m)}}
		}, counts{received: 2, corrupted: 2}},
		{"no message at all", 56, 2, func(int, ping.Message) []delayed {
			return []delayed{{ms, ping.Message{}}, {ms, ping.Message{Addr: other}}, {ms, ping.Message{Data: make([]byte, 64)}}}
		}, counts{lost: 2}},
		{"refused", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, errors: 2}},
		{"refused, 8 bytes quoted", 56, 2, func(_ int, m ping.Message) []delayed {
			m.Data = m.Data[:8]
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 11, 0)}}
		}, counts{lost: 2, errors: 2}},
		{"refused, then answered", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}, {6 * ms, echoed(m)}}
		}, counts{lost: 2, errors: 2, late: 1}},
		{"answered, then refused", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{{5 * ms, echoed(m)}, {6 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{received: 2}},
		{"given up, then refused", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{{210 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2}},
		{"refusal of another destination", 56, 2, func(_ int, m ping.Message) []delayed {
			m.Addr = other // as a translator of addresses leaves it: the cookie tells
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, errors: 2}},
		{"refusal of another destination, of 8 bytes", 56, 2, func(_ int, m ping.Message) []delayed {
			m.Addr, m.Data = other, m.Data[:8]
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, stray: 2}},
		{"refusal of another cookie", 56, 2, func(_ int, m ping.Message) []delayed {
			m.Data[8+7]++
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, stray: 2}},
		{"redirected, then answered", 56, 2, func(_ int, m ping.Message) []delayed {
			return []delayed{
				{ms, refusal(m, "192.0.2.254", redirect4, 1)},
				{2 * ms, refusal(m, "192.0.2.254", sourceQuench4, 0)},
				{5 * ms, echoed(m)},
			}
		}, counts{received: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(c.answer))
				s, err := p.PingN(t.Context(), target, c.n,
					ping.WithTimeout(200*ms), ping.WithInterval(100*ms), ping.WithSize(c.size))
				if err != nil {
					t.Fatal(err)
				}
				// What a duplicate of the last probe is counted as, only the next call would see.
				got := counts{s.Received, s.Lost, s.Errors, s.Late, s.Duplicates, s.Reordered, s.Corrupted, s.Stray}
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if s.Sent != c.n || s.Received+s.Lost != s.Sent || len(s.Replies) != c.n {
					t.Errorf("%d sent, %d received, %d lost, %d replies, want %d", s.Sent, s.Received, s.Lost, len(s.Replies), c.n)
				}
				for i, r := range s.Replies {
					if r.Seq != i || (r.Err == nil) != (r.From == s.Target) {
						t.Errorf("reply %d is %+v", i, r)
					}
				}
			})
		})
	}
}

func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		start := time.Now()
		for _, host := range []string{target, "2001:db8::1"} {
			r, err := p.Ping(t.Context(), host, ping.WithSize(100))
			want := ping.Reply{
				Target: netip.MustParseAddr(host), From: netip.MustParseAddr(host), RTT: 20 * ms, TTL: 64, Size: 108,
				Sent: r.Sent, Received: r.Received, Clock: ping.ClockKernel,
			}
			if err != nil || r != want || r.Received.Sub(r.Sent) != r.RTT || r.Sent.Before(start) {
				t.Errorf("got %+v, %v, want %+v", r, err, want)
			}
		}
	})
}

func TestICMPErrorOfPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			return []delayed{{7 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}))
		start := time.Now()
		r, err := p.Ping(t.Context(), target)
		var icmpError *ping.ICMPError
		if !errors.As(err, &icmpError) || icmpError.Type != 3 || icmpError.Code != 1 {
			t.Fatalf("error is %v", err)
		}
		if time.Since(start) != 7*ms || r.RTT != 7*ms || r.From != netip.MustParseAddr("192.0.2.254") || r.TTL != 63 {
			t.Errorf("after %v: %+v", time.Since(start), r)
		}
		if want := "ping 192.0.2.1: destination host unreachable, from 192.0.2.254"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}
