package engine

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// What is being sent while the Conn ends has ended with it, be it the last that there is.
func TestCloseWhileSending(t *testing.T) {
	for name, n := range map[string]int{"one": 1, "some": 3} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newGate()
				l := newLink(held(g, silent))
				r := newRig(t, l, nil)
				h := homeAt(r.Conn)
				s := bulk(t, time.Hour)
				c := r.callerOf(r.now(s, n), Options{Batch: 8, Lasts: true}, h.get).start(t.Context())
				<-g.met
				h.set(nil, errors.New("none"))
				r.Close()
				close(g.open)
				c.wait().only(n, flight.Ended)
				for _, res := range c.told() {
					if !errors.Is(res.Err, net.ErrClosed) {
						t.Errorf("%+v", res)
					}
				}
				if got := r.Counts(); !r.Final() || got.Sent != uint64(n) || got.Abandoned != got.Sent {
					t.Errorf("final %v: %+v", r.Final(), got)
				}
			})
		})
	}
}

// What was refused ends with the Conn, also where that ends, and the timekeeper with it, while somebody who is
// sending is about to let go, and has not seen that it has.
func TestCloseBeforeLettingGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(refusing), nil)
		h := homeAt(r.Conn)
		c := r.callerOf(r.to(full, shape(t, time.Hour), 3), Options{Lasts: true}, h.get).start(t.Context())
		synctest.Wait()
		if !r.out.sending.TryLock() {
			t.Fatal("somebody is sending")
		}
		h.set(nil, errors.New("none"))
		r.Close()
		if !r.letGo() {
			t.Error("what was refused is left to nobody")
			r.out.sending.Lock()
		}
		r.flush()
		c.wait().only(3, flight.Unsent)
	})
}
