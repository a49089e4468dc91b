package ping_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// A way is a network of one path for a fake: the routers on it, "" for a silent one, 10 ms of RTT apart, and the target
// beyond them. With change, an answer is another than theirs.
type way struct {
	routers []string
	change  func(m ping.Message, usual []delayed) []delayed

	mu   sync.Mutex
	sent []ping.Message
}

func (w *way) answer(_ int, m ping.Message) []delayed {
	w.mu.Lock()
	w.sent = append(w.sent, m)
	w.mu.Unlock()
	var usual []delayed
	switch distance := min(m.TTL, len(w.routers)+1); {
	case distance > len(w.routers):
		usual = []delayed{{time.Duration(distance) * 10 * ms, echoed(m)}}
	case w.routers[distance-1] != "":
		usual = []delayed{{time.Duration(distance) * 10 * ms, exceeded(m, w.routers[distance-1])}}
	}
	if w.change != nil {
		return w.change(m, usual)
	}
	return usual
}

// exceeded is the time exceeded of a router.
func exceeded(m ping.Message, from string) ping.Message {
	typ := timeExceeded4
	if m.Addr.Is6() {
		typ = timeExceeded6
	}
	return refusal(m, from, typ, 0)
}

// probes is how many were sent to each distance.
func (w *way) probes() (list []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.sent {
		for len(list) < m.TTL {
			list = append(list, 0)
		}
		list[m.TTL-1]++
	}
	return list
}

// sketch is a hop in few words: the distance, and for each probe who answered, * for nobody, and how.
func sketch(h ping.Hop) string {
	words := []string{fmt.Sprint(h.Distance)}
	for i, r := range h.Replies {
		word := "*"
		if r.From.IsValid() {
			word = r.From.String()
		}
		if mark := strings.Fields((ping.Hop{Replies: []ping.Reply{r}}).String()); strings.HasPrefix(mark[len(mark)-1], "!") {
			word += mark[len(mark)-1]
		}
		if r.Err == nil {
			word += "."
		}
		if r.Seq != i {
			word += fmt.Sprintf(" (Seq %d)", r.Seq)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// lines sketches all hops of a trace that is to end without an error.
func lines(t testing.TB, p *ping.Pinger, host string, opts ...ping.ProbeOption) (list []string) {
	t.Helper()
	for h, err := range p.Trace(t.Context(), host, opts...) {
		if err != nil {
			t.Errorf("trace to %s: %v", host, err)
			return list
		}
		list = append(list, sketch(h))
	}
	return list
}

func repeat(distance int, word string) string {
	return fmt.Sprint(distance) + strings.Repeat(" "+word, 3)
}
