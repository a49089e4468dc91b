package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// roomFor is the capacity of a link of which a Conn fills no more than so many answers.
func roomFor(n int) int { return 2 * n * flight.MessageCost(56) }

// No more is in flight than the receive buffer has room for the answers to; bulk leaves an eighth of it to others. What
// answers come make room for, leaves.
func TestWindow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const room = 80
		l := newLink(silent)
		l.capacity = roomFor(room)
		r := newRig(t, l, nil)
		most := r.caller(r.now(bulk(t, time.Hour), 200), Options{Batch: 8}).start(t.Context())
		synctest.Wait()
		if n := l.left(); n != room*7/8 {
			t.Errorf("%d of bulk have left, want %d", n, room*7/8)
		}
		others := r.caller(r.now(shape(t, time.Hour), 200), Options{}).start(t.Context())
		synctest.Wait()
		if n := l.left(); n != room {
			t.Errorf("%d have left, want %d", n, room)
		}
		l.plays(echoing)
		for _, p := range l.packets() {
			l.deliver(echo(p))
		}
		most.wait().only(200, flight.Answered)
		others.wait().only(200, flight.Answered)
	})
}

// Where nobody answers, time makes room, long before the probes are given up: for bulk and for others.
func TestSilenceMakesRoom(t *testing.T) {
	for name, s := range map[string]*flight.Shape{"bulk": bulk(t, time.Hour), "others": shape(t, time.Hour)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const room = 80
				l := newLink(silent)
				l.capacity = roomFor(room)
				r := newRig(t, l, nil)
				r.caller(r.now(s, 10*room), Options{Batch: 8}).start(t.Context())
				time.Sleep(time.Second)
				synctest.Wait()
				packets := l.packets()
				if len(packets) != 10*room {
					t.Fatalf("%d of %d have left", len(packets), 10*room)
				}
				for i := range packets[room:] { // a window's worth in its time, not more
					if d := packets[i+room].Time.Sub(packets[i].Time); d < 15*ms || d > 50*ms {
						t.Fatalf("%d left in %v", room, d)
					}
				}
			})
		})
	}
}

// A probe that falls due while there is no room leaves when there is, by the timekeeper, though its caller sleeps.
func TestDueWithoutRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const room = 80
		l := newLink(silent)
		l.capacity = roomFor(room)
		r := newRig(t, l, nil)
		c := r.caller(r.at(shape(t, time.Hour), 100*ms), Options{}).start(t.Context())
		time.Sleep(100*ms - 1)
		r.caller(r.now(shape(t, time.Hour), room), Options{}).start(t.Context())
		synctest.Wait()
		time.Sleep(ms)
		if n := l.left(); n != room {
			t.Errorf("%d have left, want %d", n, room)
		}
		l.deliver(echo(l.packets()[0]))
		synctest.Wait()
		if n := l.left(); n != room+1 {
			t.Errorf("%d have left, want %d", n, room+1)
		}
		l.deliver(echo(l.packets()[room]))
		c.wait().only(1, flight.Answered)
	})
}

// What the link drops narrows the window.
func TestDropsNarrow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const room = 80
		l := newLink(silent)
		l.capacity = roomFor(room)
		r := newRig(t, l, nil)
		l.dropped.Store(1)
		time.Sleep(time.Second)
		r.caller(r.now(shape(t, time.Hour), room), Options{}).start(t.Context())
		synctest.Wait()
		if n := l.left(); n != room/2 {
			t.Errorf("%d have left, want %d", n, room/2)
		}
	})
}

// Bulk is told when the table has no room for more of it, and goes on when there is.
func TestCrowded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const most = tableRoom - tableRoom/16
		l := newLink(silent)
		r := newRig(t, l, nil)
		told := 0
		c := r.caller(r.now(bulk(t, time.Hour), most+10), Options{Batch: 8, Crowded: func() { told++ }}).start(t.Context())
		synctest.Wait()
		if n := l.left(); n != most || !r.Crowded() || told == 0 {
			t.Fatalf("%d have left, want %d; crowded %v, told %d times", n, most, r.Crowded(), told)
		}
		l.plays(echoing)
		for _, p := range l.packets()[:100] {
			l.deliver(echo(p))
		}
		synctest.Wait()
		if n := len(c.told()); n != 110 || r.Crowded() {
			t.Errorf("%d answered, crowded %v", n, r.Crowded())
		}
	})
}

// A bulk call that waits for room does so once, however often it is woken, and no longer than it has the Conn.
func TestBulkWaitsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(refusing) // too many that are not sent leave no room for more of them
		r := newRig(t, l, nil)
		ctx, cancel := context.WithCancel(t.Context())
		list := r.to(full, bulk(t, time.Hour), 1000)
		c := r.caller(list, Options{Batch: 8}).start(ctx)
		synctest.Wait()
		for range 50 {
			c.Wake()
			synctest.Wait()
		}
		waiting := func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.lanes)
		}
		if n := waiting(); n != 1 {
			t.Errorf("it waits %d times", n)
		}
		cancel()
		c.wait()
		if n := waiting(); n != 0 {
			t.Errorf("%d wait, and have ended", n)
		}
	})
}

// Where all places of the table are taken, a call waits for one, no longer than its timeout; then it says that there is
// no room, and goes on.
func TestQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		r.fill()
		start := time.Since(r.epoch)
		c := r.caller(r.at(shape(t, time.Second), 0, 0, 3*time.Second), Options{}).start(t.Context())
		d := r.caller(r.now(shape(t, time.Hour), 1), Options{}).start(t.Context())
		time.Sleep(2500 * ms)
		c.only(2, flight.Unsent)
		if got, want := c.times(), []time.Duration{start + time.Second, start + 2*time.Second}; !slices.Equal(got, want) {
			t.Errorf("told at %v, want %v", got, want)
		}
		if err := c.told()[0].Err; !errors.Is(err, wire.ErrNoRoom) {
			t.Errorf("got %v", err)
		}
		l.plays(echoing)
		l.deliver(echo(l.packets()[0]), echo(l.packets()[1]))
		d.wait().only(1, flight.Answered)
		c.wait()
		if kinds := c.kinds(); kinds[2] != flight.Answered || c.told()[2].Tag != 2 {
			t.Errorf("%+v", c.told())
		}
		if n := r.Counts(); n.SendErrors != 2 {
			t.Errorf("%+v", n)
		}
	})
}

// Places go to calls in the order in which they have waited.
func TestQueueOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		r.fill()
		var waiting []*caller
		for i := range 10 {
			s := shape(t, time.Hour-time.Duration(i)*ms) // the last to come would be the first to give up
			s.TTL = i + 1
			waiting = append(waiting, r.caller(r.now(s, 1), Options{}).start(t.Context()))
			synctest.Wait()
		}
		for i := range waiting {
			l.deliver(echo(l.packets()[i]))
			synctest.Wait()
			packets := l.packets()
			if n := len(packets) - tableRoom; n != i+1 || packets[len(packets)-1].TTL != i+1 {
				t.Fatalf("%d have left, the last that of call %d, want %d", n, packets[len(packets)-1].TTL, i+1)
			}
		}
	})
}

// A place goes to who has waited for one before it goes to what has fallen due since, however late the timekeeper sees
// both; and who has not waited for its timeout is not turned away.
func TestQueueBeforeDue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		fill := r.caller(r.now(shape(t, time.Hour), tableRoom-1), Options{Batch: 8}).start(t.Context())
		synctest.Wait()
		var slow atomic.Bool
		l.plays(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if packets[0].Addr == full {
				if slow.CompareAndSwap(true, false) { // the timekeeper tries again, and is held up
					time.Sleep(10 * ms)
				}
				return 0, wire.ErrNoRoom
			}
			return silent(l, packets)
		})
		r.caller(r.to(full, shape(t, time.Hour), 1), Options{}).start(t.Context()) // has the last place
		synctest.Wait()
		due := shape(t, time.Hour)
		due.TTL = 2
		second := r.caller(r.at(due, 6*ms), Options{}).start(t.Context())
		waiting := shape(t, time.Hour)
		waiting.TTL = 1
		first := r.caller(r.now(waiting, 1), Options{}).start(t.Context())
		time.Sleep(5*ms - ms/2)
		slow.Store(true)
		time.Sleep(5 * ms)
		for i := range 2 {
			l.deliver(echo(l.packets()[i]))
			time.Sleep(20 * ms)
			first.only(0, 0)
			second.only(0, 0)
			packets := l.packets()
			if n, ttl := len(packets)-tableRoom+1, packets[len(packets)-1].TTL; n != i+1 || ttl != i+1 {
				t.Fatalf("%d have left, the last that of call %d, want %d", n, ttl, i+1)
			}
		}
		fill.only(2, flight.Answered)
	})
}

// The place of a probe that could not be sent is another's.
func TestQueueAfterFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		r.caller(r.now(shape(t, time.Hour), tableRoom-1), Options{Batch: 8}).start(t.Context())
		synctest.Wait()
		l.plays(refusing)
		failed := r.caller(r.to(full, shape(t, 50*ms), 1), Options{}).start(t.Context())
		synctest.Wait()
		start := r.clock()
		c := r.caller(r.now(shape(t, time.Hour), 1), Options{}).start(t.Context())
		failed.wait().only(1, flight.Unsent)
		c.wait().only(1, flight.Answered)
		if took := time.Duration(r.clock() - start); took != 50*ms {
			t.Errorf("after %v", took)
		}
	})
}

// How long a probe has waited for a place is not counted against the one that its Source puts in its place.
func TestQueueAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		r.fill()
		start := r.clock()
		var later atomic.Int64
		list := r.now(shape(t, time.Second), 1)
		c := r.caller(list, Options{})
		c.source = &hooked{Source: list, next: func(now int64, p *flight.Probe) (int64, bool) {
			at, ok := list.Next(now, p)
			return max(at, later.Load()), ok
		}}
		c.start(t.Context())
		time.Sleep(500 * ms)
		later.Store(start + int64(2*time.Second))
		c.Wake()
		c.wait().only(1, flight.Unsent)
		if got, want := c.times()[0]-time.Duration(start), 3*time.Second; got != want {
			t.Errorf("turned away after %v, want %v", got, want)
		}
	})
}

// A call that waits for a place ends with its context, and leaves no trace.
func TestQueueCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		r.fill()
		ctx, cancel := context.WithCancel(t.Context())
		c := r.caller(r.now(shape(t, time.Hour), 1), Options{}).start(ctx)
		synctest.Wait()
		cancel()
		if c.wait(); !errors.Is(c.err, context.Canceled) {
			t.Errorf("got %v", c.err)
		}
		if n := r.queue.Len(); n != 0 || c.queued != nil || c.giveUp != 0 {
			t.Errorf("%d in the queue, %v, %v", n, c.queued, c.giveUp)
		}
	})
}

// Where another Conn has a place, the call moves there at once, and what it has in flight settles where it is.
func TestFindPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		h := homeAt(r.Conn)
		c := r.callerOf(r.at(shape(t, time.Hour), 0, time.Second), Options{}, h.get).start(t.Context())
		synctest.Wait()
		full := r.caller(r.now(shape(t, time.Hour), tableRoom-1), Options{Batch: 8}).start(t.Context())
		synctest.Wait()
		second := r.connect(newLink(echoing), nil, nil)
		h.set(second, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		c.only(1, flight.Answered)
		l.deliver(echo(l.packets()[0]))
		c.wait().only(2, flight.Answered)
		full.only(0, 0)
	})
}
