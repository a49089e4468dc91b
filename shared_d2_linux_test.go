package ping_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
)

// unprivileged runs f on the calling goroutine's locked thread with no effective capabilities.
func unprivileged(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return err
	}
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	defer unix.Capset(&header, &had[0])
	return f()
}

// sketch is a hop in few words: the distance, and for each probe who answered, * for nobody, and how.
func sketch(h ping.Hop) string {
	words := []string{fmt.Sprint(h.Distance)}
	for i, r := range h.Replies {
		word := "*"
		if r.From.IsValid() {
			word = r.From.String()
		}
		var refused *ping.ICMPError
		if errors.As(r.Err, &refused) {
			// What traceroute marks it with, if anything, follows the RTT.
			_, mark, _ := strings.Cut(ping.Hop{Replies: []ping.Reply{r}}.String(), " ms")
			word += strings.TrimSpace(mark)
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

// repeat is the sketch of a hop where each of three probes got the same answer.
func repeat(distance int, word string) string {
	return fmt.Sprint(distance) + strings.Repeat(" "+word, 3)
}

// forgeries is how many forged replies are offered: as many as -forged says, or as is usual.
func forgeries(usually int) int {
	if n, err := strconv.Atoi(flag.Lookup("forged").Value.String()); err == nil && n > 0 {
		return n
	}
	return usually
}

// A guesser knows all of a probe but its cookie: the target, the identifier, the sequence number, the size. It knows the
// cookies of all other probes.
type guesser struct {
	*rand.Rand
	cookies []uint64
}

// cookie is a guess at the cookie of a probe, and always wrong.
func (g *guesser) cookie(right uint64) uint64 {
	guess := right
	switch g.IntN(6) {
	case 0:
		guess = 0
	case 1:
		guess ^= 1 << g.IntN(64)
	case 2:
		guess += uint64(g.IntN(512)) - 256
	case 3:
		guess = g.cookies[g.IntN(len(g.cookies))]
	case 4:
		guess = guess<<8 | guess>>56
	default:
		guess = g.Uint64()
	}
	if guess == right {
		guess++
	}
	return guess
}
