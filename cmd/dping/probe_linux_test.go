package main

import (
	"net/netip"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// The state of an interface is asked for as -probe names it; what the host tells, and that it does not, is shown.
func TestProbe(t *testing.T) {
	netlab.Require(t)
	ns := netlab.Self(t)
	wantRun(t, "-probe lo -W 50ms 127.0.0.1", 1, "no answer from 127\\.0\\.0\\.1\n", "")
	ns.Sysctl(t, "net/ipv4/icmp_echo_enable_probe", "1")
	const told = `: active, IPv4, IPv6, time=\d+\.\d{3} ms` + "\n"
	wantRun(t, "-probe lo 127.0.0.1", 0, `interface lo of 127\.0\.0\.1 \(127\.0\.0\.1\)`+told, "")
	wantRun(t, "-probe 1 ::1", 0, `interface number 1 of ::1 \(::1\)`+told, "")
	wantRun(t, "-probe 127.0.0.1 ::1", 0, `interface with 127\.0\.0\.1 of ::1 \(::1\)`+told, "")
	wantRun(t, "-probe eth7 127.0.0.1", 1,
		`interface eth7 of 127\.0\.0\.1 \(127\.0\.0\.1\): no such interface\n`, "")
	wantRun(t, "-probe neighbour:10.0.0.1 -W 50ms ::1", 1, "no answer from ::1\n", "")
	wantRun(t, "-probe lo -s 65500 127.0.0.1", 2, "",
		"dping: 127.0.0.1: -s 65500: a question for interface lo takes 0 to 65491\n")
	wantRun(t, "-json -probe lo 127.0.0.1", 0, `{"host":"127.0.0.1","interface":"interface lo","status":{"active":true,`+
		`"ipv4":true,"ipv6":true,"reply":{"seq":0,"target":"127.0.0.1",.*"rtt_ns":\d+,.*}}}`+"\n", "")
	wantRun(t, "-json -probe eth7 127.0.0.1", 1, `{"host":"127.0.0.1","interface":"interface eth7","status":{.*`+
		`"kind":"interface","error":"ping 127.0.0.1: no such interface"}}}`+"\n", "")
}

// The argument of -probe is an address, a number or a name.
func TestParseInterface(t *testing.T) {
	addr := netip.MustParseAddr("2001:db8::1")
	for s, want := range map[string]ping.InterfaceID{
		"eth0": {Name: "eth0"}, "2": {Index: 2}, "2001:db8::1": {Addr: addr},
		"neighbour:2001:db8::1": {Addr: addr, Neighbour: true}, "xe-0/0/1.5": {Name: "xe-0/0/1.5"}, "0x2": {Name: "0x2"},
	} {
		var got ping.InterfaceID
		if err := parseInterface(s, &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", s, got, err, want)
		}
	}
}
