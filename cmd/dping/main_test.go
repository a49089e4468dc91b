package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// mainVariable makes the test binary dping itself.
const mainVariable = "DPING_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
	}
	os.Exit(netlab.Main(m))
}

// needSockets skips the test where there are no ICMP sockets for 127.0.0.1.
func needSockets(t *testing.T) {
	t.Helper()
	p, err := ping.New(ping.WithNetwork("ip4"))
	if errors.Is(err, ping.ErrNotPermitted) {
		skipped.Test(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

// needIPv6 skips the test where there is no ::1.
func needIPv6(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		skipped.Test(t, "no IPv6:", err)
	}
	c.Close()
}

// A screen keeps what is written, and has each line looked at while its writer waits.
type screen struct {
	t    *testing.T
	text strings.Builder
	look func(line string)
}

func (s *screen) Write(p []byte) (int, error) {
	if !strings.HasSuffix(string(p), "\n") {
		s.t.Errorf("wrote %q, which is no whole line", p)
	}
	s.text.Write(p)
	for line := range strings.Lines(string(p)) {
		if s.look != nil {
			s.look(strings.TrimSuffix(line, "\n"))
		}
	}
	return len(p), nil
}

// dping runs the command to its end.
func dping(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return dpingWatched(t, nil, args...)
}

// dpingWatched runs the command to its end, and has look told each line of stdout while the command waits.
func dpingWatched(t *testing.T, look func(line string), args ...string) (status int, stdout, stderr string) {
	t.Helper()
	out, err := &screen{t: t, look: look}, &screen{t: t}
	status = run(t.Context(), args, out, err, nil)
	return status, out.text.String(), err.text.String()
}

// wantRun runs dping with the arguments in args.
func wantRun(t *testing.T, args string, status int, stdout, stderr string) {
	t.Helper()
	gotStatus, gotOut, gotErr := dping(t, strings.Fields(args)...)
	if gotStatus != status {
		t.Errorf("exit status %d, want %d", gotStatus, status)
	}
	wantMatch(t, gotOut, stdout)
	wantMatch(t, gotErr, stderr)
}

func wantMatch(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(text) {
		t.Errorf("got\n%s\nwant a match of\n%s", text, pattern)
	}
}

func TestRun(t *testing.T) {
	needSockets(t)
	const (
		answered = `64 bytes from 127\.0\.0\.1: icmp_seq=%d (ttl=\d+ )?time=\d+\.\d{3} ms\n`
		rtts     = `rtt min/avg/max/mdev = \d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3} ms\n`
	)
	for _, test := range []struct {
		name, args     string
		status         int
		stdout, stderr string // patterns
	}{
		{
			"answered", "-c 2 -i 0 127.0.0.1", 0,
			`PING 127\.0\.0\.1 \(127\.0\.0\.1\): 56 data bytes\n` +
				fmt.Sprintf(answered, 1) + fmt.Sprintf(answered, 2) +
				`\n--- 127\.0\.0\.1 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss\n` + rtts,
			``,
		},
		{
			"lost", "-c 2 -i 0 -W 1ns 127.0.0.1", 1, // no answer is that fast
			`PING 127\.0\.0\.1 \(127\.0\.0\.1\): 56 data bytes\n` +
				`no answer from 127\.0\.0\.1: icmp_seq=1\n(64 bytes .* \(late\)\n)?` +
				`no answer from 127\.0\.0\.1: icmp_seq=2\n(64 bytes .* \(late\)\n)?` +
				`\n--- 127\.0\.0\.1 ping statistics ---\n2 packets transmitted, 0 received(, \+\d late)?, 100% packet loss\n`,
			``,
		},
		{
			"sized", "-c 1 -s 1000 -t 9 127.0.0.1", 0,
			`PING 127\.0\.0\.1 \(127\.0\.0\.1\): 1000 data bytes\n1008 bytes from 127(.|\n)*`,
			``,
		},
		{
			"quiet", "-q -c 3 -i 1ms 127.0.0.1", 0,
			`PING 127\.0\.0\.1 \(127\.0\.0\.1\): 56 data bytes\n` +
				`\n--- 127\.0\.0\.1 ping statistics ---\n3 packets transmitted, 3 received, 0% packet loss\n` + rtts,
			``,
		},
		{"refused address", "-c 1 224.0.0.1", 2, ``, `dping: 224\.0\.0\.1: .*multicast.*\n`},
		{"other family", "-4 ::1", 2, ``, `dping: ::1: ::1 is not an address for -4\n`},
		{"other family than -6", "-6 127.0.0.1", 2, ``, `dping: 127\.0\.0\.1: .* is not an address for -6\n`},
		{
			"size for IPv6 only", "-q -json -s 65508 127.0.0.1", 2,
			`{"host":"127\.0\.0\.1","kind":"not_sent","error":"ping 127.*65508.*65507"}\n`,
			`dping: 127\.0\.0\.1: -s 65508: IPv4 takes 0 to 65507\n`,
		},
		{
			"unknown name as JSON", "-json -q -c 1 nosuch.invalid", 2,
			`{"host":"nosuch\.invalid","kind":"name","error":"ping nosuch\.invalid: lookup .*"}\n`,
			`dping: .*nosuch\.invalid.*\n`,
		},
		{
			"trace of an unknown name as JSON", "-trace -json nosuch.invalid", 2,
			`{"host":"nosuch\.invalid","kind":"name","error":"ping nosuch\.invalid: lookup .*"}\n`,
			`dping: .*nosuch\.invalid.*\n`,
		},
		{
			"unknown name", "-c 1 -i 0 127.0.0.1 nosuch.invalid", 2,
			`PING 127\.0\.0\.1 \(127\.0\.0\.1\): 56 data bytes\n127\.0\.0\.1: ` + fmt.Sprintf(answered, 1) +
				`\n--- 127\.0\.0\.1 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss\n` + rtts,
			`dping: .*nosuch\.invalid.*\n`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantRun(t, test.args, test.status, test.stdout, test.stderr)
		})
	}
}

func TestRunIPv6(t *testing.T) {
	needSockets(t)
	needIPv6(t)
	status, stdout, stderr := dping(t, "-6", "-c", "1", "::1")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q, want 0 and nothing", status, stderr)
	}
	wantMatch(t, stdout, `PING ::1 \(::1\): 56 data bytes\n64 bytes from ::1: icmp_seq=1 (.|\n)*`)
}

func TestName(t *testing.T) {
	needSockets(t)
	addrs, err := net.DefaultResolver.LookupNetIP(t.Context(), "ip4", "localhost")
	if err != nil || !addrs[0].IsLoopback() {
		skipped.Test(t, "localhost is", addrs, err)
	}
	status, stdout, stderr := dping(t, "-4", "-c", "1", "localhost")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q, want 0 and nothing", status, stderr)
	}
	wantMatch(t, stdout, `PING localhost \(127\.[0-9.]+\): 56 data bytes\n64 bytes from 127\.[0-9.]+: icmp_seq=1 `+
		`(.|\n)*\n--- localhost ping statistics ---\n1 packets transmitted, 1 received(.|\n)*`)
}

func TestSeveralHosts(t *testing.T) {
	needSockets(t)
	hosts := []string{"127.0.0.3", "127.0.0.1", "127.0.0.2", "127.0.0.1"}
	const n = 20
	status, stdout, stderr := dping(t, append([]string{"-c", fmt.Sprint(n), "-i", "0"}, hosts...)...)
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q, want 0 and nothing", status, stderr)
	}
	reply := regexp.MustCompile(`^(\S+): 64 bytes from (\S+): icmp_seq=\d+ (ttl=\d+ )?time=\S+ ms$`)
	counts := map[string]int{}
	var summaries []string
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		if m := reply.FindStringSubmatch(line); m != nil && m[1] == m[2] {
			counts[m[1]]++
		} else if host, ok := strings.CutSuffix(line, " ping statistics ---"); ok {
			summaries = append(summaries, strings.TrimPrefix(host, "--- "))
		} else if line != "" && !strings.HasPrefix(line, "PING ") && len(summaries) == 0 {
			t.Errorf("line %q", line)
		}
	}
	if counts["127.0.0.3"] != n || counts["127.0.0.2"] != n || counts["127.0.0.1"] != 2*n || len(counts) != 3 {
		t.Errorf("replies by host: %v, want %d each, twice that of 127.0.0.1", counts, n)
	}
	if !slices.Equal(summaries, hosts) {
		t.Errorf("statistics of %v, want %v", summaries, hosts)
	}
}

func TestJSON(t *testing.T) {
	needSockets(t)
	type line struct {
		Host  string `json:"host"`
		Reply *struct {
			Seq   int        `json:"seq"`
			From  netip.Addr `json:"from"`
			RTT   int64      `json:"rtt_ns"`
			Error string     `json:"error"`
		} `json:"reply"`
		Anomaly    *struct{} `json:"anomaly"`
		Statistics *struct {
			Target         netip.Addr `json:"target"`
			Sent, Received int
		} `json:"statistics"`
	}
	for _, test := range []struct {
		args                     string
		status, replies, answers int
	}{
		{"-json -c 3 -i 0 127.0.0.1 127.0.0.2", 0, 3, 3},
		{"-json -c 3 -i 0 -W 1ns 127.0.0.1 127.0.0.2", 1, 3, 0},
		{"-json -c 3 -i 0 -q 127.0.0.1 127.0.0.2", 0, 0, 3},
	} {
		t.Run(test.args, func(t *testing.T) {
			status, stdout, stderr := dping(t, strings.Fields(test.args)...)
			if status != test.status || stderr != "" {
				t.Errorf("exit status %d, stderr %q, want %d and nothing", status, stderr, test.status)
			}
			replies, sums := map[string]int{}, map[string]int{}
			for text := range strings.Lines(stdout) {
				var l line
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatalf("%v: %q", err, text)
				}
				switch {
				case l.Anomaly != nil && test.answers == 0: // its reply, too late
				case (l.Reply == nil) == (l.Statistics == nil):
					t.Errorf("want a reply or statistics: %s", text)
				case l.Reply != nil:
					if l.Reply.Seq != replies[l.Host] {
						t.Errorf("seq %d, want %d", l.Reply.Seq, replies[l.Host])
					}
					replies[l.Host]++
					if answered := l.Reply.From.IsValid() && l.Reply.Error == ""; answered != (test.answers > 0) {
						t.Errorf("answered: %v: %s", answered, text)
					}
				default:
					sums[l.Host]++
					s := l.Statistics
					if s.Target.String() != l.Host || s.Sent != 3 || s.Received != test.answers {
						t.Errorf("want target %s, 3 sent, %d received: %s", l.Host, test.answers, text)
					}
				}
			}
			for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
				if replies[host] != test.replies || sums[host] != 1 {
					t.Errorf("%s: %d replies, %d statistics, want %d and 1", host, replies[host], sums[host], test.replies)
				}
			}
		})
	}
}

func TestQuit(t *testing.T) {
	needSockets(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	quit := make(chan os.Signal, 1)
	shown, after := 0, 0
	out := &screen{t: t, look: func(line string) {
		switch {
		case strings.HasPrefix(line, "--- "):
			shown++
		case strings.HasPrefix(line, "64 bytes") && shown == 0 && len(quit) == 0:
			quit <- os.Interrupt // any will do
		case strings.HasPrefix(line, "64 bytes") && shown > 0:
			after++
			cancel()
		}
	}}
	if status := run(ctx, []string{"-i", "1ms", "127.0.0.1"}, out, io.Discard, quit); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if shown < 2 || after == 0 {
		t.Errorf("statistics shown %d times, %d replies after the first, want 2 or more, and 1 or more:\n%s",
			shown, after, out.text.String())
	}
}

func TestInterrupt(t *testing.T) {
	needSockets(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &screen{t: t, look: func(line string) {
		if strings.Contains(line, "icmp_seq=3 ") {
			cancel()
		}
	}}
	if status := run(ctx, []string{"-i", "0", "127.0.0.1"}, out, io.Discard, nil); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	wantMatch(t, out.text.String(), `PING(.|\n)*\n3 packets transmitted, 3 received, 0% packet loss\nrtt .*\n`)
}

func TestInterruptAtOnce(t *testing.T) {
	needSockets(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr strings.Builder
	if status := run(ctx, []string{"127.0.0.1", "nosuch.invalid"}, io.Discard, &stderr, nil); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr %q, want nothing", &stderr)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteError(t *testing.T) {
	needSockets(t)
	var stderr strings.Builder
	if status := run(t.Context(), []string{"127.0.0.1", "127.0.0.2"}, fullDisk{}, &stderr, nil); status != 2 {
		t.Errorf("exit status %d, want 2", status)
	}
	if got, want := stderr.String(), "dping: disk full\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}
