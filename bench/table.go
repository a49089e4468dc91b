//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const lineFormat = "  %-20s %-22s %10s  %-22s %-10s %s"

// A table prints rows as they are done.
type table struct {
	w io.Writer
}

func (t table) head(e environment) {
	fmt.Fprintf(t.w, "%s; %s; Linux %s; %d x %s\n", e.Go, e.ProBing, e.Kernel, e.Processors, e.Processor)
	fmt.Fprintf(t.w, "Medians, and the least and the greatest, of runs that take turns with the other contenders.\n\n")
	t.line("figure", "contender", "median", "min – max", "target", "")
}

// row prints a row, and which of its contenders could not run.
func (t table) row(r *row, results []result) {
	fmt.Fprintf(t.w, "\n%s: %s\n", r.name, r.title)
	previous := ""
	for _, x := range results {
		name := x.Figure
		if name == previous {
			name = ""
		}
		previous = x.Figure
		verdict := ""
		if x.Met != nil {
			verdict = "met"
			if !*x.Met {
				verdict = "missed"
			}
			if x.isMissed() {
				verdict = "MISSED"
			}
		}
		t.line(name, x.Contender, number(x.Median), number(x.Min)+" – "+number(x.Max), x.Target, verdict)
	}
	for _, c := range r.contenders {
		if c.lacks != nil {
			fmt.Fprintf(t.w, "  %s: left out: %v\n", c.name, c.lacks)
		}
	}
}

func (t table) line(columns ...any) {
	fmt.Fprintln(t.w, strings.TrimRight(fmt.Sprintf(lineFormat, columns...), " "))
}

// number formats x with as many digits as are worth reading, and with commas between thousands.
func number(x float64) string {
	digits := 0
	switch a := math.Abs(x); {
	case a == math.Trunc(a):
	case a < 1:
		digits = 3
	case a < 10:
		digits = 2
	case a < 100:
		digits = 1
	}
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if digits > 0 || x < 0 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// writeJSON writes all results, with the figures of each run.
func writeJSON(w io.Writer, e environment, results []result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "\t")
	return encoder.Encode(struct {
		Environment environment `json:"environment"`
		Results     []result    `json:"results"`
	}{e, results})
}
