package ping_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What a Reply is as text, as JSON and in a log.
func TestReplyAsText(t *testing.T) {
	addr, router := netip.MustParseAddr(target), netip.MustParseAddr("192.0.2.254")
	tooBig := &ping.ICMPError{Type: 3, Code: 4, From: router, MTU: 1400}
	for _, c := range []struct {
		reply              ping.Reply
		text, asJSON, logs string
	}{
		{
			ping.Reply{Target: addr, From: addr, RTT: 123456, TTL: 64, Size: 64},
			"64 bytes from 192.0.2.1: seq=0 ttl=64 time=0.123 ms",
			`{"seq":0,"target":"192.0.2.1","from":"192.0.2.1","rtt_ns":123456,"ttl":64,"size":64}`,
			"r.target=192.0.2.1 r.seq=0 r.rtt=123.456µs r.ttl=64 r.size=64",
		},
		{
			ping.Reply{Seq: 7, Target: addr, From: addr, RTT: ms, Size: 64},
			"64 bytes from 192.0.2.1: seq=7 time=1.000 ms",
			`{"seq":7,"target":"192.0.2.1","from":"192.0.2.1","rtt_ns":1000000,"size":64}`,
			"r.target=192.0.2.1 r.seq=7 r.rtt=1ms r.size=64",
		},
		{
			ping.Reply{Seq: 1, Target: addr, From: router, RTT: ms, TTL: 63, Err: tooBig},
			"From 192.0.2.254: seq=1 fragmentation needed (MTU 1400)",
			`{"seq":1,"target":"192.0.2.1","from":"192.0.2.254","rtt_ns":1000000,"ttl":63,"kind":"icmp",` +
				`"error":"fragmentation needed (MTU 1400), from 192.0.2.254",` +
				`"icmp_error":{"type":3,"code":4,"from":"192.0.2.254","mtu":1400}}`,
			`r.target=192.0.2.1 r.seq=1 r.from=192.0.2.254 r.rtt=1ms r.ttl=63 r.kind=icmp ` +
				`r.error="fragmentation needed (MTU 1400), from 192.0.2.254"`,
		},
		{
			ping.Reply{Seq: 2, Target: addr, Err: ping.ErrTimeout},
			"192.0.2.1: seq=2 no reply in time",
			`{"seq":2,"target":"192.0.2.1","kind":"timeout","error":"no reply in time"}`,
			`r.target=192.0.2.1 r.seq=2 r.kind=timeout r.error="no reply in time"`,
		},
		{
			ping.Reply{Seq: 3, Target: addr, Err: ping.ErrLocalDrop},
			"192.0.2.1: seq=3 no reply in time: this host's socket dropped messages",
			`{"seq":3,"target":"192.0.2.1","kind":"local_drop","error":"no reply in time: this host's socket dropped messages"}`,
			`r.target=192.0.2.1 r.seq=3 r.kind=local_drop r.error="no reply in time: this host's socket dropped messages"`,
		},
		{
			ping.Reply{Seq: 4, Target: addr, Err: errors.New("network is unreachable")},
			"192.0.2.1: seq=4 not sent: network is unreachable",
			`{"seq":4,"target":"192.0.2.1","kind":"not_sent","error":"network is unreachable"}`,
			`r.target=192.0.2.1 r.seq=4 r.kind=not_sent r.error="network is unreachable"`,
		},
		{
			ping.Reply{Seq: 5, Target: addr, From: addr, TTL: 9, Size: 64, Err: ping.ErrDuplicate},
			"64 bytes from 192.0.2.1: seq=5 ttl=9 (duplicate reply)",
			`{"seq":5,"target":"192.0.2.1","from":"192.0.2.1","ttl":9,"size":64,"kind":"duplicate","error":"duplicate reply"}`,
			`r.target=192.0.2.1 r.seq=5 r.ttl=9 r.size=64 r.kind=duplicate r.error="duplicate reply"`,
		},
		{
			ping.Reply{Target: addr, From: addr, RTT: ms, TTL: 57, Size: 76, Truncated: true},
			"76 bytes from 192.0.2.1: seq=0 ttl=57 time=1.000 ms (truncated)",
			`{"seq":0,"target":"192.0.2.1","from":"192.0.2.1","rtt_ns":1000000,"ttl":57,"size":76,"truncated":true}`,
			"r.target=192.0.2.1 r.seq=0 r.rtt=1ms r.ttl=57 r.size=76 r.truncated=true",
		},
		{
			ping.Reply{Seq: 6, Target: addr, Err: &ping.ElsewhereError{From: router}},
			"192.0.2.1: seq=6 no reply in time: answered from 192.0.2.254",
			`{"seq":6,"target":"192.0.2.1","kind":"timeout","error":"no reply in time: answered from 192.0.2.254"}`,
			`r.target=192.0.2.1 r.seq=6 r.kind=timeout r.error="no reply in time: answered from 192.0.2.254"`,
		},
		{
			ping.Reply{Err: errors.New("ping: Sweep: option 0 is nil")},
			"ping: Sweep: option 0 is nil",
			`{"seq":0,"kind":"not_sent","error":"ping: Sweep: option 0 is nil"}`,
			`r.seq=0 r.kind=not_sent r.error="ping: Sweep: option 0 is nil"`,
		},
	} {
		if got := c.reply.String(); got != c.text {
			t.Errorf("text is %q, want %q", got, c.text)
		}
		if got, err := json.Marshal(c.reply); err != nil || string(got) != c.asJSON {
			t.Errorf("JSON is %s, %v, want %s", got, err, c.asJSON)
		}
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "r", c.reply)
		if got := b.String(); !strings.HasSuffix(got, ` msg="" `+c.logs+"\n") {
			t.Errorf("log is %s, want %s", got, c.logs)
		}
	}
}

// The text of what Ping returns has the host once.
func TestReplyOfPingAsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil), ping.WithResolver(resolverFunc(
			func(context.Context, string, string) ([]netip.Addr, error) { return nil, fs.ErrNotExist })))
		ctx, cancel := context.WithTimeout(t.Context(), 1500*ms)
		defer cancel()
		for _, c := range []struct{ host, want string }{
			{target, "192.0.2.1: seq=0 no reply in time"},
			{target, "192.0.2.1: seq=0 context deadline exceeded"},
			{"nosuch", "ping nosuch: context deadline exceeded"},
		} {
			r, err := p.Ping(ctx, c.host)
			if err == nil || r.String() != c.want {
				t.Errorf("%s: %q, %v, want %q", c.host, r, err, c.want)
			}
		}
	})
}

func TestErrorKind(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{ping.ErrTimeout, "timeout"}, {ping.ErrLocalDrop, "local_drop"}, {&ping.ICMPError{}, "icmp"},
		{ping.ErrLate, "late"}, {ping.ErrDuplicate, "duplicate"}, {ping.ErrCorrupted, "corrupted"}, {ping.ErrStray, "stray"},
		{&net.DNSError{}, "name"}, {ping.ErrNotPermitted, "not_permitted"},
		{context.Canceled, "canceled"}, {context.DeadlineExceeded, "canceled"}, {net.ErrClosed, "closed"},
		{fmt.Errorf("%w: %w", context.Canceled, &net.DNSError{}), "canceled"},
		{fs.ErrPermission, "not_sent"}, {ping.ErrNoRoom, "not_sent"}, {errors.New("no route to host"), "not_sent"},
	} {
		err := c.err
		for range 2 {
			if got := ping.ErrorKind(err); got != c.want {
				t.Errorf("%v is %q, want %q", err, got, c.want)
			}
			if err != nil {
				err = fmt.Errorf("ping 192.0.2.1: %w", err)
			}
		}
	}
}

// A Reply has the address that was asked, as the caller wrote it, whoever answers and whatever comes of it.
func TestTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const zoned = "fe80::1%eth7"
		answer := func(n int, m ping.Message) []delayed {
			switch m.Addr.String() {
			case target, zoned:
				return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}}
			case "192.0.2.2":
				return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
			}
			return nil
		}
		f := newFake(answer)
		f.refuse = func(_ int, m ping.Message) error {
			if m.Addr.String() == "192.0.2.4" {
				return fs.ErrPermission
			}
			return nil
		}
		p := newFakePinger(t, f)
		hosts := []string{target, "192.0.2.2", "192.0.2.3", "192.0.2.4", zoned}
		w := newWatcher(t, p, ping.WithAnomalies(true))
		var addrs []netip.Addr
		for i, host := range hosts {
			addr := netip.MustParseAddr(host)
			addrs = append(addrs, addr)
			add(t, w, int64(i), host)
			check := func(what string, r ping.Reply) {
				t.Helper()
				if r.Target != addr {
					t.Errorf("%s %s: target %v of %v", what, host, r.Target, r)
				}
			}
			r, _ := p.Ping(t.Context(), host)
			check("Ping", r)
			r, _ = p.FirstReply(t.Context(), host, ping.WithInterval(0))
			check("FirstReply", r)
			ended, end := context.WithTimeout(t.Context(), ms/2)
			r, _ = p.Ping(ended, host)
			check("Ping that was canceled", r)
			end()
			var sum ping.Statistics
			for r, err := range p.Stream(t.Context(), host, ping.WithCount(2), ping.WithAnomalies(true)) {
				if err != nil {
					t.Fatal(err)
				}
				check("Stream", r)
				sum.Add(r)
			}
			if sum.Target != addr {
				t.Errorf("Statistics of %s: target %v", host, sum.Target)
			}
			for h, err := range p.Trace(t.Context(), host, ping.WithMaxHops(1), ping.WithCount(1)) {
				if err == nil {
					check("Trace", h.Replies[0])
				}
			}
		}
		multicast := netip.MustParseAddr("224.0.0.1") // which is refused
		n := 0
		for addr, r := range p.Sweep(t.Context(), slices.Values(append(addrs, multicast)), ping.WithCount(2)) {
			if n++; r.Target != addr {
				t.Errorf("Sweep %v: target %v of %v", addr, r.Target, r)
			}
		}
		if n != 2*len(hosts)+2 {
			t.Errorf("%d replies of a Sweep", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		n = 0
		for id, r := range w.Replies(ctx) {
			if n++; r.Target != addrs[id] {
				t.Errorf("Watcher %v: target %v of %v", addrs[id], r.Target, r)
			}
		}
		if n < 4*len(hosts) {
			t.Errorf("%d replies of a Watcher", n)
		}
	})
}

// The first Target that Statistics are told is theirs, and none that comes later.
func TestStatisticsTarget(t *testing.T) {
	first, second := netip.MustParseAddr(target), netip.MustParseAddr("192.0.2.2")
	s := sum([]ping.Reply{{Err: ping.ErrTimeout}, {Target: first, Err: ping.ErrTimeout}, {Target: second}})
	if s.Target != first {
		t.Errorf("target is %v", s.Target)
	}
}
