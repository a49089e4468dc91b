package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// A row is a line of the table of -watch and -trace -c, or a hop of the latter with -json: of a router, or of the
// target, where they answer at some distance.
type row struct {
	Distance   int                   `json:"distance"`
	Reached    bool                  `json:"reached"` // it is the target
	Addrs      []netip.Addr          `json:"addrs"`   // one, or none where nobody has answered
	Names      map[netip.Addr]string `json:"names,omitempty"`
	MPLS       []ping.MPLSLabel      `json:"mpls,omitempty"`    // of the last answer
	NAT        bool                  `json:"nat,omitempty"`     // of that
	Quoted     netip.Addr            `json:"quoted,omitzero"`   // of that
	Refusal    string                `json:"refusal,omitempty"` // of a probe to here on the way
	Last       time.Duration         `json:"last_ns,omitempty"`
	Statistics ping.Statistics       `json:"statistics"`
}

// rows are the lines of a way: where several have answered at one distance, one for each, the latest first.
func (o *output) rows(r paths.Round, name func(netip.Addr) string) (rows []row) {
	for _, h := range r.Hops {
		for i, is := range h.Routers {
			line := row{
				Distance: h.Distance, Reached: is.Target, Addrs: []netip.Addr{}, MPLS: is.Labels,
				NAT: is.NAT, Quoted: is.Quoted, Last: is.RTT, Statistics: is.Statistics,
			}
			line.Statistics.Target = r.Target
			if is.Addr.IsValid() {
				line.Addrs = append(line.Addrs, is.Addr)
				if !o.config.numeric && name(is.Addr) != "" {
					line.Names = map[netip.Addr]string{is.Addr: name(is.Addr)}
				}
			}
			if i == 0 && h.Refusal != nil {
				line.Refusal = h.Refusal.Error()
			}
			rows = append(rows, line)
		}
	}
	return rows
}

// title is what is above them.
func (o *output) title(host string, r paths.Round) string {
	word := "TRACE"
	if o.config.watch {
		word = "WATCH"
	}
	return fmt.Sprintf("%s %s (%v)", word, host, r.Target)
}

// table sets rows out in columns, as mtr(8) does: RTTs in milliseconds.
func table(title string, rows []row) string {
	width := utf8.RuneCountInString(title) - 4
	for i := range rows {
		width = max(width, utf8.RuneCountInString(rows[i].who()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s    loss  sent     last     mean     best    worst    stdev", width+4, title)
	for i := range rows {
		h, s := &rows[i], &rows[i].Statistics
		fmt.Fprintf(&b, "\n%2d  %-*s  %5.1f%%  %4d", h.Distance, width, h.who(), 100*s.Loss(), s.Sent)
		if s.Received > 0 {
			fmt.Fprintf(&b, " %8.3f %8.3f %8.3f %8.3f %8.3f", ms(h.Last), ms(s.Mean), ms(s.Min), ms(s.Max), ms(s.StdDev))
		}
		for i, l := range h.MPLS {
			bottom := 0
			if i == len(h.MPLS)-1 {
				bottom = 1
			}
			fmt.Fprintf(&b, "\n    [MPLS: Lbl %d TC %d S %d TTL %d]", l.Label, l.TrafficClass, bottom, l.TTL)
		}
		if nat := natText(h.NAT, h.Quoted); nat != "" {
			b.WriteString("\n  " + nat)
		}
		if h.Refusal != "" {
			b.WriteString("\n    " + h.Refusal)
		}
	}
	return b.String()
}

// who says who answered.
func (h *row) who() string {
	switch {
	case len(h.Addrs) == 0:
		return "*"
	case h.Names == nil:
		return h.Addrs[0].String()
	}
	return fmt.Sprintf("%s (%v)", h.Names[h.Addrs[0]], h.Addrs[0])
}

// natText is what a router's errors show of a NAT, in the words of ping.Hop's String.
func natText(nat bool, quoted netip.Addr) string {
	switch {
	case quoted.IsValid():
		return fmt.Sprintf("  (NAT: for %v)", quoted)
	case nat:
		return "  (NAT)"
	}
	return ""
}
