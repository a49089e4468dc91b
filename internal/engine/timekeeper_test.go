package engine

import (
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// A thread that loses its processor while it reads the clocks is not taken for a clock that was set.
func TestSteady(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newRig(t, newLink(silent), nil).Conn
		c.mu.Lock()
		defer c.mu.Unlock()
		first := c.steady(c.now())
		torn := first.Add(int64(10 * ms))
		torn.Mono += int64(5 * ms)
		if got := c.steady(torn); got.Mono != torn.Mono || got.Wall-got.Mono != first.Wall-first.Mono {
			t.Errorf("torn: %+v became %+v", torn, got)
		}
		near := first.Add(int64(20 * ms))
		near.Wall += int64(ms / 2)
		if got := c.steady(near); got != near {
			t.Errorf("slewed: %+v became %+v", near, got)
		}
		c.offset += int64(time.Hour) // as if the clock had been set since
		if got := c.steady(first); got != first {
			t.Errorf("after a step: %+v became %+v", first, got)
		}
	})
}

// Probes are given up at their deadlines, the earliest first, whatever the order in which they left.
func TestDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		var callers []*caller
		for _, d := range []time.Duration{300 * ms, 100 * ms, 200 * ms} {
			callers = append(callers, r.caller(r.now(shape(t, d), 1), Options{}).start(t.Context()))
		}
		for i, want := range []time.Duration{300 * ms, 100 * ms, 200 * ms} {
			callers[i].wait().only(1, flight.TimedOut)
			if got := callers[i].times()[0]; got != want {
				t.Errorf("given up at %v, want %v", got, want)
			}
		}
	})
}

// Where the timekeeper is late, the whole program may have been: a link that cannot be polled then has a moment to hand
// over what came in time. A link that can is asked, and has none. Where the timekeeper is on time, nor has either.
func TestLenient(t *testing.T) {
	const timeout = 100 * ms
	for _, c := range []struct {
		name       string
		polls      bool
		late       time.Duration // the timekeeper's waking, after the deadline
		handedOver time.Duration // after the deadline
		want       flight.Kind
	}{
		{"late", false, 50 * ms, 55 * ms, flight.Answered},
		{"later than that", false, 50 * ms, 61 * ms, flight.TimedOut},
		{"on time", false, 0, 5 * ms, flight.TimedOut},
		{"late, over a link that polls", true, 50 * ms, 55 * ms, flight.TimedOut},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				l := newLink(nil)
				l.polls = c.polls
				slow := func(l *fakeLink, packets []wire.Packet) (int, error) {
					if packets[0].Addr == full { // the timekeeper's
						time.Sleep(10*ms + c.late)
					}
					return len(packets), nil
				}
				l.plays(slow)
				r := newRig(t, l, nil)
				lost := r.caller(r.now(shape(t, timeout), 1), Options{}).start(t.Context())
				if c.late > 0 {
					other := r.at(shape(t, time.Hour), timeout-10*ms)
					other.dst = full
					r.caller(other, Options{}).start(t.Context())
				}
				time.Sleep(timeout + c.handedOver)
				answer := echo(l.packets()[0])
				answer.Time = r.epoch.Add(timeout - ms).Round(0)
				l.deliver(answer)
				lost.wait().only(1, c.want)
				if c.want == flight.Answered && lost.told()[0].RTT != int64(timeout-ms) {
					t.Errorf("%+v", lost.told()[0])
				}
			})
		})
	}
}

// However long a timeout or a wait is, nothing overflows.
func TestLongest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		c := r.caller(r.at(shape(t, 1<<63-1), 0, ms, 1<<62), Options{}).start(t.Context())
		time.Sleep(24 * time.Hour)
		if n := l.left(); n != 2 || len(c.told()) > 0 {
			t.Errorf("%d have left, %v", n, c.kinds())
		}
	})
}
