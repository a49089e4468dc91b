package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

func TestSettle(t *testing.T) {
	target4 := netip.MustParseAddr("192.0.2.1")
	router4, router6 := netip.MustParseAddr("10.0.1.254"), netip.MustParseAddr("2001:db8::1")
	sent := time.Unix(1, 0)
	for _, test := range []struct {
		name           string
		reply          ping.Reply
		stdout, stderr string
	}{
		{
			name:   "answered",
			reply:  ping.Reply{Seq: 0, From: target4, RTT: 1234567, TTL: 57, Size: 64, Sent: sent},
			stdout: "64 bytes from 192.0.2.1: icmp_seq=1 ttl=57 time=1.235 ms\n",
		},
		{
			name:   "truncated",
			reply:  ping.Reply{Seq: 1, From: target4, RTT: 1234567, TTL: 57, Size: 76, Truncated: true, Sent: sent},
			stdout: "76 bytes from 192.0.2.1: icmp_seq=2 ttl=57 time=1.235 ms (truncated)\n",
		},
		{
			name:   "answered from elsewhere",
			reply:  ping.Reply{Seq: 2, Sent: sent, Err: &ping.ElsewhereError{From: router4}},
			stdout: "no answer from host: icmp_seq=3 (answered from 10.0.1.254)\n",
		},
		{
			name:   "TTL not known",
			reply:  ping.Reply{Seq: 9, From: target4, RTT: time.Second, Size: 8, Sent: sent},
			stdout: "8 bytes from 192.0.2.1: icmp_seq=10 time=1000.000 ms\n",
		},
		{
			name:   "lost",
			reply:  ping.Reply{Seq: 2, Sent: sent, Err: ping.ErrTimeout},
			stdout: "no answer from host: icmp_seq=3\n",
		},
		{
			name:   "refused",
			reply:  ping.Reply{From: router4, Sent: sent, Err: &ping.ICMPError{Type: 3, Code: 1, From: router4}},
			stdout: "From 10.0.1.254: icmp_seq=1 destination host unreachable\n",
		},
		{
			name:   "too big",
			reply:  ping.Reply{From: router6, Sent: sent, Err: &ping.ICMPError{Type: 2, From: router6, MTU: 1280}},
			stdout: "From 2001:db8::1: icmp_seq=1 packet too big (MTU 1280)\n",
		},
		{
			name:   "dropped by this host",
			reply:  ping.Reply{Seq: 2, Sent: sent, Err: ping.ErrLocalDrop},
			stdout: "no answer from host: icmp_seq=3 (dropped locally)\n",
		},
		{
			name:   "not sent",
			reply:  ping.Reply{Seq: 1, Err: errors.New("network is unreachable")},
			stderr: "dping: host: icmp_seq=2 not sent: network is unreachable\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for hosts, prefix := range map[int]string{1: "", 2: "host: "} {
				var stdout, stderr strings.Builder
				out := &output{config: &config{hosts: make([]string, hosts)}, stdout: &stdout, stderr: &stderr}
				out.settle(&target{host: "host"}, test.reply)
				want := test.stdout
				if want != "" {
					want = prefix + want
				}
				if stdout.String() != want || stderr.String() != test.stderr {
					t.Errorf("with hosts: %d: stdout %q, stderr %q, want %q, %q", hosts, &stdout, &stderr, want, test.stderr)
				}
			}
		})
	}
}

// With -q, why a host's probes cannot be sent is told once.
func TestSettleQuiet(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var stdout, stderr strings.Builder
		out := &output{config: &config{hosts: make([]string, 1), quiet: true, json: asJSON}, stdout: &stdout, stderr: &stderr}
		dead := &target{host: "host"}
		for seq := range 3 {
			out.settle(dead, ping.Reply{Seq: seq, Err: errors.New("network is unreachable")})
			out.settle(dead, ping.Reply{Seq: seq, Sent: time.Unix(1, 0), Err: ping.ErrTimeout})
		}
		want := "dping: host: icmp_seq=1 not sent: network is unreachable\n"
		if stdout.String() != "" || stderr.String() != want {
			t.Errorf("json: %v: stdout %q, stderr %q, want %q alone", asJSON, &stdout, &stderr, want)
		}
	}
}

func TestStatus(t *testing.T) {
	unsent := &target{statistics: ping.Statistics{SendErrors: 2}}
	up := &target{statistics: ping.Statistics{Sent: 3, Received: 1, Lost: 2}}
	down := &target{statistics: ping.Statistics{Sent: 1, Lost: 1}}
	for _, test := range []struct {
		name    string
		failed  bool
		targets []*target
		want    int
	}{
		{"each answered once", false, []*target{up, up}, 0},
		{"one did not", false, []*target{up, down}, 1},
		{"none could be sent to one, and one did not answer", false, []*target{down, unsent, up}, 2},
		{"an error", true, []*target{up, up}, 2},
		{"an error and one that did not", true, []*target{down, up}, 2},
	} {
		if got := (&output{failed: test.failed}).status(test.targets); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
