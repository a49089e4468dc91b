package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
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
	translated := func(e *ping.ICMPError) { e.NAT, e.Quoted = true, hop3 }
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
			"NAT", ping.Hop{Distance: 3, Replies: []ping.Reply{by(hop1, us, translated)}},
			" 3  gw.example (10.0.0.1) (NAT: for 10.0.0.3)  0.001 ms\n", " 3  10.0.0.1 (NAT: for 10.0.0.3)  0.001 ms\n",
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
	replies := []ping.Reply{by(hop1, 5, labels), {Seq: 1, Err: ping.ErrTimeout}}
	o.showHop(testNames(t), "host", ping.Hop{Distance: 2, Replies: replies})
	const want = `{"host":"host","hop":{"distance":2,"reached":false,"names":{"10.0.0.1":"gw.example"},` +
		`"replies":[` +
		`{"seq":0,"from":"10.0.0.1","rtt_ns":5,"sent":"1970-01-01T00:00:01Z",` +
		`"kind":"icmp","error":"time to live exceeded, from 10.0.0.1",` +
		`"icmp_error":{"type":11,"code":0,"from":"10.0.0.1","mpls":[{"label":16,"traffic_class":1,"ttl":9}]}},` +
		`{"seq":1,"kind":"timeout","error":"no reply in time"}]}}`
	var got, wanted any
	err := errors.Join(json.Unmarshal([]byte(stdout.String()), &got), json.Unmarshal([]byte(want), &wanted))
	if err != nil {
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
	router := func(addr netip.Addr, replies ...ping.Reply) paths.Router {
		r := paths.Router{Addr: addr}
		for _, reply := range replies {
			if r.Statistics.Add(reply); reply.Err == nil {
				r.RTT = reply.RTT
			}
		}
		return r
	}
	echo := func(rtt time.Duration) ping.Reply { return ping.Reply{RTT: rtt, Sent: whenSent} }
	lost := ping.Reply{Sent: whenSent, Err: ping.ErrTimeout}
	labelled := router(hop1, echo(3*ms), echo(ms), echo(2*ms), echo(2*ms))
	labelled.Labels = []ping.MPLSLabel{{Label: 16, TrafficClass: 1, TTL: 9}, {Label: 3, TTL: 1}}
	translated, targets := router(hop2, echo(3*ms), lost, echo(5*ms)), router(router6, echo(ms))
	translated.NAT, translated.Quoted, targets.NAT = true, netip.MustParseAddr("10.9.9.9"), true
	host := router(hop3, echo(10*ms), echo(1500*ms))
	host.Target = true
	o := &output{config: &config{}}
	rows := o.rows(paths.Round{Target: hop3, Hops: []paths.Hop{
		{Distance: 1, Routers: []paths.Router{labelled}},
		{Distance: 2, Routers: []paths.Router{translated, targets}},
		{Distance: 3, Routers: []paths.Router{router(netip.Addr{}, lost, ping.Reply{Seq: 1, Err: errors.New("not sent")})}},
		{Distance: 4, Routers: []paths.Router{host}, Refusal: &ping.ICMPError{Type: 3, Code: 1, From: hop2}},
	}}, testNames(t).of)
	const want = `TRACE host (10.0.0.9)        loss  sent     last     mean     best    worst    stdev
 1  gw.example (10.0.0.1)    0.0%     4    2.000    2.000    1.000    3.000    0.707
    [MPLS: Lbl 16 TC 1 S 0 TTL 9]
    [MPLS: Lbl 3 TC 0 S 1 TTL 1]
 2  10.0.0.2                33.3%     3    5.000    4.000    3.000    5.000    1.000
    (NAT: for 10.9.9.9)
 2  2001:db8::fe             0.0%     1    1.000    1.000    1.000    1.000    0.000
    (NAT)
 3  *                      100.0%     1
 4  10.0.0.3                 0.0%     2 1500.000  755.000   10.000 1500.000  745.000
    destination host unreachable, from 10.0.0.2`
	if got := table("TRACE host (10.0.0.9)", rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, h := range rows {
		if h.Reached != (i == len(rows)-1) || h.Statistics.Target != hop3 {
			t.Errorf("row %d: %+v", i, h)
		}
	}
}
