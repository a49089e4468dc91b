package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// far is a host beyond the link to a responder, and farRoute the way there.
const far = "203.0.113.9"

var farRoute = netip.MustParsePrefix("203.0.113.0/24")

// respond has the script answer for far.
func respond(t *testing.T, script func(*netlab.Request) []netlab.Answer) {
	t.Helper()
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")},
		Routes: []netip.Prefix{farRoute},
		Script: script,
	})
}

// What cannot be sent is loss, in each way that dping tells it. If nothing could be sent, the exit status is 2, as that
// of ping(8) is; if something was answered before, it is 0.
func TestUnsent(t *testing.T) {
	netlab.Require(t)
	const refused = `dping: 203\.0\.113\.9: icmp_seq=%d not sent: .*network is unreachable\n`
	wantRun(t, "-c 2 -i 1ms "+far, 2,
		`PING 203\.0\.113\.9 .*\n\n--- 203\.0\.113\.9 ping statistics ---\n`+
			`0 packets transmitted, 0 received, \+2 not sent, 100% packet loss\n`,
		fmt.Sprintf(refused, 1)+fmt.Sprintf(refused, 2))
	wantRun(t, "-json -c 2 -i 1ms "+far, 2,
		`({.*"reply":{"seq":\d,.*"error":".*network is unreachable"}}\n){2}`+
			`{.*"statistics":{.*"sent":0,"send_errors":2,.*"loss":1.*}}\n`, ``)
	wantRun(t, "-json -q -c 2 -i 1ms "+far+" 127.0.0.1", 2,
		`{.*"statistics":{.*"send_errors":2,.*"loss":1.*}}\n{.*"statistics":{.*"received":2,.*"loss":0.*}}\n`,
		fmt.Sprintf(refused, 1))

	respond(t, nil)
	status, stdout, stderr := dpingWatched(t, func(line string) {
		if strings.Contains(line, "icmp_seq=6 ") {
			netlab.Self(t).DelRoute(t, farRoute)
		}
	}, "-c", "8", "-i", "0", far)
	if status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	wantMatch(t, stdout, `PING (.|\n)*6 packets transmitted, 6 received, \+2 not sent, 25% packet loss\nrtt .*\n`)
	wantMatch(t, stderr, fmt.Sprintf(refused, 7)+fmt.Sprintf(refused, 8))
}

// An anomaly comes beside the outcome of a probe.
func TestAnomalies(t *testing.T) {
	netlab.Require(t)
	var late netlab.Answer
	respond(t, func(r *netlab.Request) []netlab.Answer {
		switch r.N % 5 {
		case 0:
			return []netlab.Answer{r.Echo(), r.Echo(), r.Echo()}
		case 1:
			return []netlab.Answer{r.Forge(func(p *netlab.Packet) { p.Payload[len(p.Payload)-1]++ }), r.Echo()}
		case 2:
			return []netlab.Answer{
				r.Forge(func(p *netlab.Packet) { p.Src = netip.MustParseAddr("203.0.113.77") }),
				r.Forge(func(p *netlab.Packet) { clear(p.Payload) }),
				r.Echo(),
			}
		case 3:
			late = r.Echo()
			return nil
		}
		return []netlab.Answer{late, r.Echo()}
	})
	const args = "-c 5 -i 0 -W 400ms "
	status, stdout, stderr := dping(t, strings.Fields(args+far)...)
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q, want 0 and nothing", status, stderr)
	}
	lines := strings.Split(regexp.MustCompile(` time=\S+ ms`).ReplaceAllString(stdout, ""), "\n")
	want := []string{
		"PING 203.0.113.9 (203.0.113.9): 56 data bytes",
		"", "",
		"--- 203.0.113.9 ping statistics ---",
		"5 packets transmitted, 4 received, +2 duplicates, +1 corrupted, +1 late, +2 stray, 20% packet loss",
		"64 bytes from 203.0.113.77: icmp_seq=3 ttl=64 (DIFFERENT ADDRESS!)",
		"64 bytes from 203.0.113.9: icmp_seq=1 ttl=64",
		"64 bytes from 203.0.113.9: icmp_seq=1 ttl=64 (DUP!)",
		"64 bytes from 203.0.113.9: icmp_seq=1 ttl=64 (DUP!)",
		"64 bytes from 203.0.113.9: icmp_seq=2 ttl=64 (corrupted)",
		"64 bytes from 203.0.113.9: icmp_seq=2 ttl=64",
		"64 bytes from 203.0.113.9: icmp_seq=3 ttl=64 (stray)",
		"64 bytes from 203.0.113.9: icmp_seq=3 ttl=64",
		"64 bytes from 203.0.113.9: icmp_seq=4 ttl=64 (late)",
		"64 bytes from 203.0.113.9: icmp_seq=5 ttl=64",
		"no answer from 203.0.113.9: icmp_seq=4",
	}
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "rtt ") }); i >= 0 {
		lines = slices.Delete(lines, i, i+1)
	}
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant, in any order,\n%s", stdout, strings.Join(want, "\n"))
	}

	_, stdout, _ = dping(t, strings.Fields("-json "+args+far)...)
	told := map[string]int{}
	var statistics struct{ Sent, Received, Lost, Late, Duplicates, Corrupted, Stray int }
	for text := range strings.Lines(stdout) {
		var l struct {
			Reply, Anomaly *struct{ Error string }
			Statistics     json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		switch {
		case l.Reply != nil:
			told["reply "+l.Reply.Error]++
		case l.Anomaly != nil:
			told["anomaly "+l.Anomaly.Error]++
		default:
			if err := json.Unmarshal(l.Statistics, &statistics); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
		}
	}
	if want := map[string]int{
		"reply ": 4, "reply no reply in time": 1,
		"anomaly duplicate reply": 2, "anomaly late reply": 1, "anomaly corrupted reply": 1, "anomaly stray reply": 2,
	}; !maps.Equal(told, want) {
		t.Errorf("what came how often: %v, want %v", told, want)
	}
	if s := statistics; s.Sent != 5 || s.Received != 4 || s.Lost != 1 ||
		s.Late != 1 || s.Duplicates != 2 || s.Corrupted != 1 || s.Stray != 2 {
		t.Errorf("statistics %+v", s)
	}
}

// What is in flight when a signal ends dping has been sent, and is neither received nor lost. A probe that is followed
// by another has left for certain.
func TestSignalInFlight(t *testing.T) {
	netlab.Require(t)
	for _, test := range []struct {
		args, silent string // which requests are not answered
		until        string // the line, or the request, to be interrupted at
		want         string
	}{
		{
			"-c 3 -i 1ms", "1", "icmp_seq=3 ",
			`--- .* ---\n3 packets transmitted, 2 received, \+1 pending, 0% packet loss\nrtt .*\n`,
		},
		{
			"-c 3 -i 1ms -json", "1", `"seq":2,`,
			`{.*"statistics":{.*"sent":3,.*"received":2,"lost":0,.*"pending":1,.*"loss":0.*}}\n`,
		},
		{"-trace -n -c 4 -i 1ms", "23", "request 3", `TRACE .*\n 1  203\.0\.113\.9 +0\.0%     [34]( +\d+\.\d{3}){5}\n`},
	} {
		t.Run(test.args, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], append(strings.Fields(test.args), "-W", "1h", far)...)
			interrupt := func(at string) {
				if strings.Contains(at, test.until) {
					cmd.Process.Signal(syscall.SIGINT)
				}
			}
			started := make(chan struct{})
			n := -1
			respond(t, func(r *netlab.Request) []netlab.Answer {
				<-started
				if 1 < r.TTL && r.TTL < 60 { // of the first round, beyond the first distance
					return []netlab.Answer{r.Echo()}
				}
				n++
				interrupt(fmt.Sprint("request ", n))
				if strings.Contains(test.silent, fmt.Sprint(n)) {
					return nil
				}
				return []netlab.Answer{r.Echo()}
			})
			cmd.Env = append(os.Environ(), mainVariable+"=1", "GORACE=atexit_sleep_ms=0")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			close(started)
			var text strings.Builder
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				text.WriteString(lines.Text() + "\n")
				interrupt(lines.Text())
			}
			wantMatch(t, text.String(), `(.|\n)*`+test.want)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v, want exit status 0", err)
			}
		})
	}
}
