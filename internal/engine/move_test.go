package engine

import (
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// Homes are the Conns for calls, one after another.
type homes struct {
	at    atomic.Pointer[home]
	asked atomic.Int64
}

type home struct {
	conn *Conn
	err  error
}

func (h *homes) set(c *Conn, err error) { h.at.Store(&home{c, err}) }

func (h *homes) get() (*Conn, error) {
	h.asked.Add(1)
	at := h.at.Load()
	return at.conn, at.err
}

func homeAt(c *Conn) *homes {
	h := &homes{}
	h.set(c, nil)
	return h
}

// Where a Conn has been retired, what is in flight settles there, what leaves next leaves by the new one, and the old
// one ends with the last call that had something there.
func TestRetire(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		l2 := newLink(echoing)
		second := r.connect(l2, nil, nil)
		h := homeAt(r.Conn)
		c := r.callerOf(r.at(shape(t, time.Second), 0, 100*ms, 2*time.Second), Options{}, h.get).start(t.Context())
		idle := r.callerOf(r.at(shape(t, time.Second), time.Hour), Options{}, h.get).start(t.Context())
		synctest.Wait()
		h.set(second, nil)
		r.Retire()
		synctest.Wait()
		if r.Ended() {
			t.Error("it has ended with a probe in flight")
		}
		time.Sleep(200 * ms)
		if l.left() != 1 || l2.left() != 1 {
			t.Errorf("%d by the old Conn, %d by the new one", l.left(), l2.left())
		}
		l.deliver(echo(l.packets()[0]))
		synctest.Wait()
		if !r.Ended() || r.Cause() != net.ErrClosed || len(r.ended) != 0 {
			t.Errorf("when all is settled: ended %v, because of %v", r.Ended(), r.Cause())
		}
		c.wait().only(3, flight.Answered)
		if rtt := time.Duration(c.told()[1].RTT); rtt != 200*ms || c.told()[1].Tag != 0 {
			t.Errorf("%+v", c.told()[1])
		}
		idle.wait().only(1, flight.Answered)
	})
}

// A Conn that nobody uses ends when it is retired; one whose call has ended, with that; Close ends it at once.
func TestRetireUnused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		r.Retire()
		if !r.Ended() {
			t.Error("unused: has not ended")
		}
		used := r.connect(newLink(silent), nil, nil)
		c := r.callerOf(r.now(shape(t, time.Hour), 1), Options{}, func() (*Conn, error) { return used, nil })
		Run(t.Context(), func(int, []flight.Result) bool { return false }, c.Call)
		used.Retire()
		if used.Ended() {
			t.Error("used: has ended")
		}
		c.End()
		if !used.Ended() {
			t.Error("left: has not ended")
		}
	})
}

// A call that waits for a place in the table, for an hour, leaves a retired Conn at once.
func TestRetireWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		r.fill()
		h := homeAt(r.Conn)
		c := r.callerOf(r.now(shape(t, time.Hour), 1), Options{}, h.get).start(t.Context())
		synctest.Wait()
		second := r.connect(newLink(echoing), nil, nil)
		h.set(second, nil)
		start := r.clock()
		r.Retire()
		c.wait().only(1, flight.Answered)
		if r.clock() != start {
			t.Errorf("after %v", time.Duration(r.clock()-start))
		}
	})
}

// What a call ended while its probe was being sent does not keep the Conn from ending.
func TestRetireWhileSending(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGate()
		l := newLink(held(g, silent))
		r := newRig(t, l, nil)
		a := r.caller(r.now(shape(t, time.Second), 1), Options{}).start(t.Context())
		<-g.met
		b := r.caller(r.now(shape(t, time.Second), 1), Options{})
		Run(t.Context(), func(int, []flight.Result) bool { return false }, b.Call)
		if pending, _ := b.End(); pending != 0 {
			t.Errorf("%d pending, that have not been sent", pending)
		}
		r.Retire()
		close(g.open)
		a.wait()
		if !r.Ended() || !r.Final() {
			t.Errorf("ended %v, final %v", r.Ended(), r.Final())
		}
	})
}

// In a call that lasts, what cannot be sent for want of a Conn is a result, and a second later a Conn is looked for
// again.
func TestLasts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		none := errors.New("none")
		r := newRig(t, newLink(echoing), nil)
		h := &homes{}
		h.set(nil, none)
		list := r.at(shape(t, time.Second), 0, 0, 300*ms, 5*time.Second)
		c := r.callerOf(list, Options{Lasts: true}, h.get).start(t.Context())
		time.Sleep(2500 * ms)
		c.only(3, flight.Unsent)
		for i, res := range c.told() {
			if res.Err != none || res.Tag != int64(i) {
				t.Errorf("%+v", res)
			}
		}
		if want := []time.Duration{0, 0, 300 * ms}; !slices.Equal(c.times(), want) {
			t.Errorf("told at %v, want %v", c.times(), want)
		}
		if n := h.asked.Load(); n < 4 || n > 7 {
			t.Errorf("%d times has a Conn been looked for", n)
		}
		h.set(r.Conn, nil)
		c.wait()
		if kinds := c.kinds(); len(kinds) != 4 || kinds[3] != flight.Answered || c.times()[3] != 5*time.Second {
			t.Errorf("%v at %v", kinds, c.times())
		}
	})
}

// A call that does not last ends where there is no Conn.
func TestNoConn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		none := errors.New("none")
		r := newRig(t, newLink(echoing), nil)
		h := &homes{}
		h.set(nil, none)
		c := r.callerOf(r.now(shape(t, time.Second), 1), Options{}, h.get)
		if c.run(t.Context()); c.err != none {
			t.Errorf("got %v", c.err)
		}
		c.only(0, 0)
	})
}

// A call that lasts goes on over the next Conn when one ends, and in the meantime says what it could not send. What was
// in flight has ended.
func TestLastsOverEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		second := r.connect(newLink(echoing), nil, nil)
		h := homeAt(r.Conn)
		var after []time.Duration
		for i := range 8 {
			after = append(after, time.Duration(i)*500*ms)
		}
		c := r.callerOf(r.at(shape(t, time.Hour), after...), Options{Lasts: true}, h.get).start(t.Context())
		time.Sleep(700 * ms)
		l.ends <- errAgain
		time.Sleep(time.Second)
		h.set(second, nil)
		c.wait()
		want := []flight.Kind{flight.Ended, flight.Ended, flight.Unsent, flight.Unsent}
		for len(want) < 8 {
			want = append(want, flight.Answered)
		}
		if !slices.Equal(c.kinds(), want) {
			t.Errorf("%v, want %v", c.kinds(), want)
		}
		if !errors.Is(c.told()[2].Err, errAgain) {
			t.Errorf("%+v", c.told()[2])
		}
	})
}

var errAgain = errors.New("it has ended")

// An answer that comes twice is told of after the call has gone over to another Conn as before.
func TestAnomaliesAfterMove(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		twice := func(l *fakeLink, packets []wire.Packet) (int, error) {
			l.deliver(echo(packets[0]))
			l.deliver(echo(packets[0]))
			return 1, nil
		}
		none := errors.New("none")
		r := newRig(t, newLink(twice), nil)
		second, third := r.connect(newLink(twice), nil, nil), r.connect(newLink(twice), nil, nil)
		h := homeAt(r.Conn)
		after := []time.Duration{0, time.Second, 3 * time.Second, 5 * time.Second, 7 * time.Second}
		list := r.at(shape(t, time.Second), after...)
		c := r.callerOf(list, Options{Lasts: true}, h.get)
		c.Anomalies(true)
		c.start(t.Context())
		time.Sleep(500 * ms)
		h.set(second, nil)
		r.Retire()
		time.Sleep(2 * time.Second)
		h.set(nil, none)
		second.Retire()
		time.Sleep(2 * time.Second)
		h.set(third, nil)
		c.wait()
		// The call ends with the last answer, whose double may come after that.
		got := map[flight.Kind]int{}
		for _, k := range c.kinds() {
			got[k]++
		}
		if got[flight.Answered] != 4 || got[flight.Unsent] != 1 || got[flight.Duplicate] < 3 {
			t.Errorf("%v, want 4 answered, 1 unsent, 3 doubles", got)
		}
	})
}

// A home that has nothing but Conns that have been retired has none.
func TestHomeOfRetired(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		r.Retire()
		second := r.connect(newLink(echoing), nil, nil)
		stale := homeAt(r.Conn)
		c := r.callerOf(r.now(shape(t, time.Second), 1), Options{}, stale.get)
		if c.run(t.Context()); !errors.Is(c.err, net.ErrClosed) || stale.asked.Load() > 2 {
			t.Errorf("%v, asked %d times", c.err, stale.asked.Load())
		}
		// One that finds out in time is asked again.
		asked := 0
		c = r.callerOf(r.now(shape(t, time.Second), 1), Options{}, func() (*Conn, error) {
			if asked++; asked == 1 {
				return r.Conn, nil
			}
			return second, nil
		})
		c.run(t.Context())
		c.only(1, flight.Answered)
		// A call that lasts says so for each probe, and looks again.
		stale = homeAt(r.Conn)
		list := r.at(shape(t, time.Second), 0, 100*ms, 10*time.Second)
		c = r.callerOf(list, Options{Lasts: true}, stale.get).start(t.Context())
		time.Sleep(5 * time.Second)
		c.only(2, flight.Unsent)
		stale.set(second, nil)
		c.wait()
		if kinds := c.kinds(); kinds[2] != flight.Answered {
			t.Errorf("%v", kinds)
		}
	})
}

// Of several calls without a Conn each wakes when its own next probe is due.
func TestEarliestRetry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		none := errors.New("none")
		r := newRig(t, newLink(silent), nil)
		h := &homes{}
		h.set(nil, none)
		o := Options{Lasts: true, Wake: make(chan struct{}, 1)}
		for _, due := range [][2]time.Duration{{100 * ms, 900 * ms}, {900 * ms, 100 * ms}} {
			start := time.Since(r.epoch)
			a := r.callerOf(r.at(shape(t, time.Second), due[0]), o, h.get)
			b := r.callerOf(r.at(shape(t, time.Second), due[1]), o, h.get)
			callers := []*caller{a, b}
			if err := Run(t.Context(), func(i int, results []flight.Result) bool {
				callers[i].tell(results)
				return true
			}, a.Call, b.Call); err != nil {
				t.Error(err)
			}
			for i, c := range callers {
				c.End()
				c.only(1, flight.Unsent)
				if got := c.times()[0] - start; got != due[i] {
					t.Errorf("call %d was told after %v, want %v", i, got, due[i])
				}
			}
		}
	})
}

// What is in flight may be given up sooner than it was to be, over the Conn that has been retired too.
func TestShorten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		sent := 0
		second := r.connect(newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if sent++; sent == 1 {
				return silent(l, packets)
			}
			return echoingAfter(20*ms)(l, packets)
		}), nil, nil)
		h := homeAt(r.Conn)
		time.AfterFunc(40*ms, func() {
			h.set(second, nil)
			r.Retire()
		})
		c := r.callerOf(r.at(shape(t, time.Second), 0, 50*ms, 100*ms), Options{}, h.get)
		err := Run(t.Context(), func(_ int, results []flight.Result) bool {
			c.tell(results)
			if len(results) > 0 {
				c.Shorten(func(int64) time.Duration { return 150 * ms })
			}
			return true
		}, c.Call)
		if pending, _ := c.End(); err != nil || pending != 0 {
			t.Errorf("%v, %d pending", err, pending)
		}
		if want := []time.Duration{120 * ms, 150 * ms, 200 * ms}; !slices.Equal(c.times(), want) {
			t.Errorf("told at %v, want %v", c.times(), want)
		}
	})
}
