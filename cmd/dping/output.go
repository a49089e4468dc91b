package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// An output is where all goroutines write, whole lines at a time.
type output struct {
	config *config
	stop   func() // called when stdout fails

	mu             sync.Mutex // guards what follows, and the targets' statistics
	stdout, stderr io.Writer
	failed         bool // there was an error, which the exit status shows
	broken         bool // it was one of stdout
}

// A record is a line of -json.
type record struct {
	Host       string           `json:"host"`
	Reply      *ping.Reply      `json:"reply,omitempty"`   // how a probe ended
	Anomaly    *ping.Reply      `json:"anomaly,omitempty"` // what came beside that
	Statistics *ping.Statistics `json:"statistics,omitempty"`
	Hop        any              `json:"hop,omitempty"`
	Change     *paths.Change    `json:"change,omitempty"`
	Paths      *paths.Graph     `json:"paths,omitempty"`
	Kind       string           `json:"kind,omitempty"`  // of Error
	Error      string           `json:"error,omitempty"` // what ended all for the host
}

// begin says that the target is known by addr.
func (o *output) begin(t *target, addr netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.statistics.Target = addr
	if !o.config.json {
		o.print(fmt.Sprintf("PING %s (%v): %d data bytes", t.host, addr, o.config.size))
	}
}

// cutShort counts what was in flight when ctx ended, which the error of the Stream knows.
func (o *output) cutShort(t *target, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.statistics.Add(ping.Reply{Err: err})
}

// settle counts and shows how one probe ended, or what came beside that.
func (o *output) settle(t *target, r ping.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.statistics.Add(r)
	anomaly := t.remark(r) != ""
	unsent := r.Sent.IsZero() && !anomaly
	switch {
	case o.config.json && !o.config.quiet && anomaly:
		o.encode(record{Host: t.host, Anomaly: &r})
	case o.config.json && !o.config.quiet:
		o.encode(record{Host: t.host, Reply: &r})
	case unsent && o.config.quiet && t.statistics.SendErrors > 1: // once is enough
	case unsent:
		complain(o.stderr, fmt.Errorf("%s: icmp_seq=%d not sent: %w", t.host, r.Seq+1, r.Err))
	case o.config.quiet:
	case len(o.config.hosts) > 1:
		o.print(t.host + ": " + t.describe(r))
	default:
		o.print(t.describe(r))
	}
}

// describe says how a probe that was sent ended, in the words of ping(8), or what came beside that.
func (t *target) describe(r ping.Reply) string {
	seq := r.Seq + 1
	if refused := (*ping.ICMPError)(nil); errors.As(r.Err, &refused) {
		mtu := ""
		if refused.MTU > 0 {
			mtu = fmt.Sprintf(" (MTU %d)", refused.MTU)
		}
		return fmt.Sprintf("From %v: icmp_seq=%d %s%s", r.From, seq, refused.Reason(), mtu)
	}
	if errors.Is(r.Err, ping.ErrTimeout) {
		why := elsewhere(r.Err)
		if r.Err == ping.ErrLocalDrop {
			why = " (dropped locally)"
		}
		return fmt.Sprintf("no answer from %s: icmp_seq=%d%s", t.host, seq, why)
	}
	ttl, rtt, truncated := "", "", ""
	if r.TTL > 0 {
		ttl = fmt.Sprintf(" ttl=%d", r.TTL)
	}
	if r.Err == nil || r.RTT > 0 {
		rtt = fmt.Sprintf(" time=%.3f ms", ms(r.RTT))
	}
	if r.Truncated {
		truncated = " (truncated)"
	}
	return fmt.Sprintf("%d bytes from %v: icmp_seq=%d%s%s%s%s", r.Size, r.From, seq, ttl, rtt, truncated, t.remark(r))
}

// elsewhere says in brackets who has answered that was not asked, if anybody has.
func elsewhere(err error) string {
	var other *ping.ElsewhereError
	if !errors.As(err, &other) {
		return ""
	}
	return fmt.Sprintf(" (answered from %v)", other.From)
}

// remark is what there is to remark on a reply that came beside the outcome of its probe; "" for that outcome.
func (t *target) remark(r ping.Reply) string {
	switch r.Err {
	case ping.ErrDuplicate:
		return " (DUP!)"
	case ping.ErrLate:
		return " (late)"
	case ping.ErrCorrupted:
		return " (corrupted)"
	case ping.ErrStray:
		if r.From.WithZone("") != t.statistics.Target.WithZone("") {
			return " (DIFFERENT ADDRESS!)"
		}
		return " (stray)"
	}
	return ""
}

// ms is d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// summarize shows the statistics so far of each target that has any.
func (o *output) summarize(targets []*target) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range targets {
		switch s := &t.statistics; {
		case !s.Target.IsValid():
		case o.config.json:
			o.encode(record{Host: t.host, Statistics: s})
		default:
			o.print(fmt.Sprintf("\n--- %s ping statistics ---\n%v", t.host, s))
		}
	}
}

// status is the exit status when all is done.
func (o *output) status(targets []*target) int {
	if o.failed {
		return 2
	}
	status := 0
	for _, t := range targets {
		switch s := &t.statistics; {
		case s.Received > 0:
		case s.Sent == 0 && s.SendErrors > 0:
			return 2
		default:
			status = 1
		}
	}
	return status
}

// each shows one host after another, and returns the exit status.
func (o *output) each(ctx context.Context, show func(host string) (reached bool, err error)) int {
	status := 0
	for _, host := range o.config.hosts {
		reached, err := false, ctx.Err()
		if err == nil {
			reached, err = show(host)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			o.mu.Lock()
			o.giveUp(host, err)
			o.mu.Unlock()
			status = 2
		case !reached:
			status = max(status, 1)
		}
	}
	if o.failed {
		return 2
	}
	return status
}

// fail tells what ended a target's probes. If it had none, it has no statistics either.
func (o *output) fail(t *target, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = true
	if t.statistics.Sent+t.statistics.SendErrors == 0 {
		t.statistics.Target = netip.Addr{}
	}
	o.giveUp(t.host, err)
}

// giveUp tells what ended all for a host, such as a name that is not known: on stderr, and with -json as a result too.
// The caller holds o.mu.
func (o *output) giveUp(host string, err error) {
	complain(o.stderr, err)
	if o.config.json {
		o.encode(record{Host: host, Kind: ping.ErrorKind(err), Error: err.Error()})
	}
}

// print writes text as one or more lines.
func (o *output) print(text string) {
	_, err := io.WriteString(o.stdout, text+"\n")
	o.check(err)
}

// encode writes one line of JSON.
func (o *output) encode(r any) { o.check(json.NewEncoder(o.stdout).Encode(r)) }

// check ends everything when stdout fails.
func (o *output) check(err error) {
	if err != nil && !o.broken {
		o.broken, o.failed = true, true
		complain(o.stderr, err)
		o.stop()
	}
}

// complain writes an error, less the library's own prefix, and with the command's flags for the library's options.
func complain(stderr io.Writer, err error) {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "ping: "), "ping ")
	text = sizeOption.ReplaceAllString(networkOption.ReplaceAllString(text, "-$1"), "-s $1")
	fmt.Fprintf(stderr, "dping: %s\n", text)
}

// What is refused for the address that a name turns out to have is told in the words of the library's options.
var (
	networkOption = regexp.MustCompile(`WithNetwork\("ip([46])"\)`)
	sizeOption    = regexp.MustCompile(`WithSize\((\d+)\)`)
)
