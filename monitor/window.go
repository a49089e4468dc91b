package monitor

import (
	"math"
	"slices"
	"strings"
	"time"
)

// A view is a copy of what a ring holds.
type view struct {
	codes    []code
	end      int64 // the number of the instant after the last of them
	now      int64 // the number of the present instant
	interval time.Duration
}

// last returns the codes of the last d, or all if d is 0 or less.
func (v *view) last(d time.Duration) []code {
	if d <= 0 {
		return v.codes
	}
	from := v.now - int64((d-1)/v.interval) // as many instants as begin in it
	first := v.end - int64(len(v.codes))
	return v.codes[min(max(from-first, 0), int64(len(v.codes))):]
}

// A Window is what became of the probes that fell due in the last minutes, as far as they are settled. The counts are
// those of ping.Statistics: Sent = Received + Lost, and Lost includes Errors, Late and LocalDrops. RTTs are within
// 0.025 % of what was measured.
type Window struct {
	Sent       int `json:"sent"`
	SendErrors int `json:"send_errors"`
	Received   int `json:"received"`
	Lost       int `json:"lost"`
	Errors     int `json:"icmp_errors"`
	Late       int `json:"late"`
	LocalDrops int `json:"local_drops"`

	Min  time.Duration `json:"min_ns"`
	Mean time.Duration `json:"mean_ns"`
	Max  time.Duration `json:"max_ns"`
	// StdDev is the population standard deviation.
	StdDev time.Duration `json:"stddev_ns"`
	// Jitter is the mean difference between an RTT and the one before it, be there lost probes between them or not.
	Jitter time.Duration `json:"jitter_ns"`
	// LongestOutage is the longest time in the window in which no probe was answered, to whatever address: an
	// interval for each. What this host dropped (LocalDrops) neither lengthens nor ends it.
	LongestOutage time.Duration `json:"longest_outage_ns"`

	sorted []code // the RTTs
}

// newWindow sums up the last d of some views.
func newWindow(views []view, d time.Duration) Window {
	var w Window
	if len(views) > 0 {
		w.LongestOutage = longestOutage(overlay(views, d)) * views[0].interval // which is that of all
	}
	var sum, squares, steps float64
	pairs := 0
	for i := range views {
		v := &views[i]
		codes := v.last(d)
		if len(views) == 1 {
			w.sorted = make([]code, 0, len(codes))
		}
		before := codeNone
		for _, c := range codes {
			w.count(c)
			if !c.answered() {
				continue
			}
			w.sorted = append(w.sorted, c)
			rtt := float64(c.rtt())
			sum += rtt
			squares += rtt * rtt
			if before != codeNone {
				steps += math.Abs(rtt - float64(before.rtt()))
				pairs++
			}
			before = c
		}
	}
	if w.Received == 0 {
		return w
	}
	slices.Sort(w.sorted)
	n := float64(w.Received)
	w.Min, w.Max = w.sorted[0].rtt(), w.sorted[len(w.sorted)-1].rtt()
	w.Mean = time.Duration(math.Round(sum / n))
	w.StdDev = time.Duration(math.Round(math.Sqrt(max(squares/n-sum/n*sum/n, 0))))
	if pairs > 0 {
		w.Jitter = time.Duration(math.Round(steps / float64(pairs)))
	}
	return w
}

// count counts what became of a probe.
func (w *Window) count(c code) {
	switch c {
	case codeNone:
		return
	case codeNotSent:
		w.SendErrors++
		return
	case codeRefused:
		w.Errors++
	case codeLate:
		w.Late++
	case codeDropped:
		w.LocalDrops++
	}
	w.Sent++
	if c.answered() {
		w.Received++
	} else {
		w.Lost++
	}
}

// overlay is what became of the last d of one or more addresses taken together: an instant's code is an answer if one
// of them answered.
func overlay(views []view, d time.Duration) []code {
	if len(views) == 1 {
		return views[0].last(d)
	}
	newest, length := int64(math.MaxInt64), 0 // how many instants ago the last of them was
	for i := range views {
		newest = min(newest, views[i].now-views[i].end)
		length = max(length, len(views[i].codes))
	}
	all := make([]code, length)
	for i := range views {
		v := &views[i]
		end := int64(length) + newest - (v.now - v.end)
		codes := v.last(d)
		for k, c := range codes {
			if at := end - int64(len(codes)-k); at >= 0 {
				all[at] = max(all[at], c)
			}
		}
	}
	return all
}

// longestOutage is how many instants in a row at most had no answer.
func longestOutage(codes []code) time.Duration {
	longest, begin, last := 0, -1, 0
	for i, c := range codes {
		switch {
		case c.answered():
			begin = -1
		case c.missed():
			if begin < 0 {
				begin = i
			}
			last = i
			longest = max(longest, last-begin+1)
		}
	}
	return time.Duration(longest)
}

// Loss is the share of the probes that were made and not answered, from 0 to 1, as that of ping.Statistics: what could
// not be sent counts as not answered; what this host dropped is left out, unless there is nothing else: then it is 1.
// It is 0 where no probe was made.
func (w Window) Loss() float64 {
	made := w.Sent + w.SendErrors - w.LocalDrops
	switch {
	case made > 0:
		return float64(w.Lost+w.SendErrors-w.LocalDrops) / float64(made)
	case w.LocalDrops > 0:
		return 1
	}
	return 0
}

// Percentile returns the RTT that the share q of the answers did not exceed, by the nearest rank; q beyond 0..1 is
// taken as the nearer of them. It is 0 without an answer.
func (w Window) Percentile(q float64) time.Duration {
	if len(w.sorted) == 0 || math.IsNaN(q) {
		return 0
	}
	n := float64(len(w.sorted))
	rank := math.Ceil(q*n - 1e-9*n) // q·n is not always exact
	return w.sorted[int(min(max(rank, 1), n))-1].rtt()
}

// bars are the characters of a sparkline, of which there are maxWidth at most.
var bars = []rune("▁▂▃▄▅▆▇█")

const maxWidth = 4096

// sparkline draws the last d of a view in so many characters.
func (v *view) sparkline(d time.Duration, width int) string {
	if d <= 0 {
		d = v.interval * time.Duration(max(len(v.codes), 1))
	}
	n := min(int64((d-1)/v.interval)+1, 1<<40)
	width = int(min(int64(max(width, 0)), n, maxWidth))
	from, first := v.now-n+1, v.end-int64(len(v.codes))
	means := make([]float64, width) // 0: no probe; -1: no answer
	low, high := math.Inf(1), 0.0
	for i := range means {
		a := from + n*int64(i)/int64(width)
		b := from + n*int64(i+1)/int64(width)
		answers, sum, made := 0, 0.0, false
		for k := max(a, first); k < min(b, v.end); k++ {
			c := v.codes[k-first]
			made = made || c.missed()
			if c.answered() {
				answers++
				sum += float64(c.rtt())
			}
		}
		switch {
		case answers > 0:
			means[i] = max(sum/float64(answers), 1)
			low, high = min(low, means[i]), max(high, means[i])
		case made:
			means[i] = -1
		}
	}
	var b strings.Builder
	for _, mean := range means {
		switch {
		case mean == 0:
			b.WriteRune(' ')
		case mean < 0:
			b.WriteRune('×')
		case high <= low:
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[min(int((mean-low)/(high-low)*float64(len(bars))), len(bars)-1)])
		}
	}
	return b.String()
}
