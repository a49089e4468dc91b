package pingtest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// A router that limits its ICMP errors sends a burst, and then one at a time; and none are saved up beyond the burst.
func TestErrorLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, host := chain(n, addr, 2)
		routers[0].Set(pingtest.ErrorLimit(6, time.Second))
		p := n.Pinger(t)
		count := func(probes int, opts ...ping.ProbeOption) int {
			s, err := p.PingN(t.Context(), addr, probes, append(opts, ping.WithInterval(100*ms))...)
			if err != nil {
				t.Fatal(err)
			}
			return s.Errors + s.Received
		}
		if got := count(40, ping.WithTTL(1)); got != 6+3 {
			t.Errorf("%d errors in 4 s", got)
		}
		time.Sleep(time.Minute)
		if got := count(10, ping.WithTTL(1)); got != 6 {
			t.Errorf("%d errors after a minute", got)
		}
		if got := count(10, ping.WithTTL(2)) + count(10); got != 20 {
			t.Errorf("%d answers of 20 from beyond", got)
		}
		routers[0].Set(pingtest.MTU(1280))
		if got := count(10, ping.WithSize(1400), ping.WithDontFragment(true)); got != 10 {
			t.Errorf("%d errors about the MTU, which are not limited", got)
		}
		routers[0].Set(pingtest.ErrorLimit(0, 0))
		if got := count(10, ping.WithTTL(1)); got != 10 {
			t.Errorf("%d errors without a limit", got)
		}
		if c := host.Counts(); c.Swallowed != 31+4 {
			t.Errorf("counts %+v", c)
		}
	})
}

// A host that limits its echo replies.
func TestReplyLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		n.Host(addr, pingtest.ReplyLimit(1, time.Second))
		p := n.Pinger(t)
		s, err := p.PingN(t.Context(), addr, 6, ping.WithInterval(500*ms))
		var answered []int
		for _, r := range s.Replies {
			if r.Err == nil {
				answered = append(answered, r.Seq)
			}
		}
		if err != nil || !slices.Equal(answered, []int{0, 2, 4}) {
			t.Errorf("%v, %v: answered %v", s, err, answered)
		}
	})
}

// What passes through a router gets lost, and what it answers itself does not.
func TestLossBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		routers, host := chain(n, addr, 3)
		routers[1].Set(pingtest.LossBehind(0.25))
		p := n.Pinger(t, ping.WithInterval(10*ms), ping.WithTimeout(100*ms))
		for ttl, want := range []int{1: 0, 2: 0, 3: 250, 4: 250} {
			if ttl == 0 {
				continue
			}
			s, err := p.PingN(t.Context(), addr, 1000, ping.WithTTL(ttl))
			if err != nil {
				t.Fatal(err)
			}
			if lost := s.Lost - s.Errors; lost < want*4/5 || lost > want*6/5 {
				t.Errorf("TTL %d: %d lost, want some %d", ttl, lost, want)
			}
		}
		// An outage of all behind it.
		routers[1].Set(pingtest.LossBehind(1))
		for _, host := range []string{addr, routers[2].String()} {
			if got := outcomes(t, p, host, 2); got != "timeout, timeout" {
				t.Errorf("an outage: %s: %s", host, got)
			}
		}
		if got := outcomes(t, p, routers[1].String(), 1); got != "answered" {
			t.Errorf("the router itself: %s", got)
		}
		routers[1].Set(pingtest.LossBehind(0))
		if got := outcomes(t, p, addr, 1); got != "answered" {
			t.Errorf("afterwards: %s", got)
		}
		if c := host.Counts(); c.Lost < 400+2 || c.Lost > 600+2 {
			t.Errorf("counts %+v", c)
		}
	})
}
