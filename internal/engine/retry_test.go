package engine

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// full is a destination that there is no room for.
var full = netip.MustParseAddr("192.0.2.66")

// refusing has no room for full, and answers for all others.
func refusing(l *fakeLink, packets []wire.Packet) (int, error) {
	for i := range packets {
		if packets[i].Addr == full {
			return i, wire.ErrNoRoom
		}
		l.deliver(echo(packets[i]))
	}
	return len(packets), nil
}

// to is a series of n probes to an address, due at once.
func (r *rig) to(addr netip.Addr, s *flight.Shape, n int) *series {
	l := r.now(s, n)
	l.dst = addr
	return l
}

// What there is no room for is tried again a millisecond later, no sooner, and the RTT is from when it left.
func TestNoRoomForAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var tries []time.Duration
		var r *rig
		r = newRig(t, newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			tries = append(tries, time.Since(r.epoch))
			if len(tries) <= 5 {
				return 0, wire.ErrNoRoom
			}
			return echoingAfter(20*ms)(l, packets)
		}), nil)
		c := r.caller(r.now(shape(t, time.Second), 1), Options{})
		c.run(t.Context())
		c.only(1, flight.Answered)
		if want := []time.Duration{0, ms, 2 * ms, 3 * ms, 4 * ms, 5 * ms}; !slices.Equal(tries, want) {
			t.Errorf("tried at %v, want %v", tries, want)
		}
		if rtt := time.Duration(c.told()[0].RTT); rtt != 20*ms {
			t.Errorf("RTT is %v", rtt)
		}
	})
}

// What there is no room for for as long as its timeout ends then, and says so, however many there are.
func TestNoRoomForEver(t *testing.T) {
	for name, n := range map[string]int{"one": 1, "many": 3000} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t, newLink(refusing), nil)
				c := r.caller(r.to(full, shape(t, time.Second), n), Options{})
				c.run(t.Context())
				c.only(n, flight.Unsent)
				for _, res := range c.told() {
					if !errors.Is(res.Err, wire.ErrNoRoom) {
						t.Fatalf("%+v", res)
					}
				}
				if at := c.times(); at[0] < time.Second || at[n-1] > 2*time.Second {
					t.Errorf("given up from %v to %v", at[0], at[n-1])
				}
				if got := r.Counts(); got.SendErrors != uint64(n) || got.Sent != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// What may wait for longer than its timeout does so, and is tried less often. Its answer is waited for as ever.
func TestNoRoomPatience(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tries := 0
		var r *rig
		r = newRig(t, newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if tries++; packets[0].Addr != full && r.clock() > int64(5*time.Second) {
				return len(packets), nil
			}
			return 0, wire.ErrNoRoom
		}), nil)
		s := shape(t, time.Second)
		s.Patience = 10 * time.Second
		lasting := r.caller(r.to(full, s, 1), Options{}).start(t.Context())
		passing := r.caller(r.now(s, 1), Options{}).start(t.Context())
		passing.wait().only(1, flight.TimedOut)
		if at := passing.times()[0].Round(100 * ms); at != 6*time.Second {
			t.Errorf("there was room after 5 s, and no answer by %v", at)
		}
		lasting.wait().only(1, flight.Unsent)
		if at := lasting.times()[0].Round(100 * ms); at != 10*time.Second {
			t.Errorf("given up after %v", at)
		}
		if most := 2 * int(s.Patience/patientRetryAfter); tries > most {
			t.Errorf("tried %d times", tries)
		}
		// One that may not wait is tried as often as ever beside one that may.
		r.caller(r.to(full, s, 1), Options{}).start(t.Context())
		synctest.Wait()
		tries = 0
		r.caller(r.to(full, shape(t, 100*ms), 1), Options{}).start(t.Context()).wait().only(1, flight.Unsent)
		if tries < 100 {
			t.Errorf("tried %d times in 100 ms", tries)
		}
	})
}

// One destination that there is no room for, for thousands of probes, holds up no other.
func TestNoRoomForOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var tried atomic.Int64
		r := newRig(t, newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			tried.Add(int64(len(packets)))
			return refusing(l, packets)
		}), nil)
		crowd := r.caller(r.to(full, shape(t, time.Minute), 3000), Options{}).start(t.Context())
		time.Sleep(500 * ms)
		for range 5 {
			start, before := r.clock(), tried.Load()
			c := r.caller(r.now(shape(t, time.Second), 1), Options{})
			c.run(t.Context())
			c.only(1, flight.Answered)
			if took := time.Duration(r.clock() - start); took != 0 || tried.Load()-before > turnRefusals+1 {
				t.Errorf("answered after %v, and %d tries", took, tried.Load()-before)
			}
			time.Sleep(ms / 2)
		}
		crowd.only(0, 0)
	})
}

// Nobody waits any more for a refused probe whose call has ended: it is tried no more, and its place is free.
func TestNoRoomCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(refusing), nil)
		c := r.caller(r.to(full, shape(t, time.Hour), 100), Options{})
		Run(t.Context(), func(int, []flight.Result) bool { return r.Counts().InFlight > 0 }, c.Call)
		if pending, _ := c.End(); pending != 0 {
			t.Errorf("%d pending, that have not left", pending)
		}
		time.Sleep(10 * ms)
		r.mu.Lock()
		inFlight, refused, at := r.table.InFlight(), r.out.refused.len(), r.retryAt
		r.mu.Unlock()
		if inFlight != 0 || refused != 0 || at != 0 {
			t.Errorf("%d in flight, %d refused, tried again at %v", inFlight, refused, at)
		}
	})
}

// While callers keep the sender busy without a pause, what there is no room for still ends with its timeout, if later
// by what waits before it.
func TestNoRoomBesideSaturation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			time.Sleep(100 * time.Microsecond)
			return refusing(l, packets)
		}), nil)
		var stop atomic.Bool
		for range 200 {
			list := r.now(shape(t, time.Minute), 0)
			c := r.caller(list, Options{})
			c.source = &hooked{Source: list, next: func(now int64, p *flight.Probe) (int64, bool) {
				if list.made > list.settled || stop.Load() {
					return 0, false
				}
				p.Dst, p.Shape = target, list.shape
				return now, true
			}, done: stop.Load}
			c.start(t.Context())
		}
		time.Sleep(100 * ms)
		start := r.clock()
		c := r.caller(r.to(full, shape(t, 50*ms), 1), Options{}).start(t.Context())
		c.wait().only(1, flight.Unsent)
		if took := time.Duration(r.clock() - start); took < 50*ms || took > time.Second {
			t.Errorf("given up after %v", took)
		}
		stop.Store(true)
	})
}

// What waits for room when the link ends, ends with it.
func TestNoRoomEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, newLink(refusing), nil)
		none := errors.New("none")
		h := homeAt(r.Conn)
		c := r.callerOf(r.to(full, shape(t, time.Hour), 30), Options{Lasts: true}, h.get).start(t.Context())
		synctest.Wait()
		h.set(nil, none)
		r.Close()
		c.wait().only(30, flight.Unsent)
		for _, res := range c.told() {
			if !errors.Is(res.Err, net.ErrClosed) {
				t.Fatalf("%+v", res)
			}
		}
	})
}
