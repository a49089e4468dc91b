package ping_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What a Watcher can be at when it, or what it hangs on, ends.
var watcherStates = []struct {
	name    string
	prepare func(t *testing.T, w *ping.Watcher)
}{
	{"no targets", func(*testing.T, *ping.Watcher) {}},
	{"targets removed", func(t *testing.T, w *ping.Watcher) {
		add(t, w, 1, target)
		w.Remove(1)
	}},
	{"nothing due for long", func(t *testing.T, w *ping.Watcher) {
		add(t, w, 1, target, ping.WithInterval(1000*time.Hour))
	}},
	{"both families, answered", func(t *testing.T, w *ping.Watcher) {
		add(t, w, 1, target)
		add(t, w, 2, "2001:db8::1")
	}},
	{"in flight", func(t *testing.T, w *ping.Watcher) { add(t, w, 1, "192.0.2.9", ping.WithTimeout(time.Hour)) }},
	{"no room", func(t *testing.T, w *ping.Watcher) { add(t, w, 1, "192.0.2.10", ping.WithTimeout(time.Hour)) }},
	{"send errors", func(t *testing.T, w *ping.Watcher) { add(t, w, 1, "192.0.2.11") }},
}

// newStatesPinger returns a Pinger over a network for watcherStates.
func newStatesPinger(t *testing.T) *ping.Pinger {
	f := newFake(func(_ int, m ping.Message) []delayed {
		if m.Addr == netip.MustParseAddr("192.0.2.9") {
			return nil
		}
		return []delayed{{ms, echoed(m)}}
	})
	f.refuse = func(_ int, m ping.Message) error {
		switch m.Addr {
		case netip.MustParseAddr("192.0.2.10"):
			return ping.ErrNoRoom
		case netip.MustParseAddr("192.0.2.11"):
			return errors.New("refused")
		}
		return nil
	}
	return newFakePinger(t, f)
}

// The loop of a Watcher ends with ctx, and with Close of the Watcher or its Pinger, whatever it is at, and at once.
// The last two leave nothing that a further loop could do.
func TestWatcherEnds(t *testing.T) {
	for _, state := range watcherStates {
		for _, end := range []struct {
			name string
			end  func(p *ping.Pinger, w *ping.Watcher, cancel func())
		}{
			{"ctx", func(_ *ping.Pinger, _ *ping.Watcher, cancel func()) { cancel() }},
			{"Close", func(_ *ping.Pinger, w *ping.Watcher, _ func()) { w.Close() }},
			{"Pinger.Close", func(p *ping.Pinger, _ *ping.Watcher, _ func()) { p.Close() }},
		} {
			t.Run(state.name+", "+end.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newStatesPinger(t)
					w := newWatcher(t, p)
					state.prepare(t, w)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					time.AfterFunc(2500*ms, func() { end.end(p, w, cancel) })
					start := time.Now()
					for id, r := range w.Replies(ctx) {
						if time.Since(start) >= 2500*ms {
							t.Errorf("after the end came %d: %+v", id, r)
						}
					}
					if took := time.Since(start); took != 2500*ms {
						t.Errorf("the loop ended after %v", took)
					}
					if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned && end.name != "Pinger.Close" {
						t.Errorf("after the loop: %+v", c)
					}
					if end.name == "ctx" {
						return
					}
					for id, r := range w.Replies(t.Context()) { // which has no end but that
						t.Errorf("a loop after Close yields %d: %+v", id, r)
					}
					if err := w.Add(2, netip.MustParseAddr(target)); !errors.Is(err, net.ErrClosed) {
						t.Errorf("Add after Close: %v", err)
					}
					w.Remove(1)
					if err := w.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// In the body of the loop, too.
func TestWatcherEndsInBody(t *testing.T) {
	for name, end := range map[string]func(p *ping.Pinger, w *ping.Watcher, cancel func()) bool{
		"ctx":          func(_ *ping.Pinger, _ *ping.Watcher, cancel func()) bool { cancel(); return true },
		"Close":        func(_ *ping.Pinger, w *ping.Watcher, _ func()) bool { w.Close(); return true },
		"Pinger.Close": func(p *ping.Pinger, _ *ping.Watcher, _ func()) bool { p.Close(); return true },
		"break":        func(*ping.Pinger, *ping.Watcher, func()) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newStatesPinger(t)
				w := newWatcher(t, p)
				for i := range int64(20) {
					add(t, w, i, []string{target, "2001:db8::1"}[i%2], ping.WithInterval(ms))
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				n := 0
				for range w.Replies(ctx) {
					if n++; n == 30 {
						time.Sleep(time.Second) // so that the next replies come together
					}
					if n == 35 && !end(p, w, cancel) {
						break
					}
				}
				if n != 35 {
					t.Errorf("%d replies, and the loop was ended with the 35th", n)
				}
			})
		})
	}
}

// Where there is no loop nothing is sent. The next one goes on with the schedule of each target, and with its Seq.
func TestWatcherLoopAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		p := newFakePinger(t, f)
		w := newWatcher(t, p)
		for i := range int64(10) {
			add(t, w, i, []string{target, "2001:db8::1"}[i%2])
		}
		count := map[int64]int{}
		first := map[int64]time.Time{}
		for range 3 {
			before := len(f.departures(time.Now()))
			time.Sleep(9700 * ms)
			if after := len(f.departures(time.Now())); after != before {
				t.Errorf("%d echo requests left without a loop", after-before)
			}
			overdue := map[int64]bool{}
			for _, r := range watchFor(t, w, 5*time.Second, nil) {
				if r.Seq != count[r.id] || r.Err != nil {
					t.Errorf("target %d: %+v, want probe %d", r.id, r, count[r.id])
				}
				count[r.id]++
				switch {
				case !overdue[r.id]: // its first probe of the loop
					overdue[r.id] = true
				case first[r.id].IsZero():
					first[r.id] = r.Sent
				case r.Sent.Sub(first[r.id])%time.Second != 0:
					t.Errorf("target %d: %v after its second probe", r.id, r.Sent.Sub(first[r.id]))
				}
			}
			if c := p.Counters(); c.InFlight != 0 {
				t.Errorf("%d in flight after the loop", c.InFlight)
			}
		}
		for id, n := range count {
			if n < 15 || n > 18 {
				t.Errorf("target %d had %d probes in three loops of 5 s", id, n)
			}
		}
	})
}

// There is one loop at a time: a second says so, also from the body of the first, which it does not disturb.
func TestWatcherSecondLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, newFakePinger(t, newFake(echoAfter(ms))))
		add(t, w, 1, target)
		list := watchFor(t, w, 5*time.Second, func(watched) bool {
			n := 0
			for id, r := range w.Replies(t.Context()) {
				if n++; n > 1 || id != 0 || r.Err == nil || !strings.Contains(r.Err.Error(), "loop") {
					t.Errorf("a second loop yields %d: %+v", id, r)
				}
			}
			if n != 1 {
				t.Errorf("a second loop yields %d replies", n)
			}
			return true
		})
		if len(list) != 5 {
			t.Errorf("%d replies in 5 s", len(list))
		}
	})
}

// A body that panics, or ends its goroutine, ends the loop as a break does.
func TestWatcherBodyPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		w := newWatcher(t, p)
		add(t, w, 1, target)
		add(t, w, 2, "2001:db8::1")
		for range 3 {
			func() {
				defer func() {
					if recover() != "body" {
						t.Error("the panic did not come out of the loop")
					}
				}()
				for range w.Replies(t.Context()) {
					panic("body")
				}
			}()
			if list := watchFor(t, w, 2*time.Second, nil); len(list) < 3 || len(list) > 5 {
				t.Errorf("%d replies in the 2 s after a panic", len(list))
			}
		}
	})
}

// A Watcher is refused on the other side of a bubble's wall, as its Pinger is.
func TestWatcherBubble(t *testing.T) {
	p := newFakePinger(t, newFake(echoAfter(ms)))
	w := newWatcher(t, p)
	refused := func(t *testing.T, p *ping.Pinger, w *ping.Watcher) {
		if _, err := p.NewWatcher(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("NewWatcher: %v", err)
		}
		if err := w.Add(1, netip.MustParseAddr(target)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Add: %v", err)
		}
		for id, r := range w.Replies(t.Context()) {
			if id != 0 || !errors.Is(r.Err, errors.ErrUnsupported) {
				t.Errorf("the loop yields %d: %+v", id, r)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) { refused(t, p, w) })
}
