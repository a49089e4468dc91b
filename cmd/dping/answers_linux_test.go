package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// Hosts that send back less than they are sent, or from another address.
func TestOddHosts(t *testing.T) {
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:1::1/64")},
		Script: func(r *netlab.Request) []netlab.Answer {
			if r.Dst.As16()[15] == 9 {
				return []netlab.Answer{r.Forge(func(p *netlab.Packet) { p.Src = p.Src.Next() })}
			}
			return []netlab.Answer{r.EchoFirst(68)}
		},
	})
	for _, test := range []struct {
		args   string
		status int
		stdout string // a pattern
	}{
		{
			"-c 1 -s 100 198.51.100.8", 0,
			`PING .*\n76 bytes from 198\.51\.100\.8: icmp_seq=1 ttl=64 time=\S+ ms \(truncated\)\n` +
				`(.|\n)* 0% packet loss(.|\n)*`,
		},
		{"-c 1 -s 68 198.51.100.8", 0, `PING .*\n76 bytes from 198\.51\.100\.8: icmp_seq=1 ttl=64 time=\S+ ms\n(.|\n)*`},
		{"-mtu 198.51.100.8", 0, `path MTU to .*: 1500 bytes\n`},
		{"-mtu -6 2001:db8:1::8", 0, `path MTU to .*: 1500 bytes\n`},
		{"-c 1 2001:db8:1::9", 0, `PING .*\n64 bytes from 2001:db8:1::a: icmp_seq=1 (.|\n)* 0% packet loss(.|\n)*`},
		{
			"-c 1 -W 100ms 198.51.100.9", 1,
			`PING .*\n64 bytes from 198\.51\.100\.10: icmp_seq=1 ttl=64 \(DIFFERENT ADDRESS!\)\n` +
				`no answer from 198\.51\.100\.9: icmp_seq=1 \(answered from 198\.51\.100\.10\)\n(.|\n)*`,
		},
	} {
		status, stdout, stderr := dping(t, strings.Fields(test.args)...)
		if status != test.status || stderr != "" {
			t.Errorf("%s: exit status %d, stderr %q, want %d and nothing", test.args, status, stderr, test.status)
		}
		wantMatch(t, stdout, test.stdout)
	}
}
