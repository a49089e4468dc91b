package ping

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A way is a network of one path for a fake: the routers on it, "" for a silent one, 10 ms of RTT apart, and the target
// beyond them. With change, an answer is another than theirs.
type way struct {
	routers []string
	change  func(m Message, usual []delayed) []delayed

	mu   sync.Mutex
	sent []Message
}

func (w *way) answer(_ int, m Message) []delayed {
	w.mu.Lock()
	w.sent = append(w.sent, m)
	w.mu.Unlock()
	var usual []delayed
	switch distance := min(m.TTL, len(w.routers)+1); {
	case distance > len(w.routers):
		usual = []delayed{{time.Duration(distance) * 10 * ms, echoed(m)}}
	case w.routers[distance-1] != "":
		usual = []delayed{{time.Duration(distance) * 10 * ms, exceeded(m, w.routers[distance-1])}}
	}
	if w.change != nil {
		return w.change(m, usual)
	}
	return usual
}

// exceeded is the time exceeded of a router.
func exceeded(m Message, from string) Message {
	typ := icmpTimeExceeded
	if m.Addr.Is6() {
		typ = icmp6TimeExceeded
	}
	return refusal(m, from, typ, 0)
}

// probes is how many were sent to each distance.
func (w *way) probes() (list []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.sent {
		for len(list) < m.TTL {
			list = append(list, 0)
		}
		list[m.TTL-1]++
	}
	return list
}

// sketch is a hop in few words: the distance, and for each probe who answered, * for nobody, and how.
func sketch(h Hop) string {
	words := []string{fmt.Sprint(h.Distance)}
	for i, r := range h.Replies {
		word := "*"
		if r.From.IsValid() {
			word = r.From.String()
		}
		var refused *ICMPError
		errors.As(r.Err, &refused)
		word += strings.TrimSpace(refused.mark())
		if r.Err == nil {
			word += "."
		}
		if r.Seq != i {
			word += fmt.Sprintf(" (Seq %d)", r.Seq)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// lines sketches all hops of a trace that is to end without an error.
func lines(t testing.TB, p *Pinger, host string, opts ...ProbeOption) (list []string) {
	t.Helper()
	for h, err := range p.Trace(t.Context(), host, opts...) {
		if err != nil {
			t.Errorf("trace to %s: %v", host, err)
			return list
		}
		list = append(list, sketch(h))
	}
	return list
}

func repeat(distance int, word string) string {
	return fmt.Sprint(distance) + strings.Repeat(" "+word, 3)
}

// What a Trace makes of each thing that may be on the way.
func TestTrace(t *testing.T) {
	const a, b, c = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	three := []string{a, b, c}
	found := func(last ...string) []string {
		return append([]string{repeat(1, a), repeat(2, b), repeat(3, c)}, last...)
	}
	arrived := repeat(4, target+".")
	at := func(distance int, f func(m Message, usual []delayed) []delayed) func(Message, []delayed) []delayed {
		return func(m Message, usual []delayed) []delayed {
			if m.TTL == distance {
				return f(m, usual)
			}
			return usual
		}
	}
	beyond := func(distance, typ, code int) func(Message, []delayed) []delayed {
		return func(m Message, usual []delayed) []delayed {
			if m.TTL >= distance {
				return []delayed{{30 * ms, refusal(m, three[2], typ, code)}}
			}
			return usual
		}
	}
	for _, test := range []struct {
		name    string
		routers []string
		change  func(m Message, usual []delayed) []delayed
		want    []string
		probes  []int // to the distances up to the last, 3 each if nil
	}{
		{"no router", nil, nil, []string{repeat(1, target+".")}, nil},
		{"three routers", three, nil, found(arrived), nil},
		{"a silent router", []string{a, "", c}, nil, []string{repeat(1, a), "2 * * *", repeat(3, c), arrived}, []int{3, 4, 3, 3}},
		{"all routers silent", []string{"", "", ""}, nil, []string{"1 * * *", "2 * * *", "3 * * *", arrived}, []int{4, 4, 4, 3}},
		{"many silent routers", slices.Concat(three, make([]string, 15)), nil, func() []string {
			list := found()
			for d := 4; d <= 18; d++ {
				list = append(list, fmt.Sprintf("%d * * *", d))
			}
			return append(list, repeat(19, target+"."))
		}(), nil},
		{"the target at every distance", three, func(m Message, _ []delayed) []delayed {
			return []delayed{{10 * ms, echoed(m)}}
		}, []string{repeat(1, target+".")}, nil},
		{"an unreachable at the third hop", three, beyond(3, 3, 1), []string{repeat(1, a), repeat(2, b), repeat(3, c+"!H")}, nil},
		{"prohibited beyond the third hop", three, beyond(4, 3, 13), found(repeat(4, c+"!X")), nil},
		{"a parameter problem", three, beyond(2, 12, 0), []string{repeat(1, a), repeat(2, c+"!<12-0>")}, nil},
		{"not reassembled", three, beyond(2, 11, 1), []string{repeat(1, a), repeat(2, c+"!<11-1>")}, nil},
		{"a loop", nil, func(m Message, _ []delayed) []delayed {
			return []delayed{{10 * ms, exceeded(m, three[m.TTL%2])}}
		}, []string{repeat(1, b), repeat(2, a), repeat(3, b), repeat(4, a), repeat(5, b), repeat(6, a)}, nil},
		{"two answers each", three, func(_ Message, usual []delayed) []delayed {
			return append(usual, usual...)
		}, found(arrived), nil},
		{"an answer, and an echo too", three, at(2, func(m Message, usual []delayed) []delayed {
			return append(usual, delayed{60 * ms, echoed(m)})
		}), found(arrived), nil},
		{"a late router", three, at(2, func(m Message, usual []delayed) []delayed {
			usual[0].after = 1001 * ms
			return usual
		}), []string{repeat(1, a), "2 * * *", repeat(3, c), arrived}, []int{3, 4, 3, 3}},
		{"a slow router", three, at(2, func(m Message, usual []delayed) []delayed {
			usual[0].after = 990 * ms
			return usual
		}), found(arrived), nil},
		{"8 bytes quoted", three, func(m Message, usual []delayed) []delayed {
			if m.TTL < 4 {
				usual[0].Data = usual[0].Data[:8]
			}
			return usual
		}, found(arrived), nil},
		{"another destination quoted", three, at(2, func(m Message, usual []delayed) []delayed {
			usual[0].Addr = netip.MustParseAddr("192.0.2.77")
			return usual
		}), []string{repeat(1, a), "2 * * *", repeat(3, c), arrived}, []int{3, 4, 3, 3}},
		{"another cookie quoted", three, at(2, func(m Message, usual []delayed) []delayed {
			usual[0].Data = bytes.Clone(usual[0].Data)
			usual[0].Data[10]++
			return usual
		}), []string{repeat(1, a), "2 * * *", repeat(3, c), arrived}, []int{3, 4, 3, 3}},
		{"an echo from elsewhere", three, at(4, func(m Message, usual []delayed) []delayed {
			usual[0].Addr = netip.MustParseAddr("192.0.2.77")
			return usual
		}), found("4 * * *", "5 192.0.2.1. 192.0.2.1. 192.0.2.1."), nil},
		{"advice", three, func(m Message, usual []delayed) []delayed {
			return append([]delayed{{ms, refusal(m, a, icmpRedirect, 1)}, {ms, refusal(m, a, icmpSourceQuench, 0)}}, usual...)
		}, found(arrived), nil},
		{"the nearer answers come later", three, func(m Message, usual []delayed) []delayed {
			usual[0].after = 100*ms - time.Duration(m.TTL)*10*ms
			return usual
		}, found(arrived), nil},
		{"routers in turn", three, func() func(Message, []delayed) []delayed {
			n := 0
			return at(2, func(m Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return []delayed{{20 * ms, exceeded(m, "10.0.0.22")}}
				}
				return usual
			})
		}(), []string{repeat(1, a), "2 10.0.0.2 10.0.0.22 10.0.0.2", repeat(3, c), arrived}, nil},
		{"one probe lost on the way", three, func() func(Message, []delayed) []delayed {
			n := 0
			return at(3, func(m Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return nil
				}
				return usual
			})
		}(), found(arrived), []int{3, 3, 4, 3}},
		{"one probe lost at the target", three, func() func(Message, []delayed) []delayed {
			n := 0
			return at(4, func(m Message, usual []delayed) []delayed {
				if n++; n == 2 {
					return nil
				}
				return usual
			})
		}(), found("4 192.0.2.1. * 192.0.2.1."), []int{3, 3, 3, 3}},
		{"two unreachables lost", three, func() func(Message, []delayed) []delayed {
			n := 0
			return func(m Message, usual []delayed) []delayed {
				if m.TTL < 4 {
					return usual
				}
				if m.TTL > 4 {
					return nil
				}
				if n++; n == 2 || n == 3 {
					return nil
				}
				return []delayed{{30 * ms, refusal(m, c, 3, 10)}}
			}
		}(), found(repeat(4, c+"!X")), []int{3, 3, 3, 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &way{routers: test.routers, change: test.change}
				p := newFakePinger(t, newFake(w.answer))
				opts := []ProbeOption{}
				if test.name == "a loop" {
					opts = append(opts, WithMaxHops(6))
				}
				if got := lines(t, p, target, opts...); !slices.Equal(got, test.want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
				}
				if probes := w.probes(); test.probes != nil && !slices.Equal(probes[:len(test.probes)], test.probes) {
					t.Errorf("sent %v, want %v", probes, test.probes)
				}
				if c := p.Counters(); c.InFlight != 0 {
					t.Errorf("counters %+v", c)
				}
			})
		})
	}
}

// The hops of an IPv6 path, and each field of a Reply.
func TestTraceReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const host = "2001:db8::99"
		w := &way{routers: []string{"2001:db8::1"}}
		p := newFakePinger(t, newFake(w.answer))
		start := time.Now()
		var hops []Hop
		for h, err := range p.Trace(t.Context(), host) {
			if err != nil {
				t.Fatal(err)
			}
			hops = append(hops, h)
		}
		if len(hops) != 2 {
			t.Fatalf("hops are %v", hops)
		}
		router, end := hops[0].Replies[1], hops[1].Replies[2]
		sent, back := start.Add(10*ms), start.Add(20*ms)
		var refused *ICMPError
		if !errors.As(router.Err, &refused) || refused.Type != icmp6TimeExceeded || refused.From != router.From {
			t.Errorf("error is %v", router.Err)
		}
		router.Err = nil
		if want := (Reply{
			Seq: 1, From: netip.MustParseAddr("2001:db8::1"), RTT: 10 * ms, TTL: 63, Clock: ClockKernel,
			Sent: time.Unix(0, sent.UnixNano()), Received: time.Unix(0, back.UnixNano()),
		}); router != want {
			t.Errorf("got %+v, want %+v", router, want)
		}
		if end.Err != nil || end.From != netip.MustParseAddr(host) || end.RTT != 20*ms || end.Size != 64 || end.TTL != 64 {
			t.Errorf("got %+v", end)
		}
		if hops[0].Reached() || !hops[1].Reached() {
			t.Error("Reached is wrong")
		}
		if got, want := fmt.Sprint(hops), "[ 1  2001:db8::1  10.000 ms  10.000 ms  10.000 ms  2  2001:db8::99  20.000 ms  20.000 ms  20.000 ms]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestHop(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	six := netip.MustParseAddr("2001:db8::1")
	from := func(a netip.Addr, typ, code int, labels ...MPLSLabel) Reply {
		return Reply{From: a, RTT: 1500 * time.Microsecond, Err: &ICMPError{Type: typ, Code: code, From: a, MPLS: labels}}
	}
	silent := Reply{Err: ErrTimeout}
	tooBig, tooBig6 := from(a, 3, 4), from(six, 2, 0)
	tooBig6.Err.(*ICMPError).MTU = 1280
	for _, c := range []struct {
		replies []Reply
		want    string
		addrs   []netip.Addr
		reached bool
	}{
		{nil, " 7", nil, false},
		{[]Reply{silent, silent}, " 7  *  *", nil, false},
		{[]Reply{from(a, 11, 0), silent, from(a, 11, 0)}, " 7  10.0.0.1  1.500 ms  *  1.500 ms", []netip.Addr{a}, false},
		{
			[]Reply{from(a, 11, 0), from(b, 11, 0), from(a, 11, 0)},
			" 7  10.0.0.1  1.500 ms  10.0.0.2  1.500 ms  10.0.0.1  1.500 ms", []netip.Addr{a, b}, false,
		},
		{[]Reply{silent, {From: a, RTT: time.Microsecond}}, " 7  *  10.0.0.1  0.001 ms", []netip.Addr{a}, true},
		{
			[]Reply{from(a, 11, 0, MPLSLabel{16001, 5, 1}, MPLSLabel{3, 0, 254})},
			" 7  10.0.0.1 <MPLS:L=16001,E=5,S=0,T=1/L=3,E=0,S=1,T=254>  1.500 ms", []netip.Addr{a}, false,
		},
		{[]Reply{from(a, 3, 0)}, " 7  10.0.0.1  1.500 ms !N", []netip.Addr{a}, false},
		{[]Reply{from(a, 3, 3)}, " 7  10.0.0.1  1.500 ms !<3>", []netip.Addr{a}, false},
		{[]Reply{tooBig}, " 7  10.0.0.1  1.500 ms !F", []netip.Addr{a}, false},
		{[]Reply{tooBig6}, " 7  2001:db8::1  1.500 ms !F-1280", []netip.Addr{six}, false},
		{[]Reply{from(six, 1, 1)}, " 7  2001:db8::1  1.500 ms !X", []netip.Addr{six}, false},
		{[]Reply{from(six, 1, 4)}, " 7  2001:db8::1  1.500 ms !<4>", []netip.Addr{six}, false},
		{[]Reply{from(six, 4, 1)}, " 7  2001:db8::1  1.500 ms !<4-1>", []netip.Addr{six}, false},
	} {
		h := Hop{7, c.replies}
		if got := h.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if got := h.Addrs(); !slices.Equal(got, c.addrs) {
			t.Errorf("%s: addresses are %v", c.want, got)
		}
		if h.Reached() != c.reached {
			t.Errorf("%s: Reached is %v", c.want, !c.reached)
		}
	}
}

// A path on which nobody answers costs little more than one timeout, and a long one is not walked step by step. Not
// many probes go beyond the target.
func TestTracePace(t *testing.T) {
	elapsed := func(w *way, opts ...ProbeOption) (took time.Duration, hops int, sent []int) {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(w.answer))
			start := time.Now()
			hops = len(lines(t, p, target, opts...))
			took, sent = time.Since(start), w.probes()
		})
		return took, hops, sent
	}
	// 4 at once, 26 a stride apart, three probes follow each other, and the last waits.
	took, hops, sent := elapsed(&way{routers: make([]string, 40)})
	if want := 26*stride + 2*follow + time.Second; took != want || hops != 30 || slices.Max(sent) != 3 || len(sent) != 30 {
		t.Errorf("silence: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
	took, hops, sent = elapsed(&way{routers: make([]string, 40)}, WithMaxHops(5), WithTimeout(3*time.Second), WithCount(1))
	if want := stride + 3*time.Second; took != want || hops != 5 || !slices.Equal(sent, []int{1, 1, 1, 1, 1}) {
		t.Errorf("silence up to 5 hops: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
	// A silent hop before the target is tried once more, one timeout later.
	took, hops, _ = elapsed(&way{routers: []string{"10.0.0.1", ""}})
	if want := 2*follow + limitPause + time.Second; took != want || hops != 3 {
		t.Errorf("a silent router: %v, %d hops, want %v", took, hops, want)
	}
	// Of 20 routers, 10 ms apart, four answer before the next four need be tried.
	routers := slices.Repeat([]string{"10.0.0.1"}, 20)
	took, hops, sent = elapsed(&way{routers: routers})
	if hops != 21 || took > time.Second {
		t.Errorf("20 routers: %v, %d hops", took, hops)
	}
	// The target, 210 ms away, is found while as many strides pass.
	if most := 21 + ahead + int(210*ms/stride); len(sent) > most {
		t.Errorf("20 routers: sent as far as %d, want at most %d", len(sent), most)
	}
	took, hops, sent = elapsed(&way{routers: routers[:1]})
	if want := 60 * ms; took != want || hops != 2 || len(sent) > 2+ahead {
		t.Errorf("one router: %v, %d hops, sent %v, want %v", took, hops, sent, want)
	}
}

// A router that sends no more than Linux does, one error a second after the first six, is found out all the same.
func TestTraceLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type bucket struct {
			tokens time.Duration
			last   time.Time
		}
		buckets := map[string]*bucket{}
		w := &way{routers: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}}
		w.change = func(m Message, usual []delayed) []delayed {
			if usual[0].Err == nil {
				return usual
			}
			// As inet_peer_xrlim_allow does it (net/ipv4/icmp.c).
			b := buckets[usual[0].Err.From.String()]
			if b == nil {
				b = &bucket{6 * time.Second, time.Now()}
				buckets[usual[0].Err.From.String()] = b
			}
			b.tokens = min(b.tokens+time.Since(b.last), 6*time.Second)
			b.last = time.Now()
			if b.tokens < time.Second {
				return nil
			}
			b.tokens -= time.Second
			return usual
		}
		p := newFakePinger(t, newFake(w.answer))
		want := []string{repeat(1, "10.0.0.1"), repeat(2, "10.0.0.2"), repeat(3, "10.0.0.3"), repeat(4, target+".")}
		for i := range 2 {
			if got := lines(t, p, target); !slices.Equal(got, want) {
				t.Errorf("trace %d: got %q", i, got)
			}
		}
		// No more than a probe or two is let pass now: every router is found, though not three times.
		for i := range 3 {
			start := time.Now()
			for h, err := range p.Trace(t.Context(), target) {
				if err != nil || len(h.Addrs()) != 1 || !strings.Contains(want[h.Distance-1], h.Addrs()[0].String()) {
					t.Errorf("limited trace %d: %v, %v", i, h, err)
				}
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("limited trace %d took %v", i, took)
			}
		}
	})
}

// All probes of a trace have one checksum and one flow label, another for another flow, and each a secret of its own.
func TestFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sums := map[string]bool{}
		for _, host := range []string{target, "2001:db8::99"} {
			for _, flow := range []int{0, 1, 2, 77, 65535} {
				w := &way{routers: []string{"10.0.0.1", "", "10.0.0.3"}}
				if strings.Contains(host, ":") {
					w.routers = []string{"2001:db8::1", "", "2001:db8::3"}
				}
				p := newFakePinger(t, newFake(w.answer))
				var opts []ProbeOption
				if flow > 0 {
					opts = append(opts, WithFlow(flow))
				}
				if n := len(lines(t, p, host, opts...)); n != 4 {
					t.Errorf("%d hops", n)
				}
				if flow > 0 {
					if _, err := p.Ping(t.Context(), host, WithFlow(flow), WithTTL(64)); err != nil {
						t.Error(err)
					}
					for _, r := range p.Sweep(t.Context(), slices.Values([]netip.Addr{netip.MustParseAddr(host)}), WithFlow(flow), WithTTL(64)) {
						if r.Err != nil {
							t.Error(r.Err)
						}
					}
				}
				seen := map[string]bool{}
				secrets := map[string]bool{}
				for _, m := range w.sent {
					m.Data[2], m.Data[3] = 0, 0
					seen[fmt.Sprintf("%x of %d", checksum(m.Data), m.FlowLabel)] = true
					secrets[string(m.Data[8:14])] = true
					if m.FlowLabel < 0 || m.FlowLabel > 0xfffff || (m.FlowLabel != 0) != (flow != 0 && m.Addr.Is6()) {
						t.Errorf("flow %d to %s has label %d", flow, host, m.FlowLabel)
					}
				}
				if len(seen) != 1 || len(secrets) != len(w.sent) {
					t.Errorf("flow %d to %s: checksums %v, %d secrets of %d probes", flow, host, seen, len(secrets), len(w.sent))
				}
				for s := range seen {
					sums[host+s] = true
				}
			}
		}
		// Without WithFlow it is the checksum, not the label, of flow 65535.
		if len(sums) != 9 {
			t.Errorf("%d flows, want 9: %v", len(sums), sums)
		}
	})
}

// Without a flow, checksums vary as they always did.
func TestNoFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{}
		p := newFakePinger(t, newFake(w.answer))
		if s, err := p.PingN(t.Context(), target, 20, WithTTL(64), WithInterval(0)); err != nil || s.Received != 20 {
			t.Errorf("%v, %v", s, err)
		}
		seen := map[uint16]bool{}
		for _, m := range w.sent {
			m.Data[2], m.Data[3] = 0, 0
			seen[checksum(m.Data)] = true
		}
		if len(seen) < 15 {
			t.Errorf("%d checksums", len(seen))
		}
	})
}

// The options hold for each probe, but for the two that make no sense.
func TestTraceOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{routers: []string{"10.0.0.1"}}
		p := newFakePinger(t, newFake(w.answer), WithRate(10), WithTTL(3))
		start := time.Now()
		got := lines(t, p, target, WithCount(1), WithSize(100), WithTrafficClass(8), WithDontFragment(true), WithInterval(time.Hour))
		if want := []string{"1 10.0.0.1", "2 192.0.2.1."}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if took := time.Since(start); took < 100*ms {
			t.Errorf("at 10 a second, two probes took %v", took)
		}
		for i, m := range w.sent {
			if m.TTL != i+1 || len(m.Data) != 108 || m.TrafficClass != 8 || !m.DontFragment {
				t.Errorf("probe %d: TTL %d, %d bytes, class %d", i, m.TTL, len(m.Data), m.TrafficClass)
			}
		}
		w.sent = nil
		if got := lines(t, p, target, WithMaxHops(1), WithCount(5)); !slices.Equal(got, []string{"1" + strings.Repeat(" 10.0.0.1", 5)}) {
			t.Errorf("got %q", got)
		}
		if sent := w.probes(); !slices.Equal(sent, []int{5}) {
			t.Errorf("sent %v", sent)
		}
	})
}

// What keeps a trace from running, or ends it, comes last, with an empty Hop.
func TestTraceErrors(t *testing.T) {
	refused := errors.New("no such luck")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		host string
		opts []ProbeOption
		want string
	}{
		{nil, "", nil, "empty host name"},
		{nil, target, []ProbeOption{WithMaxHops(0)}, "ping 192.0.2.1: WithMaxHops(0): want 1 to 255"},
		{nil, target, []ProbeOption{WithMaxHops(256)}, "WithMaxHops(256): want 1 to 255"},
		{nil, target, []ProbeOption{WithFlow(0)}, "WithFlow(0): want 1 to 65535"},
		{nil, target, []ProbeOption{WithFlow(65536)}, "WithFlow(65536): want 1 to 65535"},
		{nil, target, []ProbeOption{WithFlow(9), WithSize(7)}, "WithFlow(9) with WithSize(7): want a size of 8 or more"},
		{nil, target, []ProbeOption{WithSize(7)}, "WithSize(7): Trace takes 8 or more"},
		{nil, target, []ProbeOption{WithCount(1001)}, "WithCount(1001): Trace takes 1 to 1000"},
		{nil, target, []ProbeOption{nil}, "option 0 is nil"},
		{cancelled, target, nil, "context canceled"},
		{nil, target, []ProbeOption{WithMaxHops(1)}, "ping 192.0.2.1: no such luck"},
	} {
		t.Run(c.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(nil)
				f.refuse = func(int, Message) error { return refused }
				p := newFakePinger(t, f)
				ctx := c.ctx
				if ctx == nil {
					ctx = t.Context()
				}
				n := 0
				for h, err := range p.Trace(ctx, c.host, c.opts...) {
					if n++; err == nil || !strings.Contains(err.Error(), c.want) || h.Distance != 0 || h.Replies != nil {
						t.Errorf("got %v, %v", h, err)
					}
				}
				if n != 1 {
					t.Errorf("%d turns", n)
				}
			})
		})
	}
	if p, err := New(WithTransport(newFake(nil)), WithFlow(9), WithSize(7)); err == nil || p != nil {
		t.Errorf("New with WithFlow(9) and WithSize(7): %v", err)
	}
}

// Whenever a trace is broken, cancelled or its Pinger closed, nothing is left of it.
func TestTraceCutShort(t *testing.T) {
	routers := []string{"10.0.0.1", "", "10.0.0.3", "", "10.0.0.5"}
	for at := time.Duration(0); at < 2400*ms; at += 7 * ms {
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			p := newFakePinger(t, newFake(w.answer))
			ctx, cancel := context.WithTimeout(t.Context(), at)
			defer cancel()
			start := time.Now()
			var last error
			for _, err := range p.Trace(ctx, target) {
				last = err
			}
			if last != nil && (!errors.Is(last, context.DeadlineExceeded) || time.Since(start) != at) {
				t.Errorf("after %v: %v", time.Since(start), last)
			}
			checkNothingLeft(t, p, w)
		})
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			p := newFakePinger(t, newFake(w.answer))
			time.AfterFunc(at, func() { p.Close() })
			start := time.Now()
			var last error
			for _, err := range p.Trace(t.Context(), target) {
				last = err
			}
			if last != nil && (!errors.Is(last, net.ErrClosed) || time.Since(start) != at) {
				t.Errorf("after %v: %v", time.Since(start), last)
			}
			if c := p.Counters(); c.InFlight != 0 {
				t.Errorf("counters %+v", c)
			}
		})
	}
	for turns := 1; turns <= 6; turns++ {
		synctest.Test(t, func(t *testing.T) {
			w := &way{routers: routers}
			p := newFakePinger(t, newFake(w.answer))
			n := 0
			for h, err := range p.Trace(t.Context(), target) {
				if n++; err != nil || h.Distance != n {
					t.Errorf("turn %d: %v, %v", n, h, err)
				}
				if n == turns {
					break
				}
			}
			checkNothingLeft(t, p, w)
		})
	}
}

// checkNothingLeft looks whether a trace that has ended has probes in flight, or sends more.
func checkNothingLeft(t *testing.T, p *Pinger, w *way) {
	t.Helper()
	c := p.Counters()
	sent := len(w.probes())
	time.Sleep(5 * time.Second)
	f := &p.lines[0].Load().conn.flight
	if after := p.Counters(); c.InFlight != 0 || after.Sent != c.Sent || len(w.probes()) != sent || !f.deserted() || f.count != 0 {
		t.Errorf("counters %+v, and later %+v", c, after)
	}
}

// A caller that takes its time distorts no RTT, and a second trace over the same Pinger is another's business.
func TestTraceSlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{routers: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}}
		p := newFakePinger(t, newFake(w.answer))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for h, err := range p.Trace(t.Context(), target) {
					if err != nil {
						t.Error(err)
						return
					}
					for _, r := range h.Replies {
						if want := time.Duration(h.Distance) * 10 * ms; r.RTT != want {
							t.Errorf("hop %d: RTT %v, want %v", h.Distance, r.RTT, want)
						}
					}
					time.Sleep(300 * ms)
				}
			})
		}
		wg.Wait()
	})
}
