package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/icmpsock/ping"
)

// A hopReport is a line of the table of -trace -c, or a hop of it with -json.
type hopReport struct {
	Distance   int                   `json:"distance"`
	Reached    bool                  `json:"reached"`
	Addrs      []netip.Addr          `json:"addrs"` // who answered
	Names      map[netip.Addr]string `json:"names,omitempty"`
	Refusal    string                `json:"refusal,omitempty"` // what ends the way here
	Last       time.Duration         `json:"last_ns,omitempty"`
	Statistics ping.Statistics       `json:"statistics"`
}

// settle counts the outcome of one probe to the hop. Whoever answers it, it is answered.
func (h *hopReport) settle(r ping.Reply) {
	h.Reached = h.Reached || r.Err == nil
	var refused *ping.ICMPError
	if errors.As(r.Err, &refused) {
		exceeded := 11
		if refused.From.Is6() {
			exceeded = 3
		}
		if refused.Type != exceeded || refused.Code != 0 { // code 1 is the target's, of fragments
			h.Refusal = refused.Reason()
		}
		r.Err = nil
	}
	if r.Err == nil {
		h.Last = r.RTT
		if !slices.Contains(h.Addrs, r.From) {
			h.Addrs = append(h.Addrs, r.From)
		}
	}
	h.Statistics.Add(r)
}

// A report is the table of one host.
type report struct {
	host string
	hops []*hopReport // guarded by output.mu
}

// report finds the way to host, sends probes to each hop of it, and shows what became of them when all are settled,
// or ctx ends, and on each signal from quit.
func (o *output) report(
	ctx context.Context, p *ping.Pinger, n *names, host string, addr netip.Addr, quit <-chan os.Signal,
) (reached bool, err error) {
	const flow = 1 // of all probes, so that they take the same of several paths
	length, err := o.wayTo(ctx, p, addr, ping.WithFlow(flow))
	if err != nil {
		return false, err
	}
	r := &report{host: host}
	for distance := 1; distance <= length; distance++ {
		h := &hopReport{Distance: distance, Addrs: []netip.Addr{}}
		h.Statistics.Target = addr
		r.hops = append(r.hops, h)
	}
	var running sync.WaitGroup
	for _, h := range r.hops {
		running.Go(func() {
			for reply, e := range p.Stream(ctx, addr.String(), ping.WithTTL(h.Distance), ping.WithFlow(flow)) {
				if e != nil {
					o.mu.Lock()
					defer o.mu.Unlock()
					if err = e; ctx.Err() != nil {
						h.Statistics.Add(ping.Reply{Err: e}) // what was in flight
					}
					return
				}
				o.count(host, h, reply)
				if !o.config.numeric && reply.From.IsValid() {
					n.start(reply.From)
				}
			}
		})
	}
	await(&running, quit, func() { o.showReport(n, r) })
	return slices.ContainsFunc(r.hops, func(h *hopReport) bool { return h.Reached }), err
}

// count counts how one probe to a hop ended.
func (o *output) count(host string, h *hopReport, r ping.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Sent.IsZero() {
		complain(o.stderr, fmt.Errorf("%s: hop %d: probe %d not sent: %w", host, h.Distance, r.Seq+1, r.Err))
	}
	h.settle(r)
}

// wayTo returns how many hops away the target is; if it does not answer, one more than the last hop that does.
func (o *output) wayTo(
	ctx context.Context, p *ping.Pinger, addr netip.Addr, flow ping.ProbeOption,
) (length int, err error) {
	last := 0
	for h, err := range p.Trace(ctx, addr.String(), ping.WithCount(1), flow) {
		if err != nil {
			return 0, err
		}
		if last = h.Distance; len(h.Addrs()) > 0 {
			length = last
		}
	}
	return min(length+1, last), nil
}

// showReport shows the table as it is now.
func (o *output) showReport(n *names, r *report) {
	o.mu.Lock()
	hops := make([]hopReport, len(r.hops))
	for i, h := range r.hops {
		hops[i] = *h
		hops[i].Addrs = slices.Clone(h.Addrs)
	}
	o.mu.Unlock()
	for i := range hops {
		hops[i].Names = o.named(n, hops[i].Addrs)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.config.json {
		o.print(table(fmt.Sprintf("TRACE %s (%v)", r.host, r.hops[0].Statistics.Target), hops))
		return
	}
	for i := range hops {
		o.encode(record{Host: r.host, Hop: &hops[i]})
	}
}

// table sets hops out in columns, as mtr(8) does: RTTs in milliseconds.
func table(title string, hops []hopReport) string {
	width := utf8.RuneCountInString(title) - 4
	for i := range hops {
		for _, line := range hops[i].who() {
			width = max(width, utf8.RuneCountInString(line))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s    loss  sent     last     mean     best    worst    stdev", width+4, title)
	for i := range hops {
		h, s := &hops[i], &hops[i].Statistics
		who := h.who()
		fmt.Fprintf(&b, "\n%2d  %-*s  %5.1f%%  %4d", h.Distance, width, who[0], 100*s.Loss(), s.Sent)
		if s.Received > 0 {
			fmt.Fprintf(&b, " %8.3f %8.3f %8.3f %8.3f %8.3f", ms(h.Last), ms(s.Mean), ms(s.Min), ms(s.Max), ms(s.StdDev))
		}
		for _, line := range who[1:] {
			b.WriteString("\n    " + line)
		}
		if h.Refusal != "" {
			b.WriteString("\n    " + h.Refusal)
		}
	}
	return b.String()
}

// who says who answered at a hop, a line each.
func (h *hopReport) who() (lines []string) {
	for _, addr := range h.Addrs {
		line := addr.String()
		if name := h.Names[addr]; name != "" {
			line = fmt.Sprintf("%s (%v)", name, addr)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = []string{"*"}
	}
	return lines
}
