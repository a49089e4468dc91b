package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

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
		for i, l := range h.MPLS {
			bottom := 0
			if i == len(h.MPLS)-1 {
				bottom = 1
			}
			fmt.Fprintf(&b, "\n    [MPLS: Lbl %d TC %d S %d TTL %d]", l.Label, l.TrafficClass, bottom, l.TTL)
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
