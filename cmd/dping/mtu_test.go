package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/icmpsock/ping"
)

func TestShowMTU(t *testing.T) {
	addr, router := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.1.254")
	refused := &ping.ICMPError{Type: 3, Code: 1, From: router}
	for _, test := range []struct {
		name                   string
		mtu                    int
		err                    error
		status                 int
		stdout, stderr, asJSON string
	}{
		{
			"found", 1400, nil, 0, "path MTU to host (192.0.2.1): 1400 bytes\n", "",
			`{"host":"host","target":"192.0.2.1","mtu":1400}` + "\n",
		},
		{
			"silence", 0, fmt.Errorf("ping 192.0.2.1: %w", ping.ErrTimeout), 1, "no answer from host\n", "",
			`{"host":"host","target":"192.0.2.1","kind":"timeout","error":"no reply in time"}` + "\n",
		},
		{
			"answered from elsewhere", 0, fmt.Errorf("ping 192.0.2.1: %w", &ping.ElsewhereError{From: router}), 1,
			"no answer from host (answered from 10.0.1.254)\n", "",
			`{"host":"host","target":"192.0.2.1","kind":"timeout","error":"no reply in time (answered from 10.0.1.254)"}` + "\n",
		},
		{
			"refused", 0, fmt.Errorf("ping 192.0.2.1: %w", refused), 1,
			"host: From 10.0.1.254: destination host unreachable\n", "",
			`{"host":"host","target":"192.0.2.1","kind":"icmp","error":"destination host unreachable, from 10.0.1.254"}` + "\n",
		},
		{
			"interrupted", 1280, fmt.Errorf("ping 192.0.2.1: %w", context.Canceled), 1,
			"path MTU to host (192.0.2.1): 1280 bytes or more (interrupted)\n", "",
			`{"host":"host","target":"192.0.2.1","mtu":1280,"kind":"canceled","error":"interrupted"}` + "\n",
		},
		{
			"a bound", 1280, fmt.Errorf("ping 192.0.2.1: the path MTU is 1280 or more: %w", ping.ErrTimeout), 1,
			"path MTU to host (192.0.2.1): 1280 bytes or more (no reply in time)\n", "",
			`{"host":"host","target":"192.0.2.1","mtu":1280,"kind":"timeout","error":"no reply in time"}` + "\n",
		},
		{
			"a bound, refused", 1280, fmt.Errorf("ping 192.0.2.1: the path MTU is 1280 or more: %w", refused), 1,
			"path MTU to host (192.0.2.1): 1280 bytes or more (destination host unreachable, from 10.0.1.254)\n", "",
			`{"host":"host","target":"192.0.2.1","mtu":1280,"kind":"icmp",` +
				`"error":"destination host unreachable, from 10.0.1.254"}` + "\n",
		},
		{"interrupted at once", 0, context.Canceled, 1, "", "", ""},
		{
			"another error", 0, errors.New("ping 192.0.2.1: network is unreachable"), 2, "",
			"dping: 192.0.2.1: network is unreachable\n",
			`{"host":"host","kind":"not_sent","error":"ping 192.0.2.1: network is unreachable"}` + "\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for asJSON, want := range map[bool]string{false: test.stdout, true: test.asJSON} {
				var stdout, stderr strings.Builder
				o := &output{config: &config{json: asJSON}, stdout: &stdout, stderr: &stderr}
				if status := o.showMTU(mtuRecord{Host: "host", Target: addr, MTU: test.mtu}, test.err); status != test.status {
					t.Errorf("status %d, want %d", status, test.status)
				}
				if stdout.String() != want || stderr.String() != test.stderr {
					t.Errorf("json: %v: stdout %q, stderr %q, want %q, %q", asJSON, &stdout, &stderr, want, test.stderr)
				}
			}
		})
	}
}
