package ping_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

var (
	chaos     = flag.Duration("chaos", 0, "how long each of the chaos tests runs; 0: 600 ms, 2 s with -long")
	chaosSeed = flag.Uint64("chaosseed", 0, "what the chaos tests draw their chances from; 0: something new each time")
)

const (
	ms = time.Millisecond
	// patience is how long after its end a call may take to return, on a machine that is busy with other things.
	patience = 10 * time.Second
	// longRun is from when on each kind of event must have happened.
	longRun = 30 * time.Second
)

// A storm is callers that do anything to Pingers, at random, and what came of it. A call that does not return fails the
// test with the stacks of all goroutines.
type storm struct {
	*testing.T
	length   time.Duration
	width    int  // of a Sweep over a network: of many that do not answer the rest wait for 3 s
	brief    bool // no Sweep at rest waits for 3 s either, for what was swept before
	seed     uint64
	expected []error // of sending, beside those that every storm expects
	over     atomic.Bool

	mu     sync.Mutex
	calls  map[*pending]struct{}
	kinds  map[string]int
	actors uint64
}

// A pending is a call that is under way.
type pending struct {
	name string
	due  time.Time // when it has to return
}

// newStorm returns a storm for a test that is to last as long as asked, or if that is 0, what is usual, or full with
// -long.
func newStorm(t *testing.T, asked, usual, full time.Duration) *storm {
	width, brief := 254, false
	if asked == 0 {
		brief = skipped.AtLength(t, true, false)
		asked, width = skipped.AtLength(t, usual, full), skipped.AtLength(t, 30, width)
	}
	s := &storm{T: t, length: asked, width: width, brief: brief, seed: *chaosSeed, calls: make(map[*pending]struct{}),
		kinds: make(map[string]int)}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	t.Cleanup(func() {
		s.over.Store(true)
		if t.Failed() {
			t.Logf("once more: -chaosseed %d", s.seed)
		}
	})
	return s
}

// chance returns a generator of its own for whoever asks.
func (s *storm) chance() *rand.Rand {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors++
	return rand.New(rand.NewPCG(s.seed, s.actors))
}

// errorf fails the test, unless it has ended: a call that did not return may do so later.
func (s *storm) errorf(format string, args ...any) {
	if !s.over.Load() {
		s.Errorf(format, args...)
	}
}

// saw counts an event.
func (s *storm) saw(kind string) {
	s.mu.Lock()
	s.kinds[kind]++
	s.mu.Unlock()
}

// call runs f, which has to return within the limit, and patience.
func (s *storm) call(name string, limit time.Duration, f func()) {
	c := &pending{name, time.Now().Add(limit + patience)}
	s.mu.Lock()
	s.calls[c] = struct{}{}
	s.kinds[name]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.calls, c)
		s.mu.Unlock()
	}()
	f()
}

// watch ends the test if a call has not returned.
func (s *storm) watch() {
	s.Helper()
	var late []string
	s.mu.Lock()
	for c := range s.calls {
		if by := time.Since(c.due); by > 0 {
			late = append(late, fmt.Sprintf("%s, %v late", c.name, (by+patience).Round(ms)))
		}
	}
	s.mu.Unlock()
	if len(late) > 0 {
		s.over.Store(true)
		slices.Sort(late)
		some := strings.Join(late[:min(len(late), 20)], "; ")
		s.Fatalf("%d calls have not returned: %s\n\n%s", len(late), some, stacks())
	}
}

// await returns when f has, and watches meanwhile.
func (s *storm) await(f func()) {
	s.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	s.during(done, time.Second, func() {})
}

// during takes a step now and then, until done is closed.
func (s *storm) during(done <-chan struct{}, pace time.Duration, step func()) {
	s.Helper()
	for tick := time.NewTicker(pace); ; {
		select {
		case <-done:
			tick.Stop()
			return
		case <-tick.C:
			s.watch()
			step()
		}
	}
}

// until waits for a condition.
func (s *storm) until(what string, so func() bool) {
	s.Helper()
	s.await(func() {
		s.call("wait for "+what, time.Minute, func() {
			for !so() && !s.over.Load() {
				time.Sleep(ms / 10)
			}
		})
	})
}

// finish tells how often each kind of event happened. In a long run those that are wanted must have.
func (s *storm) finish(wanted ...string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(s.kinds)) {
		list = append(list, fmt.Sprintf("%s %d", kind, s.kinds[kind]))
	}
	s.Logf("seed %d: %s", s.seed, strings.Join(list, ", "))
	for _, kind := range wanted {
		if s.kinds[kind] == 0 && s.length >= longRun {
			s.Errorf("never: %s", kind)
		}
	}
}

// note counts how a probe or a call ended, and fails the test if it cannot end so.
func (s *storm) note(err error) {
	var icmp *ping.ICMPError
	var name *net.DNSError
	kind := ""
	switch {
	case err == nil:
		kind = "answered"
	case errors.Is(err, ping.ErrLocalDrop):
		kind = "dropped here"
	case errors.Is(err, ping.ErrTimeout):
		kind = "timed out"
	case errors.As(err, &icmp):
		kind = "ICMP error"
	case errors.Is(err, ping.ErrNoRoom):
		kind = "no room"
	case errors.Is(err, net.ErrClosed):
		kind = "closed"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		kind = "cut short"
	case errors.As(err, &name):
		kind = "no such name"
	}
	for _, e := range s.expected {
		if kind == "" && errors.Is(err, e) {
			kind = "not sent: " + e.Error()
		}
	}
	if kind == "" {
		s.errorf("an error that nothing explains: %v", err)
		return
	}
	s.saw(kind)
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
