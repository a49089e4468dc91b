package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// While results are being delivered, the Source is the receiver's alone: what falls due waits for that.
func TestSourceWhileDelivering(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(echoingAfter(20 * ms))
		r := newRig(t, l, nil)
		list := r.at(shape(t, time.Second), 0, 25*ms)
		delivering := false
		c := r.caller(list, Options{})
		c.source = &hooked{Source: list, next: func(now int64, p *flight.Probe) (int64, bool) {
			if delivering {
				t.Error("asked while results are being delivered")
			}
			return list.Next(now, p)
		}}
		if err := Run(t.Context(), func(_ int, results []flight.Result) bool {
			if len(results) > 0 {
				delivering = true
				time.Sleep(50 * ms)
				c.tell(results)
				delivering = false
			}
			return true
		}, c.Call); err != nil {
			t.Error(err)
		}
		c.End()
		c.only(2, flight.Answered)
	})
}

// A call whose Source has nothing more to send asks again when it is woken.
func TestWake(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(echoing), nil)
		list := r.now(shape(t, time.Second), 0)
		list.open = true
		more := make(chan struct{}, 1)
		c := r.caller(list, Options{})
		c.source = &hooked{Source: list, next: func(now int64, p *flight.Probe) (int64, bool) {
			select {
			case <-more:
				list.due, list.open = append(list.due, now), false
			default:
			}
			return list.Next(now, p)
		}}
		c.start(t.Context())
		synctest.Wait()
		more <- struct{}{}
		c.Wake()
		c.wait().only(1, flight.Answered)
	})
}

// A Source that panics does so in its caller's goroutine, and the Conn goes on for all others.
func TestSourcePanics(t *testing.T) {
	for _, name := range []string{"Next", "Done"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t, newLink(echoing), nil)
				list := r.at(shape(t, time.Second), 0, 100*ms)
				h := &hooked{Source: list}
				c := r.caller(list, Options{})
				c.source = h
				fail := func() {
					if list.settled == 1 {
						panic("of the source")
					}
				}
				if name == "Next" {
					h.next = func(now int64, p *flight.Probe) (int64, bool) {
						fail()
						return list.Next(now, p)
					}
				} else {
					h.done = func() bool {
						fail()
						return list.Done()
					}
				}
				func() {
					defer c.End()
					defer func() {
						if got := recover(); got != "of the source" {
							t.Errorf("recovered %v", got)
						}
					}()
					Run(t.Context(), func(_ int, results []flight.Result) bool {
						c.tell(results)
						return true
					}, c.Call)
				}()
				other := r.caller(r.now(shape(t, time.Second), 2), Options{})
				other.run(t.Context())
				other.only(2, flight.Answered)
			})
		})
	}
}
