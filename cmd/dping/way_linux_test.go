package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// threeHops makes a chain of two Linux routers, each of two links, and a target beyond them. The link to the target
// takes 1,400 bytes.
func threeHops(t *testing.T) {
	t.Helper()
	all := []*netlab.Namespace{netlab.Self(t), netlab.New(t), netlab.New(t), netlab.New(t)}
	for i := range all[1:] {
		near, far := fmt.Sprintf("d%da", i), fmt.Sprintf("d%db", i)
		netlab.Link(t, all[i], near, all[i+1], far)
		all[i].Addr(t, near, netip.MustParsePrefix(fmt.Sprintf("10.66.%d.1/24", i)))
		all[i+1].Addr(t, far, netip.MustParsePrefix(fmt.Sprintf("10.66.%d.2/24", i)))
		all[i].Addr(t, near, netip.MustParsePrefix(fmt.Sprintf("2001:db8:66%d::1/64", i)))
		all[i+1].Addr(t, far, netip.MustParsePrefix(fmt.Sprintf("2001:db8:66%d::2/64", i)))
	}
	all[1].Forward(t)
	all[2].Forward(t)
	all[2].SetMTU(t, "d2a", 1400)
	all[3].SetMTU(t, "d2b", 1400)
	for _, r := range []struct {
		from int
		dst  string
		dst6 string
		via  string
		via6 string
		dev  string
	}{
		{0, "10.66.1.0/24", "2001:db8:661::/64", "10.66.0.2", "2001:db8:660::2", "d0a"},
		{0, "10.66.2.0/24", "2001:db8:662::/64", "10.66.0.2", "2001:db8:660::2", "d0a"},
		{1, "10.66.2.0/24", "2001:db8:662::/64", "10.66.1.2", "2001:db8:661::2", "d1a"},
		{2, "10.66.0.0/24", "2001:db8:660::/64", "10.66.1.1", "2001:db8:661::1", "d1b"},
		{3, "10.66.0.0/24", "2001:db8:660::/64", "10.66.2.1", "2001:db8:662::1", "d2b"},
		{3, "10.66.1.0/24", "2001:db8:661::/64", "10.66.2.1", "2001:db8:662::1", "d2b"},
	} {
		all[r.from].Route(t, netip.MustParsePrefix(r.dst), netip.MustParseAddr(r.via), r.dev)
		all[r.from].Route(t, netip.MustParsePrefix(r.dst6), netip.MustParseAddr(r.via6), r.dev)
	}
}

func TestWay(t *testing.T) {
	threeHops(t)
	const (
		rtt   = `  \d+\.\d{3} ms`
		rtts  = rtt + rtt + rtt
		three = ` 1  10\.66\.0\.2` + rtts + `\n 2  10\.66\.1\.2` + rtts + `\n`
		stats = ` +0\.0%     3( +\d+\.\d{3}){5}\n`
		head  = `    loss  sent     last     mean     best    worst    stdev\n`
	)
	for _, test := range []struct {
		name, args     string
		status         int
		stdout, stderr string // patterns
	}{
		{
			"trace", "-trace -n 10.66.2.2", 0,
			`TRACE 10\.66\.2\.2 \(10\.66\.2\.2\): 30 hops max, 56 data bytes\n` + three + ` 3  10\.66\.2\.2` + rtts + `\n`, ``,
		},
		{
			"trace of IPv6", "-trace -n -6 -s 100 2001:db8:662::2", 0,
			`TRACE .*: 30 hops max, 100 data bytes\n 1  2001:db8:660::2` + rtts + `\n 2  2001:db8:661::2` + rtts +
				`\n 3  2001:db8:662::2` + rtts + `\n`, ``,
		},
		{
			"not far enough", "-trace -n -m 2 10.66.2.2", 1,
			`TRACE 10\.66\.2\.2 \(10\.66\.2\.2\): 2 hops max, 56 data bytes\n` + three, ``,
		},
		{
			"several", "-trace -n 127.0.0.1 nosuch.invalid 10.66.2.2", 2,
			`TRACE 127\.0\.0\.1 .*\n 1  127\.0\.0\.1` + rtts + `\nTRACE 10(.|\n)* 3  10\.66\.2\.2` + rtts + `\n`,
			`dping: .*nosuch\.invalid.*\n`,
		},
		{"trace with too small a payload", "-trace -n -s 4 127.0.0.1", 2, ``, `dping: -s 4: -trace takes 8 or more\n`},
		{
			"table", "-trace -n -c 3 -i 10ms 10.66.2.2", 0,
			`TRACE 10\.66\.2\.2 \(10\.66\.2\.2\)` + head + ` 1  10\.66\.0\.2` + stats + ` 2  10\.66\.1\.2` + stats +
				` 3  10\.66\.2\.2` + stats, ``,
		},
		{
			"table, not far enough", "-trace -n -c 3 -i 10ms -m 1 10.66.2.2", 1, `TRACE .*\n 1  10\.66\.0\.2 .*\n`, ``,
		},
		{"MTU", "-mtu 10.66.2.2", 0, `path MTU to 10\.66\.2\.2 \(10\.66\.2\.2\): 1400 bytes\n`, ``},
		{"MTU for IPv6", "-mtu -6 2001:db8:662::2", 0, `path MTU to 2001:db8:662::2 \(2001:db8:662::2\): 1400 bytes\n`, ``},
		{
			"MTU hop by hop", "-mtu -v 10.66.2.2", 0,
			` 0  this host  1500 bytes\n 1  10\.66\.0\.2` + rtt + `  1500 bytes\n 2  10\.66\.1\.2` + rtt + `  1500 bytes\n` +
				` 3  10\.66\.2\.2` + rtt + `  1400 bytes, says 10\.66\.1\.2\n` +
				`path MTU to 10\.66\.2\.2 \(10\.66\.2\.2\): 1400 bytes\n`, ``,
		},
		{
			"MTU hop by hop, JSON", "-mtu -v -json 2001:db8:662::2", 0,
			`{"host":"2001:db8:662::2","hop":{"distance":0,"reached":false,"mtu":1500}}\n(.*\n){2}` +
				`{.*"hop":{"distance":3,"router":"2001:db8:662::2","reached":true,"mtu":1400,"named_by":"2001:db8:661::2",` +
				`"rtt_ns":\d+}}\n{.*"target":"2001:db8:662::2","mtu":1400}\n`, ``,
		},
		{
			"MTU hop by hop, too far", "-mtu -v -m 1 10.66.2.2", 1,
			` 0  this host  1500 bytes\n 1  10\.66\.0\.2` + rtt + `  1500 bytes\nno answer from 10\.66\.2\.2\n`, ``,
		},
		{"MTU with a TTL", "-mtu -t 1 10.66.2.2", 1, `10\.66\.2\.2: From 10\.66\.0\.2: time to live exceeded\n`, ``},
		{"MTU, no answer", "-mtu -W 1ns -c 1 127.0.0.1", 1, `no answer from 127\.0\.0\.1\n`, ``},
		{
			"MTU of several", "-mtu -json 10.66.2.2 nosuch.invalid", 2,
			`({"host":"10\.66\.2\.2","target":"10\.66\.2\.2","mtu":1400}\n|` +
				`{"host":"nosuch\.invalid","kind":"name","error":".*"}\n){2}`, `dping: .*nosuch\.invalid.*\n`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantRun(t, test.args, test.status, test.stdout, test.stderr)
		})
	}
}

// A way that ends before the target: where nobody answers beyond some router, the table ends one hop after it.
func TestNoWay(t *testing.T) {
	router, second := netip.MustParseAddr("198.51.100.254"), netip.MustParseAddr("198.51.100.253")
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")},
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		Script: func(r *netlab.Request) []netlab.Answer {
			switch {
			case r.TTL == 1:
				return []netlab.Answer{r.Error(router, 11, 0, 0, -1)}
			case r.Dst == netip.MustParseAddr("203.0.113.13"):
				return []netlab.Answer{r.Error(second, 3, 13, 0, -1)}
			}
			return nil
		},
	})
	for _, test := range []struct{ args, stdout string }{
		{
			"-trace -n -m 3 -W 200ms 203.0.113.5",
			`TRACE .*\n 1  198\.51\.100\.254(  \d+\.\d{3} ms){3}\n 2  \*  \*  \*\n 3  \*  \*  \*\n`,
		},
		{
			"-trace -n 203.0.113.13",
			`TRACE .*\n 1  198\.51\.100\.254(  \d+\.\d{3} ms){3}\n 2  198\.51\.100\.253(  \d+\.\d{3} ms !X){3}\n`,
		},
		{
			"-trace -n -m 4 -c 2 -i 0 -W 200ms 203.0.113.5",
			`TRACE .*\n 1  198\.51\.100\.254 +0\.0%     2( +\d+\.\d{3}){5}\n 2  \* +100\.0%     2\n`,
		},
		{
			"-trace -n -c 2 -i 0 203.0.113.13",
			`TRACE .*\n 1  198\.51\.100\.254 +0\.0%     2( +\d+\.\d{3}){5}\n` +
				` 2  \* +100\.0%     2\n    communication administratively prohibited, from 198\.51\.100\.253\n`,
		},
	} {
		status, stdout, stderr := dping(t, strings.Fields(test.args)...)
		if status != 1 || stderr != "" {
			t.Errorf("%s: exit status %d, stderr %q, want 1 and nothing", test.args, status, stderr)
		}
		wantMatch(t, stdout, test.stdout)
	}
}

// A way that becomes longer, and then shorter, while its table is made. What a router answered at the distance of the
// target has a line of its own.
func TestWayChanges(t *testing.T) {
	var sent atomic.Int64
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")},
		Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		Script: func(r *netlab.Request) []netlab.Answer {
			length := 2
			if n := sent.Add(1); n > 20 && n < 80 {
				length = 4
			}
			if r.TTL < length {
				return []netlab.Answer{r.Error(netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + r.TTL)}), 11, 0, 0, -1)}
			}
			return []netlab.Answer{r.Echo()}
		},
	})
	status, stdout, stderr := dping(t, "-trace", "-n", "-c", "60", "-i", "1ms", "203.0.113.5")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q", status, stderr)
	}
	wantMatch(t, stdout, `TRACE .*\n 1  198\.51\.100\.101 +0\.0% +60( +\d+\.\d{3}){5}\n`+
		` 2  203\.0\.113\.5 +0\.0% +\d+( +\d+\.\d{3}){5}\n`+
		` 2  198\.51\.100\.102 +0\.0% +\d+( +\d+\.\d{3}){5}\n`)
}

// All rounds take one path, which -flow chooses: the checksum of their requests is one.
func TestWayFlow(t *testing.T) {
	var mu sync.Mutex
	sums := map[uint32]int{} // without the identifier, which each run has another of
	respond(t, func(r *netlab.Request) []netlab.Answer {
		mu.Lock()
		defer mu.Unlock()
		sums[(uint32(binary.BigEndian.Uint16(r.Packet[22:]))+uint32(r.ID))%0xffff]++
		return []netlab.Answer{r.Echo()}
	})
	for i, args := range []string{"-trace -n -c 5 -i 0", "-trace -n -c 5 -i 0 -flow 7", "-watch -n -c 5 -i 10ms -flow 7"} {
		if status, stdout, stderr := dping(t, append(strings.Fields(args), far)...); status != 0 {
			t.Errorf("%s: exit status %d, %s, %s", args, status, stdout, stderr)
		}
		mu.Lock()
		if want := min(i+1, 2); len(sums) != want {
			t.Errorf("%s: checksums %v, want %d", args, sums, want)
		}
		mu.Unlock()
	}
}

// What a router's errors show of a NAT is in the text and in the table, and with -json.
func TestWayNAT(t *testing.T) {
	respond(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 1 {
			return []netlab.Answer{r.Echo()}
		}
		quoted := r.Altered(func(p *netlab.Packet) { p.Dst = netip.MustParseAddr("10.0.0.5") })
		return []netlab.Answer{netlab.ErrorQuoting(quoted, netip.MustParseAddr("198.51.100.254"), 11, 0, 0)}
	})
	const hint = `"nat":true,"quoted":"10\.0\.0\.5"`
	for args, want := range map[string]string{
		"-trace -n": `TRACE .*\n 1  198\.51\.100\.254 \(NAT: for 10\.0\.0\.5\)(  \d+\.\d{3} ms){3}\n 2  203\.0\.113\.9  .*\n`,
		"-trace -n -c 2 -i 0": `TRACE .*\n 1  198\.51\.100\.254 +0\.0%     2 .*\n    \(NAT: for 10\.0\.0\.5\)\n` +
			` 2  203\.0\.113\.9 +0\.0%     2 .*\n`,
		"-trace -json":           `{.*` + hint + `.*}\n{.*}\n`,
		"-trace -json -c 2 -i 0": `{.*"distance":1,.*` + hint + `.*}\n{.*}\n`,
		"-watch -json -c 2":      `{.*"distance":1,.*` + hint + `.*}\n{.*}\n`,
		"-mtu -v": ` 0 .*\n 1  198\.51\.100\.254  \d+\.\d{3} ms  \(NAT: for 10\.0\.0\.5\)  1500 bytes\n` +
			` 2  203\.0\.113\.9  \d+\.\d{3} ms  1500 bytes\npath .*\n`,
	} {
		status, stdout, stderr := dping(t, append(strings.Fields(args), far)...)
		if status != 0 || stderr != "" {
			t.Errorf("%s: exit status %d, stderr %q, want 0 and nothing", args, status, stderr)
		}
		wantMatch(t, stdout, want)
	}
}

func TestWayJSON(t *testing.T) {
	threeHops(t)
	for args, replies := range map[string]int{"-trace -json": 3, "-trace -json -c 5 -i 1ms": 0} {
		status, stdout, stderr := dping(t, append(strings.Fields(args), "10.66.2.2")...)
		if status != 0 || stderr != "" {
			t.Errorf("%s: exit status %d, stderr %q, want 0 and nothing", args, status, stderr)
		}
		n := 0
		for text := range strings.Lines(stdout) {
			var l struct {
				Host string `json:"host"`
				Hop  struct {
					Distance   int               `json:"distance"`
					Reached    bool              `json:"reached"`
					Replies    []json.RawMessage `json:"replies"`
					Addrs      []netip.Addr      `json:"addrs"`
					Last       int64             `json:"last_ns"`
					Statistics struct {
						Target         netip.Addr `json:"target"`
						Sent, Received int
					} `json:"statistics"`
				} `json:"hop"`
			}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
			n++
			h := l.Hop
			if l.Host != "10.66.2.2" || h.Distance != n || h.Reached != (n == 3) || len(h.Replies) != replies {
				t.Errorf("%s: line %d: %s", args, n, text)
			}
			want := netip.MustParseAddr(fmt.Sprintf("10.66.%d.2", n-1))
			if s := h.Statistics; replies == 0 &&
				(s.Sent != 5 || s.Received != 5 || h.Last <= 0 || len(h.Addrs) != 1 || h.Addrs[0] != want ||
					s.Target.String() != l.Host) {
				t.Errorf("%s: line %d: %s", args, n, text)
			}
		}
		if n != 3 {
			t.Errorf("%s: %d lines, want 3", args, n)
		}
	}
}

// SIGQUIT shows the table so far, and an interrupt ends it with what there is.
func TestWayInterrupted(t *testing.T) {
	threeHops(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	quit := make(chan os.Signal, 1)
	quit <- os.Interrupt // any will do
	shown := 0
	out := &screen{t: t, look: func(line string) {
		if !strings.HasPrefix(line, "TRACE ") {
			return
		}
		if shown++; shown == 1 {
			cancel()
		}
	}}
	// The interval is so long that nothing but the interrupt ends it.
	status := run(ctx, strings.Fields("-trace -n -c 100 -i 1h 10.66.2.2"), out, io.Discard, quit)
	if shown != 2 {
		t.Errorf("shown %d times, exit status %d, want 2", shown, status)
	}

	done, stop := context.WithCancel(t.Context())
	stop()
	for _, args := range []string{"-trace 10.66.2.2", "-trace -c 5 10.66.2.2", "-mtu 10.66.2.2"} {
		var stdout, stderr strings.Builder
		if status := run(done, strings.Fields(args), &stdout, &stderr, nil); status != 1 || stdout.Len()+stderr.Len() > 0 {
			t.Errorf("%s, interrupted at once: exit status %d, stdout %q, stderr %q", args, status, &stdout, &stderr)
		}
	}
}

func TestWayWriteError(t *testing.T) {
	netlab.Require(t)
	for _, args := range []string{"-trace -n", "-trace -n -c 2 -i 0", "-mtu"} {
		var stderr strings.Builder
		hosts := []string{"127.0.0.1", "127.0.0.2"}
		status := run(t.Context(), append(strings.Fields(args), hosts...), fullDisk{}, &stderr, nil)
		if status != 2 {
			t.Errorf("%s: exit status %d, want 2", args, status)
		}
		if got, want := stderr.String(), "dping: disk full\n"; got != want {
			t.Errorf("%s: stderr %q, want %q", args, got, want)
		}
	}
}
