package engine

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// Before a probe is given up, all is read that came by then in both queues, though there is something newer in one.
func TestPollReadsBothQueues(t *testing.T) {
	for name, departs := range map[string]bool{"errors": false, "departures": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const before = 40
				l := newLink(silent)
				l.departs, l.deaf = departs, true
				r := newRig(t, l, nil)
				c := r.caller(r.now(shape(t, time.Hour), before+1), Options{}).start(t.Context())
				synctest.Wait()
				now := time.Now()
				sent := l.packets()
				for i, p := range sent {
					at := now.Add(-ms)
					if i == before {
						at = now.Add(time.Hour)
					}
					answer := echo(p)
					answer.Time = at.Round(0)
					switch {
					case departs: // the reports come in one queue, the answers in the other
						l.reports = append(l.reports, departure(p, at))
						l.replies = append(l.replies, answer)
					case i == before:
						l.replies = append(l.replies, answer)
					default:
						p.Err = &wire.Error{Type: wire.Unreachable4, Code: 1, From: full}
						p.Time = at.Round(0)
						l.reports = append(l.reports, p)
					}
				}
				if departs { // a newer probe's report is the first there
					l.reports[0], l.reports[before] = l.reports[before], l.reports[0]
				}
				r.in.Lock()
				if some, err := r.poll(r.in.packets, true, tickBatches, now.UnixNano()); !some || err != nil {
					t.Errorf("%v, %v", some, err)
				}
				r.in.Unlock()
				synctest.Wait()
				if n := len(c.told()); n < before {
					t.Errorf("%d were told of, of %d that were answered", n, before)
				}
			})
		})
	}
}

// Where more comes after the instant told in both queues, reading ends with that.
func TestPollEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		l.deaf = true
		r := newRig(t, l, nil)
		var later []wire.Packet
		for range 10 * BatchSize {
			p := wire.Packet{Addr: full, Data: make([]byte, wire.HeaderLen), Time: time.Now().Add(time.Hour).Round(0)}
			q := p
			q.Err = &wire.Error{From: full}
			later = append(later, p, q)
		}
		l.deliver(later...)
		r.in.Lock()
		r.poll(r.in.packets, true, tickBatches, time.Now().UnixNano())
		r.in.Unlock()
		l.mu.Lock()
		left := len(l.replies) + len(l.reports)
		l.mu.Unlock()
		if left < len(later)-BatchSize {
			t.Errorf("%d of %d are left", left, len(later))
		}
	})
}

// What the timekeeper takes for a call that waits is listened for, also where another is sending, and a third reading.
func TestListensForDue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sending, reading := newGate(), newGate()
		l := newLink(nil)
		var busy, watched atomic.Bool
		l.plays(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if packets[0].Addr != full {
				return echoingAfter(20*ms)(l, packets)
			}
			if busy.Load() {
				sending.pass()
			}
			return echoing(l, packets)
		})
		l.reading = func() error {
			if watched.CompareAndSwap(true, false) {
				reading.pass()
			}
			return nil
		}
		r := newRig(t, l, nil)
		c := r.caller(r.at(shape(t, time.Second), 0, 100*ms, 200*ms), Options{}).start(t.Context())
		time.Sleep(200*ms - ms/2)
		r.caller(r.to(full, shape(t, time.Second), 1), Options{}).run(t.Context())
		r.toRest()
		busy.Store(true)
		sender := r.caller(r.to(full, shape(t, time.Second), 1), Options{}).start(t.Context())
		<-sending.met
		watched.Store(true)
		counted := make(chan struct{})
		go func() {
			r.Counts()
			close(counted)
		}()
		<-reading.met
		time.Sleep(ms) // the third probe is due
		close(reading.open)
		<-counted
		time.Sleep(10*ms - ms/2)
		close(sending.open)
		c.wait().only(3, flight.Answered)
		if want := []time.Duration{20 * ms, 120 * ms, 230 * ms}; !slices.Equal(c.times(), want) {
			t.Errorf("told at %v, want %v", c.times(), want)
		}
		sender.wait().only(1, flight.Answered)
	})
}

// Before a probe is called lost, what has come is read, though the link has not told that something has.
func TestReadBeforeLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(echoingAfter(50 * ms))
		l.deaf = true
		r := newRig(t, l, nil)
		c := r.caller(r.now(shape(t, 500*ms), 1), Options{})
		c.run(t.Context())
		c.only(1, flight.Answered)
		if res := c.told()[0]; res.RTT != int64(50*ms) || res.Clock != flight.Kernel || c.times()[0] != 500*ms {
			t.Errorf("%+v at %v", res, c.times())
		}
	})
}

// What came before a deadline counts, however late the program reads it; what came after that does not.
func TestReadLate(t *testing.T) {
	const timeout = 50 * ms
	for name, c := range map[string]struct {
		came time.Duration
		want flight.Kind
	}{"in time": {timeout - ms, flight.Answered}, "too late": {timeout + ms, flight.TimedOut}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
				answer := echo(packets[0])
				answer.Time = time.Now().Add(c.came).Round(0)
				l.deliver(answer)
				return 1, nil
			}), nil)
			r.in.Lock() // nobody reads
			call := r.caller(r.now(shape(t, timeout), 1), Options{}).start(t.Context())
			for r.link.left() == 0 {
				runtime.Gosched()
			}
			time.Sleep(2 * timeout) // the time that is to pass
			r.in.Unlock()
			call.wait().only(1, c.want)
			if n := r.Counts(); n.Late != n.Lost {
				t.Errorf("%+v", n)
			}
		})
	}
}

// The first large probe leaves while a reader is about to read with buffers for small ones: its answer is read whole.
func TestFirstLargeProbe(t *testing.T) {
	l := newLink(echoing)
	var hook atomic.Pointer[func()]
	l.reading = func() error {
		if f := hook.Swap(nil); f != nil {
			(*f)()
		}
		return nil
	}
	r := newRig(t, l, nil)
	s := shape(t, time.Minute)
	s.Template = template(t, 8000)
	large := r.caller(r.now(s, 1), Options{})
	about := func() {
		before, started := l.left(), make(chan struct{})
		go func() {
			close(started)
			large.run(t.Context())
		}()
		<-started
		for l.left() == before && time.Since(r.epoch) < time.Second/20 { // it would have left by now, if it did not wait
			runtime.Gosched()
		}
	}
	hook.Store(&about)
	r.Counts() // reads, with room for several small ones
	large.wait().only(1, flight.Answered)
	if n := r.Counts(); n.Corrupted != 0 {
		t.Errorf("%+v", n)
	}
}

// However much comes, timeouts and contexts hold, and what is sent leaves.
func TestFlood(t *testing.T) {
	l := newLink(silent)
	stray := wire.Packet{Addr: full, Data: make([]byte, wire.HeaderLen)}
	l.reading = func() error { // there is always something
		l.mu.Lock()
		l.replies = l.replies[:0]
		l.mu.Unlock()
		l.deliver(slices.Repeat([]wire.Packet{stray}, 2*BatchSize)...)
		return nil
	}
	r := newRig(t, l, nil)
	lost := r.caller(r.now(shape(t, 20*ms), 1), Options{})
	lost.run(t.Context())
	lost.only(1, flight.TimedOut)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.plays(func(_ *fakeLink, packets []wire.Packet) (int, error) {
		cancel()
		return len(packets), nil
	})
	c := r.caller(r.now(shape(t, time.Minute), 1), Options{})
	if pending := c.run(ctx); !errors.Is(c.err, context.Canceled) || pending != 1 {
		t.Errorf("%v, %d pending", c.err, pending)
	}
}

// Strays that come while nothing is in flight are read before the next probe leaves, and what was dropped of them is
// not that probe's.
func TestClearUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		synctest.Wait()
		l.dropped.Store(3)
		for range 100 {
			l.deliver(wire.Packet{Addr: full, Data: make([]byte, wire.HeaderLen)})
		}
		time.Sleep(time.Second)
		c := r.caller(r.now(shape(t, time.Second), 1), Options{})
		c.run(t.Context())
		c.only(1, flight.TimedOut)
		l.plays(func(l *fakeLink, packets []wire.Packet) (int, error) {
			l.dropped.Add(1)
			return len(packets), nil
		})
		c = r.caller(r.now(shape(t, time.Second), 1), Options{})
		c.run(t.Context())
		c.only(1, flight.Dropped)
		if n := r.Counts(); n.Stray != 100 || n.LocalDrops != 4 {
			t.Errorf("%+v", n)
		}
	})
}

// An error of reading comes to the reader, whoever has met it first, and ends the Conn. What has come with it counts.
func TestReadFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		broken := errors.New("broken")
		l := newLink(silent)
		var fail atomic.Bool
		l.reading = func() error {
			if fail.Load() {
				return broken
			}
			return nil
		}
		r := newRig(t, l, nil)
		c := r.caller(r.now(shape(t, time.Hour), 2), Options{}).start(t.Context())
		synctest.Wait()
		fail.Store(true)
		l.deliver(echo(l.packets()[0]))
		if told := <-r.ended; !errors.Is(told, broken) || !errors.Is(told, net.ErrClosed) {
			t.Errorf("told of %v", told)
		}
		c.wait()
		if want := []flight.Kind{flight.Answered, flight.Ended}; !slices.Equal(c.kinds(), want) {
			t.Errorf("%v, want %v", c.kinds(), want)
		}
	})
}

// An answer waits for the report of its probe's departure, within the same reading; where none comes, it counts
// without.
func TestDepartures(t *testing.T) {
	for name, reported := range map[string]bool{"reported": true, "not reported": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				l := newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
					for _, p := range packets {
						left := time.Now().Add(5 * ms)
						answer, report := echo(p), departure(p, left)
						time.AfterFunc(20*ms, func() {
							if reported {
								l.mu.Lock()
								l.reports = append(l.reports, report)
								l.mu.Unlock()
							}
							l.deliver(answer)
						})
					}
					return len(packets), nil
				})
				l.departs = true
				r := newRig(t, l, nil)
				c := r.caller(r.now(shape(t, time.Second), 1), Options{})
				c.run(t.Context())
				c.only(1, flight.Answered)
				want, clock := 20*ms, flight.Kernel
				if reported {
					want, clock = 15*ms, flight.Wire
				}
				if res := c.told()[0]; res.RTT != int64(want) || res.Clock != clock {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}
