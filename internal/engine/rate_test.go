package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

// departures are when packets have left, after the epoch.
func (r *rig) departures() (list []time.Duration) {
	for _, p := range r.link.packets() {
		list = append(list, p.Time.Sub(r.epoch))
	}
	return list
}

// Calls take turns at the rate, one after another, over all Conns that share it.
func TestRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		limiter := plan.NewLimiter(100)
		l := newLink(echoing)
		r := newRig(t, l, limiter)
		second := r.connect(l, limiter, nil)
		for i := range 10 {
			home := []*Conn{r.Conn, second}[i%2]
			r.callerOf(r.now(shape(t, time.Second), 2), Options{}, func() (*Conn, error) { return home, nil }).start(t.Context())
		}
		time.Sleep(time.Second)
		var want []time.Duration
		for i := range 20 {
			want = append(want, time.Duration(i)*10*ms)
		}
		if got := r.departures(); !slices.Equal(got, want) {
			t.Errorf("left at %v, want %v", got, want)
		}
	})
}

// Bulk takes as many turns together as are worth a timer, a millisecond's, and leaves no faster.
func TestRateBurst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), plan.NewLimiter(4000))
		c := r.caller(r.now(bulk(t, time.Second), 400), Options{Batch: 8})
		c.run(t.Context())
		c.only(400, flight.TimedOut)
		at := r.departures()
		for i := range at {
			if want := time.Duration(i/4) * ms; at[i] != want {
				t.Fatalf("probe %d left at %v, want %v", i, at[i], want)
			}
		}
	})
}

// The turn of a call that ends before it comes is another's.
func TestRateGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoing), plan.NewLimiter(1))
		first := r.caller(r.now(shape(t, time.Second), 1), Options{})
		first.run(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := r.caller(r.now(shape(t, time.Second), 1), Options{}).start(ctx)
		synctest.Wait()
		cancel()
		cancelled.wait()
		last := r.caller(r.now(shape(t, time.Second), 1), Options{})
		last.run(t.Context())
		if want := []time.Duration{0, time.Second}; !slices.Equal(r.departures(), want) {
			t.Errorf("left at %v, want %v", r.departures(), want)
		}
	})
}

// So is the turn of a call that ends because there is no Conn for it any more.
func TestRateGivenBackWithoutConn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		limiter := plan.NewLimiter(1)
		r := newRig(t, newLink(silent), limiter)
		l := newLink(echoing)
		second := r.connect(l, limiter, nil)
		none := errors.New("none")
		h := homeAt(r.Conn)
		r.caller(r.now(shape(t, ms), 1), Options{}).run(t.Context()) // has the first turn
		c := r.callerOf(r.now(shape(t, time.Second), 1), Options{}, h.get).start(t.Context())
		synctest.Wait()
		h.set(nil, none)
		r.Retire()
		if c.wait(); c.err != none {
			t.Errorf("got %v", c.err)
		}
		last := r.callerOf(r.now(shape(t, time.Second), 1), Options{}, func() (*Conn, error) { return second, nil })
		last.run(t.Context())
		last.only(1, flight.Answered)
		if at := l.packets()[0].Time.Sub(r.epoch); at != time.Second {
			t.Errorf("left at %v, want the turn that was given back", at)
		}
	})
}

// Who comes late to its turn, by more than a moment, takes another.
func TestRateLate(t *testing.T) {
	for late, want := range map[time.Duration]time.Duration{4 * ms: 4 * ms, 6 * ms: 10 * ms} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, newLink(silent), plan.NewLimiter(100))
			r.mu.Lock()
			defer r.mu.Unlock()
			a, b := NewCall(Options{}), NewCall(Options{})
			if !r.mayLeave(a, false, 0) || r.mayLeave(b, false, 0) || b.leave != int64(10*ms) {
				t.Fatalf("the second turn is at %v", time.Duration(b.leave))
			}
			at := int64(10*ms + late)
			may := r.mayLeave(b, false, at)
			if got := time.Duration(b.leave - int64(10*ms)); may != (late <= 5*ms) || may == (got != 0) && late <= 5*ms {
				t.Errorf("%v late: may leave %v, its turn is %v later, want %v", late, may, got, want)
			}
		})
	}
}
