package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// toRest wakes the reader for nothing, while nothing is in flight: it goes to rest.
func (r *rig) toRest() {
	r.Helper()
	signal(r.link.came)
	if synctest.Wait(); r.listening.Load() {
		r.Error("the reader is not at rest")
	}
	select {
	case <-r.link.came: // it was at rest before
	default:
	}
}

// While nothing is in flight nobody waits for the link; from when somebody waits for an answer, the reader does, and is
// told of it.
func TestRest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(echoing)
		r := newRig(t, l, nil)
		synctest.Wait()
		for range 100 { // answered before it is waited for
			c := r.caller(r.now(shape(t, time.Second), 1), Options{})
			c.run(t.Context())
			c.only(1, flight.Answered)
		}
		if n := l.waits.Load(); n != 0 {
			t.Errorf("the reader has waited %d times", n)
		}
		l.plays(echoingAfter(20 * ms))
		for range 3 {
			c := r.caller(r.now(shape(t, time.Second), 1), Options{})
			c.run(t.Context())
			c.only(1, flight.Answered)
			if rtt := time.Duration(c.told()[0].RTT); rtt != 20*ms {
				t.Errorf("RTT is %v", rtt)
			}
		}
		if n := l.waits.Load(); n < 3 {
			t.Errorf("the reader has waited %d times", n)
		}
		r.toRest()
	})
}

// The first call over a Conn finds the reader at rest, however soon it sends.
func TestRestFromTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for range 100 {
			l := newLink(echoing)
			r := newRig(t, l, nil)
			c := r.caller(r.now(shape(t, time.Second), 1), Options{})
			c.run(t.Context())
			c.only(1, flight.Answered)
			synctest.Wait()
			if n := l.waits.Load(); n != 0 {
				t.Fatalf("the reader has waited %d times", n)
			}
		}
	})
}

// A Conn that is new, and has a clock that is not, neither looks for what came before its first probe, nor for drops.
func TestNewConnSendsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(silent), nil)
		time.Sleep(time.Hour)
		asked := 0
		ask := func() error {
			asked++
			return nil
		}
		l := newLink(func(*fakeLink, []wire.Packet) (int, error) {
			if asked > 0 {
				t.Errorf("the link was asked %d times before", asked)
			}
			return 0, errors.New("no way there")
		})
		l.reading, l.dropping = ask, func() { ask() }
		conn := r.connect(l, nil, nil)
		c := r.callerOf(r.now(shape(t, time.Second), 1), Options{}, func() (*Conn, error) { return conn, nil })
		c.run(t.Context())
		c.only(1, flight.Unsent)
	})
}

// Where nothing has left, nobody looks for answers.
func TestNoGlanceAtNothing(t *testing.T) {
	for name, o := range map[string]Options{"one": {}, "a batch": {Batch: BatchSize}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				l := newLink(func(*fakeLink, []wire.Packet) (int, error) { return 0, errors.New("no way there") })
				reads := 0
				l.reading = func() error {
					reads++
					return nil
				}
				r := newRig(t, l, nil)
				const probes = 3 * BatchSize
				c := r.caller(r.now(bulk(t, time.Second), probes), o)
				c.run(t.Context())
				c.only(probes, flight.Unsent)
				if reads > 0 {
					t.Errorf("%d reads", reads)
				}
				due := r.caller(r.at(shape(t, time.Second), 10*ms), o)
				due.run(t.Context())
				due.only(1, flight.Unsent)
				if reads > 1 { // before it is sent, after the pause
					t.Errorf("%d reads for what fell due", reads)
				}
			})
		})
	}
}
