package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// Changes are told as they come, and each router has a line of its own. On a terminal, all is drawn after each round.
func TestTurn(t *testing.T) {
	statistics := func(n int) (s ping.Statistics) {
		for i := range n {
			s.Add(ping.Reply{Seq: i, RTT: time.Millisecond, Sent: whenSent, Received: whenSent})
		}
		return s
	}
	r := paths.Round{Number: 7, Target: hop3, Reached: true,
		Hops: []paths.Hop{
			{Distance: 1, Routers: []paths.Router{{}}},
			{Distance: 2, Routers: []paths.Router{
				{Addr: hop1, RTT: time.Millisecond, Statistics: statistics(3), Labels: []ping.MPLSLabel{{Label: 17, TTL: 1}}},
				{Addr: hop3, Target: true, RTT: time.Millisecond, Statistics: statistics(5)},
			}},
			{Distance: 3, Routers: []paths.Router{{Addr: hop3, Target: true, RTT: time.Millisecond, Statistics: statistics(3)}}},
		},
		Change: &paths.Change{
			Kind: paths.Longer, Since: whenSent.UTC(), Distance: 2,
			Before: []paths.Step{{}, {From: hop3, Target: true}},
			After:  []paths.Step{{}, {From: hop1}, {From: hop3, Target: true}},
		},
	}
	const change = "1970-01-01 00:00:01  longer at 2: 10.0.0.1 instead of the target, 3 hops instead of 2\n"
	const table = "WATCH host (10.0.0.3)        loss  sent     last     mean     best    worst    stdev\n" +
		" 1  *                        0.0%     0\n" +
		" 2  gw.example (10.0.0.1)    0.0%     3    1.000    1.000    1.000    1.000    0.000\n" +
		"    [MPLS: Lbl 17 TC 0 S 1 TTL 1]\n" +
		" 2  10.0.0.3                 0.0%     5    1.000    1.000    1.000    1.000    0.000\n" +
		" 3  10.0.0.3                 0.0%     3    1.000    1.000    1.000    1.000    0.000\n"
	n := testNames(t)
	for _, addr := range []netip.Addr{hop1, hop3} {
		n.of(addr)
	}
	for _, live := range []bool{false, true} {
		var stdout strings.Builder
		o := &output{config: &config{watch: true}, stdout: &stdout}
		w := &way{host: "host", live: live}
		o.turn(n, w, r)
		o.showWay(n, w)
		want := change + table
		if live {
			want = "\x1b[H\x1b[2J" + table + change
		}
		if got := stdout.String(); got != want {
			t.Errorf("live %v: got\n%s\nwant\n%s", live, got, want)
		}
	}
}
