package ping_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// Whatever answers come, each is counted as what it is, and the RTTs are true.
func TestNetwork(t *testing.T) {
	elsewhere := func(a netip.Addr) netip.Addr { return a.Next() }
	forge := func(change func(*netlab.Packet)) func(*netlab.Request, int) []netlab.Answer {
		return func(r *netlab.Request, _ int) []netlab.Answer { return []netlab.Answer{r.Forge(change)} }
	}
	slow := skipped.AtLength(t, 4*ms, 6*ms) / ms // times, where the responder's own delay must not matter
	type counts struct{ received, errors, late, duplicates, reordered, corrupted, stray int }
	cases := []struct {
		name   string
		script func(r *netlab.Request, n int) []netlab.Answer // n is how many to the host came before
		want   counts
	}{
		{"echo", func(r *netlab.Request, _ int) []netlab.Answer { return []netlab.Answer{r.Echo()} }, counts{received: 4}},
		{"delay", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{r.Echo().Later(10 * ms)}
		}, counts{received: 4}},
		{"silence", func(r *netlab.Request, _ int) []netlab.Answer { return nil }, counts{}},
		{"every other", func(r *netlab.Request, n int) []netlab.Answer {
			if n%2 == 0 {
				return nil
			}
			return []netlab.Answer{r.Echo()}
		}, counts{received: 2}},
		{"three times", func(r *netlab.Request, n int) []netlab.Answer {
			a := []netlab.Answer{r.Echo(), r.Echo(), r.Echo()}
			if n == 3 { // the call ends with the first answer to its last probe
				a = a[:1]
			}
			return a
		}, counts{received: 4, duplicates: 6}},
		{"late", func(r *netlab.Request, n int) []netlab.Answer {
			if n == 0 {
				return []netlab.Answer{r.Echo().Later(200 * slow * ms)}
			}
			return []netlab.Answer{r.Echo().Later(100 * slow * ms)}
		}, counts{received: 3, late: 1}},
		{"first comes last", func(r *netlab.Request, n int) []netlab.Answer {
			if n == 0 {
				return []netlab.Answer{r.Echo().Later(slow * 100 * ms)}
			}
			return []netlab.Answer{r.Echo()}
		}, counts{received: 4, reordered: 1}},
		{"from elsewhere", forge(func(p *netlab.Packet) {
			if p.Src = elsewhere(p.Src); p.Src.Is6() {
				p.Payload[0]++
			}
		}), counts{stray: 4}},
		{"flipped bit", forge(func(p *netlab.Packet) { p.Payload[20] ^= 4 }), counts{corrupted: 4}},
		{"cut short", forge(func(p *netlab.Packet) { p.Payload = p.Payload[:30] }), counts{received: 4}},
		{"cut within the cookie", forge(func(p *netlab.Packet) { p.Payload = p.Payload[:7] }), counts{corrupted: 4}},
		{"longer", forge(func(p *netlab.Packet) { p.Payload = append(p.Payload, 64, 65) }), counts{corrupted: 4}},
		{"code 5", forge(func(p *netlab.Packet) { p.Code = 5 }), counts{corrupted: 4}},
		{"foreign cookie", forge(func(p *netlab.Packet) { p.Payload[0]++ }), counts{stray: 4}},
		{"bad checksum", forge(func(p *netlab.Packet) { p.BadChecksum = true }), counts{}},
		{"foreign identifier", forge(func(p *netlab.Packet) { p.ID++ }), counts{}},
		{"unreachable", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Packet)}
		}, counts{errors: 4}},
		{"unreachable, 8 bytes quoted", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{r.Error(router(r.Dst), typeUnreachable(r), 1, 0, 8)}
		}, counts{errors: 4}},
		{"unreachable, another destination quoted", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) { p.Dst = elsewhere(p.Dst) }))}
		}, counts{errors: 4}},
		{"unreachable, another destination quoted, and less than the cookie", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) {
				p.Dst, p.Payload = elsewhere(p.Dst), p.Payload[:7]
			}))}
		}, counts{stray: 4}},
		{"unreachable, zeroed from the cookie on", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) { clear(p.Payload) }))}
		}, counts{errors: 4}},
		{"unreachable, rubbish from the cookie on", func(r *netlab.Request, n int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) {
				for i := range p.Payload {
					p.Payload[i] = byte(i*37 + n)
				}
			}))}
		}, counts{errors: 4}},
		{"unreachable, another cookie quoted", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Altered(func(p *netlab.Packet) { p.Payload[3]++ }))}
		}, counts{stray: 4}},
		{"unreachable, then an echo", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{unreachable(r, r.Packet), r.Echo().Later(20 * ms)}
		}, counts{errors: 4, late: 3}},
		{"an echo, then unreachable", func(r *netlab.Request, _ int) []netlab.Answer {
			return []netlab.Answer{r.Echo(), unreachable(r, r.Packet).Later(20 * ms)}
		}, counts{received: 4}},
	}
	// Many at once, over one Pinger of each kind, and each to a host of its own, whose address ends in a number that tells
	// the case.
	const first = 10
	seen := map[netip.Addr]int{}
	responder := newResponder(t, func(r *netlab.Request) []netlab.Answer {
		n := seen[r.Dst]
		seen[r.Dst]++
		return cases[(int(r.Dst.As16()[15])-first)/4].script(r, n)
	})
	kinds := []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw}
	var pingers []*ping.Pinger
	for _, kind := range kinds {
		pingers = append(pingers, openPinger(t, ping.WithSocket(kind)))
	}
	for _, order := range []bool{true, false} { // those that depend on what comes first are by themselves
		var calls []func()
		for i, c := range cases {
			if order != (c.want.late+c.want.reordered > 0) {
				continue
			}
			interval, timeout := 40*ms, skipped.AtLength(t, 500*ms, time.Second)
			switch {
			case c.want.received == 4:
				timeout = 10 * time.Second // which passes for none
			case order:
				timeout = slow * 150 * ms
			}
			if order {
				interval = slow * interval
			}
			for k, kind := range kinds {
				for _, format := range []string{"198.51.100.%d", "2001:db8:1::%x", "203.0.113.%d", "2001:db8:2::%x"} {
					host := fmt.Sprintf(format, first+4*i+2*k) // nobody's next address is another's
					calls = append(calls, func() {
						s, err := pingers[k].PingN(t.Context(), host, 4, ping.WithInterval(interval), ping.WithTimeout(timeout))
						if err != nil {
							t.Errorf("%s, %v socket, %s: %v", c.name, kind, host, err)
							return
						}
						got := counts{s.Received, s.Errors, s.Late, s.Duplicates, s.Reordered, s.Corrupted, s.Stray}
						if got != c.want || s.Sent != 4 || s.Received+s.Lost != 4 || s.SendErrors != 0 {
							t.Errorf("%s, %v socket, %s: got %+v, want %+v: %v", c.name, kind, host, got, c.want, s)
						}
						checkTruth(t, s, responder.Records())
					})
				}
			}
		}
		together(calls)
	}
}

// checkTruth holds replies against what the responder did: no RTT is shorter than the time that the answer was
// under way in truth, and Sent and Received lie outside of that.
func checkTruth(t *testing.T, s *ping.Statistics, records []netlab.Record) {
	t.Helper()
	records = slices.DeleteFunc(records, func(r netlab.Record) bool { return r.Dst != s.Target })
	if len(records) != len(s.Replies) {
		t.Errorf("%v: the responder saw %d requests of %d: %v", s.Target, len(records), len(s.Replies), s)
		return
	}
	for i, reply := range s.Replies {
		record := records[i]
		if reply.Received.IsZero() {
			continue
		}
		if reply.Clock != ping.ClockKernel {
			t.Errorf("%v: reply %d is stamped by the %v clock", s.Target, i, reply.Clock)
		}
		if reply.Sent.After(record.Received) || reply.Received.Before(record.Sent[0]) ||
			reply.RTT < record.Sent[0].Sub(record.Received) {
			t.Errorf("%v: reply %d: sent %v, received %v, RTT %v; in truth it came %v and left %v", s.Target, i,
				reply.Sent, reply.Received, reply.RTT, record.Received, record.Sent[0])
		}
	}
}
