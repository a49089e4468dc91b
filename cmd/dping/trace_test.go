package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

var (
	hop1, hop2, hop3 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	whenSent         = time.Unix(1, 0)
)

// named are the names that the tests' lookups find.
func testNames(t *testing.T) *names {
	n := newNames(t.Context(), func(_ context.Context, addr string) ([]string, error) {
		if addr == hop1.String() {
			return []string{"gw.example."}, nil
		}
		return nil, errors.New("no such name")
	})
	t.Cleanup(n.close)
	return n
}

// by is a reply by a router; with nothing else said, that the TTL ran out there.
func by(from netip.Addr, rtt time.Duration, change ...func(*ping.ICMPError)) ping.Reply {
	e := &ping.ICMPError{Type: 11, From: from}
	if from.Is6() {
		e.Type = 3
	}
	for _, c := range change {
		c(e)
	}
	return ping.Reply{From: from, RTT: rtt, Sent: whenSent, Err: e}
}

func hostUnreachable(e *ping.ICMPError) { e.Type, e.Code = 3, 1 }

func TestShowHop(t *testing.T) {
	const us = time.Microsecond
	silence := ping.Reply{Sent: whenSent, Err: ping.ErrTimeout}
	labels := func(e *ping.ICMPError) { e.MPLS = []ping.MPLSLabel{{Label: 16, TrafficClass: 1, TTL: 9}} }
	for _, test := range []struct {
		name        string
		hop         ping.Hop
		want, plain string // with names and without, if that is not the same
	}{
		{
			"a router with a name", ping.Hop{Distance: 1, Replies: []ping.Reply{by(hop1, 1500*us), by(hop1, 250*us), silence}},
			" 1  gw.example (10.0.0.1)  1.500 ms  0.250 ms  *\n", " 1  10.0.0.1  1.500 ms  0.250 ms  *\n",
		},
		{"silence", ping.Hop{Distance: 12, Replies: []ping.Reply{silence, silence, silence}}, "12  *  *  *\n", ""},
		{
			"two routers", ping.Hop{Distance: 2, Replies: []ping.Reply{by(hop2, us), by(hop1, us), silence}},
			" 2  10.0.0.2  0.001 ms  gw.example (10.0.0.1)  0.001 ms  *\n", " 2  10.0.0.2  0.001 ms  10.0.0.1  0.001 ms  *\n",
		},
		{
			"refused", ping.Hop{Distance: 3, Replies: []ping.Reply{by(hop2, us, hostUnreachable)}},
			" 3  10.0.0.2  0.001 ms !H\n", "",
		},
		{
			"labels", ping.Hop{Distance: 3, Replies: []ping.Reply{by(hop1, us, labels)}},
			" 3  gw.example (10.0.0.1) <MPLS:L=16,E=1,S=1,T=9>  0.001 ms\n", " 3  10.0.0.1 <MPLS:L=16,E=1,S=1,T=9>  0.001 ms\n",
		},
		{
			"the target", ping.Hop{Distance: 4, Replies: []ping.Reply{{From: hop3, RTT: us, TTL: 60, Size: 64, Sent: whenSent}}},
			" 4  10.0.0.3  0.001 ms\n", "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.plain == "" {
				test.plain = test.want
			}
			for numeric, want := range map[bool]string{false: test.want, true: test.plain} {
				var stdout strings.Builder
				o := &output{config: &config{numeric: numeric}, stdout: &stdout}
				o.showHop(testNames(t), "host", test.hop)
				if stdout.String() != want {
					t.Errorf("numeric: %v: got\n%swant\n%s", numeric, &stdout, want)
				}
			}
		})
	}
}

func TestShowHopJSON(t *testing.T) {
	var stdout strings.Builder
	o := &output{config: &config{json: true}, stdout: &stdout}
	labels := func(e *ping.ICMPError) { e.MPLS = []ping.MPLSLabel{{Label: 16, TrafficClass: 1, TTL: 9}} }
	o.showHop(testNames(t), "host", ping.Hop{Distance: 2, Replies: []ping.Reply{by(hop1, 5, labels), {Seq: 1, Err: ping.ErrTimeout}}})
	const want = `{"host":"host","hop":{"distance":2,"reached":false,"names":{"10.0.0.1":"gw.example"},` +
		`"replies":[` +
		`{"seq":0,"from":"10.0.0.1","rtt_ns":5,"sent":"1970-01-01T00:00:01Z","kind":"icmp","error":"time to live exceeded, from 10.0.0.1",` +
		`"icmp_error":{"type":11,"code":0,"from":"10.0.0.1","mpls":[{"label":16,"traffic_class":1,"ttl":9}]}},` +
		`{"seq":1,"kind":"timeout","error":"no reply in time"}]}}`
	var got, wanted any
	if err := errors.Join(json.Unmarshal([]byte(stdout.String()), &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	drop := func(v any) { // what is the library's own affair
		for _, r := range v.(map[string]any)["hop"].(map[string]any)["replies"].([]any) {
			delete(r.(map[string]any), "clock")
			delete(r.(map[string]any), "sent")
		}
	}
	drop(got)
	drop(wanted)
	if !reflect.DeepEqual(got, wanted) || strings.Count(stdout.String(), "\n") != 1 {
		t.Errorf("got\n%swant\n%s", &stdout, want)
	}
}

func TestTable(t *testing.T) {
	const ms = time.Millisecond
	router6 := netip.MustParseAddr("2001:db8::fe")
	hops := make([]hopReport, 4)
	labels := func(e *ping.ICMPError) {
		e.MPLS = []ping.MPLSLabel{{Label: 16, TrafficClass: 1, TTL: 9}, {Label: 3, TTL: 1}}
	}
	for i, replies := range [][]ping.Reply{
		{by(hop1, 3*ms), by(hop1, ms, labels), by(hop1, 2*ms), by(hop1, 2*ms)},
		{by(hop2, 3*ms), {Seq: 1, Sent: whenSent, Err: ping.ErrTimeout}, by(router6, ms), by(hop2, 5*ms)},
		{{Sent: whenSent, Err: ping.ErrTimeout}, {Seq: 1, Err: errors.New("not sent")}},
		{by(hop3, 10*ms, hostUnreachable), by(hop3, 1500*ms, hostUnreachable)},
	} {
		hops[i].Distance = i + 1
		for _, r := range replies {
			hops[i].settle(r)
		}
	}
	hops[0].Names = map[netip.Addr]string{hop1: "gw.example"}
	const want = `TRACE host (10.0.0.9)        loss  sent     last     mean     best    worst    stdev
 1  gw.example (10.0.0.1)    0.0%     4    2.000    2.000    1.000    3.000    0.707
    [MPLS: Lbl 16 TC 1 S 0 TTL 9]
    [MPLS: Lbl 3 TC 0 S 1 TTL 1]
 2  10.0.0.2                25.0%     4    5.000    3.000    1.000    5.000    1.633
    2001:db8::fe
 3  *                      100.0%     1
 4  10.0.0.3                 0.0%     2 1500.000  755.000   10.000 1500.000  745.000
    destination host unreachable`
	if got := table("TRACE host (10.0.0.9)", hops); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, h := range hops {
		if h.Reached {
			t.Errorf("hop %d is said to be the target", i+1)
		}
	}
	hops[3].settle(ping.Reply{From: hop3, RTT: ms, Sent: whenSent})
	if !hops[3].Reached || hops[3].Last != ms {
		t.Errorf("got %+v", hops[3])
	}
}

// The table is as long as the way is. What a router has to do with is never in one line with what the target has, and the
// target keeps its own wherever it is.
func TestReportLength(t *testing.T) {
	const ms = time.Millisecond
	target := netip.MustParseAddr("10.0.0.9")
	echo := ping.Reply{From: target, RTT: 5 * ms, Sent: whenSent}
	silence := ping.Reply{Sent: whenSent, Err: ping.ErrTimeout}
	r := &report{host: "host", addr: target, maxHops: 5, target: newHopReport(0, target)}
	ended := 0
	probe := func() *hopReport {
		h := newHopReport(len(r.routers)+1, target)
		r.routers, r.probes = append(r.routers, h), append(r.probes, func() { ended++ })
		return h
	}
	// expect compares the lines: distance, who answered, how many of how many.
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, h := range r.hops() {
			got = append(got, fmt.Sprint(h.Distance, h.who(), h.Statistics.Received, "/", h.Statistics.Sent, h.Refusal))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	first, second, third := probe(), probe(), probe()
	settle := func(h *hopReport, reply ping.Reply, want bool) {
		t.Helper()
		if longer := r.settle(h, reply); longer != want {
			t.Errorf("hop %d: longer: %v, want %v", h.Distance, longer, want)
		}
	}
	settle(first, by(hop1, ms), false)
	settle(second, by(hop2, ms), false)
	settle(third, silence, false)
	expect("silence", "1 [10.0.0.1] 1/1", "2 [10.0.0.2] 1/1", "3 [*] 0/1")
	settle(third, echo, false)
	settle(third, silence, false)
	settle(third, by(hop2, ms, hostUnreachable), false)
	expect("reached", "1 [10.0.0.1] 1/1", "2 [10.0.0.2] 1/1", "3 [10.0.0.9] 1/4destination host unreachable")

	settle(third, by(hop3, ms), true)
	fourth := probe()
	expect("longer", "1 [10.0.0.1] 1/1", "2 [10.0.0.2] 1/1", "3 [10.0.0.3] 1/1", "4 [10.0.0.9] 1/4")
	settle(fourth, echo, false)
	settle(third, silence, false)
	expect("reached there", "1 [10.0.0.1] 1/1", "2 [10.0.0.2] 1/1", "3 [10.0.0.3] 1/2", "4 [10.0.0.9] 2/5")

	settle(second, echo, false)
	settle(third, by(hop3, ms), false)
	settle(fourth, echo, false)
	expect("shorter", "1 [10.0.0.1] 1/1", "2 [10.0.0.9] 3/6")
	if ended != 2 {
		t.Errorf("the probes to %d distances have been ended, want 2", ended)
	}
	settle(second, by(hop3, ms), true)
	probe()
	expect("longer again", "1 [10.0.0.1] 1/1", "2 [10.0.0.3] 1/1", "3 [10.0.0.9] 3/6")

	r.maxHops = 3
	settle(r.routers[2], by(hop3, ms), false)
}
