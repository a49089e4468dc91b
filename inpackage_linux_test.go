package ping

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sketch is a hop in few words: the distance, and for each probe who answered, * for nobody, and how.
func sketch(h Hop) string {
	words := []string{fmt.Sprint(h.Distance)}
	for i, r := range h.Replies {
		word := "*"
		if r.From.IsValid() {
			word = r.From.String()
		}
		var refused *ICMPError
		errors.As(r.Err, &refused)
		word += strings.TrimSpace(refused.mark())
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
func lines(t testing.TB, p *Pinger, host string, opts ...ProbeOption) (list []string) {
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

func forgeries(usually int) int {
	if n := flag.Lookup("forged").Value.(flag.Getter).Get().(int); n > 0 {
		return n
	}
	if testing.Short() {
		return usually / 100
	}
	return usually
}

// A forger knows all of a probe but its cookie: the target, the identifier, the sequence number, the size. It knows the
// cookies of all other probes.
type forger struct {
	*rand.Rand
	cookies []uint64
}

// cookie is a guess at the cookie of a probe, and always wrong.
func (f *forger) cookie(right uint64) uint64 {
	guess := right
	switch f.IntN(6) {
	case 0:
		guess = 0
	case 1:
		guess ^= 1 << f.IntN(64)
	case 2:
		guess += uint64(f.IntN(512)) - 256
	case 3:
		guess = f.cookies[f.IntN(len(f.cookies))]
	case 4:
		guess = guess<<8 | guess>>56
	default:
		guess = f.Uint64()
	}
	if guess == right {
		guess++
	}
	return guess
}
