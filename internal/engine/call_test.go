package engine

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// A call's probes leave when its Source says, and what becomes of each is told, with the kernel's RTT.
func TestRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoingAfter(20*ms)), nil)
		c := r.caller(r.at(shape(t, time.Second), 0, 100*ms, 250*ms), Options{})
		if pending := c.run(t.Context()); c.err != nil || pending != 0 {
			t.Errorf("%v, %d pending", c.err, pending)
		}
		c.only(3, flight.Answered)
		for i, res := range c.told() {
			if res.Tag != int64(i) || res.RTT != int64(20*ms) || res.Clock != flight.Kernel || res.TTL != 64 {
				t.Errorf("%d: %+v", i, res)
			}
		}
		if want := []time.Duration{20 * ms, 120 * ms, 270 * ms}; !slices.Equal(c.times(), want) {
			t.Errorf("told at %v, want %v", c.times(), want)
		}
	})
}

// Before the calls wait, deliver is called without results, and may end the run; so it may with some.
func TestDeliverEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoingAfter(20*ms)), nil)
		for _, idle := range []bool{true, false} {
			c := r.caller(r.now(shape(t, time.Second), 2), Options{})
			told := 0
			err := Run(t.Context(), func(_ int, results []flight.Result) bool {
				told += len(results)
				return len(results) == 0 != idle
			}, c.Call)
			// Both have come, and one or both were told of.
			if err != nil || (told == 0) != idle {
				t.Errorf("idle %v: %v after %d results", idle, err, told)
			}
			if pending, _ := c.End(); pending+told != 2 {
				t.Errorf("idle %v: %d pending, %d told of", idle, pending, told)
			}
		}
	})
}

// When ctx ends, what has come by then is told first, also where no reader has seen it; the rest is pending.
func TestContextEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		l.deaf = true
		r := newRig(t, l, nil)
		ctx, cancel := context.WithCancel(t.Context())
		c := r.caller(r.now(shape(t, time.Hour), 3), Options{})
		go func() {
			synctest.Wait()
			l.deliver(echo(l.packets()[1]))
			cancel()
		}()
		if pending := c.run(ctx); !errors.Is(c.err, context.Canceled) || pending != 2 {
			t.Errorf("%v, %d pending", c.err, pending)
		}
		c.only(1, flight.Answered)
	})
}

// Several calls of one goroutine over different Conns share a Wake; each has its own results.
func TestSeveralCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoingAfter(20*ms)), nil)
		second := r.connect(newLink(echoingAfter(30*ms)), nil, nil)
		o := Options{Wake: make(chan struct{}, 1), Batch: 8}
		a := r.caller(r.at(bulk(t, time.Second), 0, 0, 0, 50*ms), o)
		b := r.callerOf(r.at(shape(t, time.Second), 10*ms, 200*ms), o, func() (*Conn, error) { return second, nil })
		callers := []*caller{a, b}
		if err := Run(t.Context(), func(i int, results []flight.Result) bool {
			callers[i].tell(results)
			return true
		}, a.Call, b.Call); err != nil {
			t.Error(err)
		}
		a.End()
		b.End()
		a.only(4, flight.Answered)
		b.only(2, flight.Answered)
		if want := []time.Duration{20 * ms, 20 * ms, 20 * ms, 70 * ms}; !slices.Equal(a.times(), want) {
			t.Errorf("told at %v, want %v", a.times(), want)
		}
		if want := []time.Duration{40 * ms, 230 * ms}; !slices.Equal(b.times(), want) {
			t.Errorf("told at %v, want %v", b.times(), want)
		}
	})
}

// A call that does not last ends with its Conn, and says why, after all results there were.
func TestConnEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		c := r.caller(r.at(shape(t, time.Hour), 0, 0, time.Minute), Options{}).start(t.Context())
		synctest.Wait()
		broken := errors.New("broken")
		l.ends <- broken
		c.wait().only(2, flight.Ended)
		if !errors.Is(c.err, net.ErrClosed) || !errors.Is(c.err, broken) {
			t.Errorf("got %v", c.err)
		}
		told, closes := <-r.ended, l.closes.Load()
		if !errors.Is(told, broken) || !r.Ended() || !errors.Is(r.Cause(), broken) || closes != 1 {
			t.Errorf("told of %v, because of %v, closed %d times", told, r.Cause(), closes)
		}
		for _, res := range c.told() {
			if !errors.Is(res.Err, broken) {
				t.Errorf("%+v", res)
			}
		}
	})
}

// So does one that has nothing in flight, and waits.
func TestConnEndsWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoing), nil)
		c := r.caller(r.at(shape(t, time.Second), 0, time.Hour), Options{}).start(t.Context())
		time.Sleep(time.Second)
		r.Close()
		if c.wait(); !errors.Is(c.err, net.ErrClosed) || c.times()[0] != 0 || r.clock() != int64(time.Second) {
			t.Errorf("%v at %v", c.err, time.Duration(r.clock()))
		}
	})
}

// Close returns the link's error, once, and tells nobody else.
func TestCloseError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		l.closeErr = errors.New("of closing")
		r := newRig(t, l, nil)
		if err := r.Close(); err != l.closeErr {
			t.Errorf("got %v", err)
		}
		if err := r.Close(); err != nil || len(r.ended) > 0 || l.closes.Load() != 1 {
			t.Errorf("again: %v, %d told, closed %d times", err, len(r.ended), l.closes.Load())
		}
	})
}

// Who is told of the end may close the Conn.
func TestCloseWhenEnded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		closed := make(chan error, 1)
		r := &rig{TB: t, epoch: time.Now()}
		var c *Conn
		made := make(chan struct{})
		c = r.connect(l, nil, func(error) {
			<-made
			closed <- c.Close()
		})
		close(made)
		r.callerOf(r.now(shape(t, time.Hour), 1), Options{}, func() (*Conn, error) { return c, nil }).start(t.Context())
		l.ends <- errors.New("broken")
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// When a call ends, what it has in flight is dropped, and what was settled and not delivered counts with that. What the
// probes met beside their results is told, whichever Conn it was.
func TestEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		c := r.caller(r.now(shape(t, time.Hour), 4), Options{})
		err := Run(t.Context(), func(_ int, results []flight.Result) bool {
			if len(results) > 0 {
				t.Errorf("%+v", results)
			}
			return l.left() < 4
		}, c.Call)
		answer := echo(l.packets()[2])
		l.deliver(answer, answer)
		r.Counts() // reads them
		pending, oddities := c.End()
		if want := (flight.Oddities{Duplicates: 1}); err != nil || pending != 4 || oddities != want {
			t.Errorf("%v, %d pending, %+v", err, pending, oddities)
		}
		l.deliver(echo(l.packets()[3]))
		if n := r.Counts(); n.Received != 1 || n.Abandoned != 3 || n.Late != 1 || n.Duplicates != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// A call may be used again, with other Sources over other Conns, and remembers nothing.
func TestCallAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoingAfter(20*ms)), nil)
		second := r.connect(newLink(silent), nil, nil)
		c := r.caller(nil, Options{})
		for i := range 4 {
			home, kind := r.Conn, flight.Answered
			if i%2 == 1 {
				home, kind = second, flight.TimedOut
			}
			c.list, c.results, c.done = r.now(shape(t, 50*ms), 3), nil, make(chan struct{})
			c.Start(c.list, func() (*Conn, error) { return home, nil })
			c.run(t.Context())
			c.only(3, kind)
			c.list = r.now(shape(t, 50*ms), 3)
			c.Start(c.list, func() (*Conn, error) { return home, nil })
			if Run(t.Context(), func(int, []flight.Result) bool { return false }, c.Call); c.conn == nil {
				t.Error("no Conn")
			}
			c.End()
		}
	})
}

// Anomalies holds until End.
func TestAnomaliesUntilEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		twice := func(l *fakeLink, packets []wire.Packet) (int, error) {
			l.deliver(echo(packets[0]), echo(packets[0]))
			return 1, nil
		}
		r := newRig(t, newLink(twice), nil)
		c := r.caller(nil, Options{})
		for i, on := range []bool{false, true, false} {
			c.list, c.results, c.done = r.at(shape(t, time.Second), 0, ms), nil, make(chan struct{})
			c.Start(c.list, func() (*Conn, error) { return r.Conn, nil })
			if on {
				c.Anomalies(true)
			}
			c.run(t.Context())
			if got := slices.Contains(c.kinds(), flight.Duplicate); got != on {
				t.Errorf("%d: %v", i, c.kinds())
			}
		}
	})
}

// What has come for one call is told before the error that another of them meets.
func TestResultsBeforeError(t *testing.T) {
	for name, end := range map[string]func(cancel context.CancelFunc, first *fakeLink){
		"context": func(cancel context.CancelFunc, _ *fakeLink) { cancel() },
		"Conn":    func(_ context.CancelFunc, first *fakeLink) { first.ends <- errors.New("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				l, l2 := newLink(silent), newLink(silent)
				r := newRig(t, l, nil)
				second := r.connect(l2, nil, nil)
				o := Options{Wake: make(chan struct{}, 1)}
				a := r.caller(r.now(shape(t, time.Hour), 1), o)
				b := r.callerOf(r.now(shape(t, time.Hour), 3), o, func() (*Conn, error) { return second, nil })
				a.list.open = true
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				callers := []*caller{a, b}
				met := false
				err := Run(ctx, func(i int, results []flight.Result) bool {
					callers[i].tell(results)
					if len(results) == 0 && !met && l2.left() == 3 { // all that comes, comes before the calls look again
						met = true
						l2.deliver(echo(l2.packets()[0]), echo(l2.packets()[1]))
						second.Counts()
						end(cancel, l)
						synctest.Wait()
					}
					return true
				}, a.Call, b.Call)
				pending := 0
				for _, c := range callers {
					n, _ := c.End()
					pending += n
				}
				if err == nil {
					t.Error("no error")
				}
				b.only(2, flight.Answered)
				if want := 4 - len(a.told()) - len(b.told()); pending != want {
					t.Errorf("%d pending, want %d", pending, want)
				}
			})
		})
	}
}
