package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// A probe leaves as its shape says, with its sequence number and cookie, and with a key where departures are reported.
func TestPackets(t *testing.T) {
	for _, departs := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			l := newLink(silent)
			l.departs = departs
			r := newRig(t, l, nil)
			s := shape(t, ms)
			s.TTL, s.TrafficClass, s.DontFragment, s.FlowLabel = 7, 8, true, 9
			r.caller(r.now(s, 2), Options{}).run(t.Context())
			packets := l.packets()
			if len(packets) != 2 {
				t.Fatalf("%d left", len(packets))
			}
			keys, cookies := map[uint32]bool{}, map[uint64]bool{}
			for i, p := range packets {
				if p.Addr != target || p.TTL != 7 || p.TrafficClass != 8 || !p.DontFragment || p.FlowLabel != 9 {
					t.Errorf("%+v", p)
				}
				e, ok := wire.ParseEcho(p.Data)
				if !ok || !e.IsRequest(false) || int(e.Seq) != i || !e.Intact(56) || (p.Key != 0) != departs {
					t.Errorf("%+v", p)
				}
				keys[p.Key] = true
				cookies[uint64(e.Payload[0])<<8|uint64(e.Payload[1])] = true
			}
			if len(cookies) != 2 || departs && len(keys) != 2 {
				t.Errorf("keys %v, cookies %v", keys, cookies)
			}
		})
	}
}

// Only bulk shares a system call, in batches, in order.
func TestTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var sizes []int
		l := newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			sizes = append(sizes, len(packets))
			return echoing(l, packets)
		})
		r := newRig(t, l, nil)
		r.caller(r.now(bulk(t, time.Second), 20), Options{Batch: 8}).run(t.Context())
		r.caller(r.now(shape(t, time.Second), 3), Options{Batch: 8}).run(t.Context())
		if got, want := fmt.Sprint(sizes), "[8 8 4 1 1 1]"; got != want {
			t.Errorf("sent %s together, want %s", got, want)
		}
		for i, p := range l.packets() {
			if e, _ := wire.ParseEcho(p.Data); int(e.Seq) != i {
				t.Errorf("packet %d has number %d", i, e.Seq)
			}
		}
	})
}

// Who is sending sends what others queue meanwhile, and they need not wait for it; what is too much for one turn the
// timekeeper goes on with.
func TestSendsForOthers(t *testing.T) {
	const (
		turn = turnBatches * BatchSize
		more = 100
	)
	for name, others := range map[string]int{"few": 20, "more than a turn": turn + more} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				first, second := newGate(), newGate()
				l := newLink(nil)
				sent := 0
				l.plays(held(first, func(l *fakeLink, packets []wire.Packet) (int, error) {
					if sent++; sent == 1+turn+more/2 {
						second.pass()
					}
					return silent(l, packets)
				}))
				r := newRig(t, l, nil)
				a := r.caller(r.now(shape(t, time.Second), 1), Options{}).start(t.Context())
				<-first.met
				waiting := make([]*caller, others)
				for i := range waiting {
					waiting[i] = r.caller(r.now(shape(t, time.Second), 1), Options{}).start(t.Context())
				}
				synctest.Wait()
				if n := l.left(); n != 0 {
					t.Errorf("%d have left", n)
				}
				close(first.open)
				if others > turn {
					<-second.met
					// The caller that was sending has handed over: it hears of its answer.
					l.deliver(echo(l.packets()[0]))
					a.wait().only(1, flight.Answered)
					close(second.open)
				}
				synctest.Wait()
				if n := l.left(); n != 1+others {
					t.Errorf("%d have left, want %d", n, 1+others)
				}
				for _, c := range waiting {
					c.wait().only(1, flight.TimedOut)
				}
				a.wait()
			})
		})
	}
}

// While Send is slow, what has come is read, and timeouts hold, for all others.
func TestSlowSend(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := netip.MustParseAddr("192.0.2.9")
		l := newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if packets[0].Addr == slow {
				time.Sleep(time.Second)
			}
			return len(packets), nil
		})
		r := newRig(t, l, nil)
		lost := r.caller(r.now(shape(t, 100*ms), 1), Options{}).start(t.Context())
		synctest.Wait()
		answered := r.caller(r.now(shape(t, time.Hour), 1), Options{}).start(t.Context())
		synctest.Wait()
		list := r.now(shape(t, time.Second), 1)
		list.dst = slow
		r.caller(list, Options{}).start(t.Context())
		time.Sleep(200 * ms)
		lost.wait().only(1, flight.TimedOut)
		if got := lost.times(); got[0] != 100*ms {
			t.Errorf("timed out at %v", got)
		}
		l.deliver(echo(l.packets()[1]))
		answered.wait().only(1, flight.Answered)
		if got := answered.times(); got[0] != 200*ms {
			t.Errorf("answered at %v", got)
		}
		// What falls due meanwhile leaves afterwards, and its RTT is its own.
		l.plays(echoing)
		late := r.caller(r.at(shape(t, 50*ms), 100*ms), Options{}).start(t.Context())
		late.wait().only(1, flight.Answered)
		if got := late.times(); got[0] != time.Second || late.told()[0].RTT != 0 {
			t.Errorf("%+v at %v", late.told(), got)
		}
	})
}

// A Send that fails ends the packet that it did not send, and no other.
func TestSendFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		bad := errors.New("no way there")
		calls := 0
		l := newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			if calls++; calls > 1 {
				return echoing(l, packets)
			}
			echoing(l, packets[:3])
			return 3, bad
		})
		r := newRig(t, l, nil)
		c := r.caller(r.now(bulk(t, time.Second), 8), Options{Batch: 8})
		c.run(t.Context())
		unsent := 0
		for _, res := range c.told() {
			switch {
			case res.Kind == flight.Unsent && res.Tag == 3 && res.Err == bad:
				unsent++
			case res.Kind != flight.Answered || res.Tag == 3:
				t.Errorf("%+v", res)
			}
		}
		if n := r.Counts(); unsent != 1 || n.Received != 7 || n.SendErrors != 1 {
			t.Errorf("%d unsent, %+v", unsent, n)
		}
	})
}

// A Send that panics does so in the goroutine of whoever called it. What it was to send has failed, and others go on.
func TestSendPanics(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "beside one": 1, "beside many": 1000} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newGate()
				l := newLink(nil)
				first := true
				l.plays(held(g, func(l *fakeLink, packets []wire.Packet) (int, error) {
					if first {
						first = false
						panic("of the link")
					}
					return echoing(l, packets)
				}))
				r := newRig(t, l, nil)
				a := r.caller(r.now(bulk(t, time.Second), 3), Options{Batch: 3})
				go func() {
					defer close(a.done)
					defer a.End()
					defer func() {
						if got := recover(); got != "of the link" {
							t.Errorf("recovered %v", got)
						}
					}()
					Run(t.Context(), func(int, []flight.Result) bool { return true }, a.Call)
					t.Error("it returned")
				}()
				<-g.met
				var waiting []*caller
				for range others {
					waiting = append(waiting, r.caller(r.now(shape(t, time.Second), 1), Options{}).start(t.Context()))
				}
				synctest.Wait()
				close(g.open)
				a.wait()
				for _, c := range waiting {
					c.wait().only(1, flight.Answered)
				}
				c := r.caller(r.now(shape(t, time.Second), 3), Options{})
				c.run(t.Context())
				c.only(3, flight.Answered)
				if n := r.Counts(); n.SendErrors != 3 || n.Received != uint64(others+3) || n.Sent != n.Received {
					t.Errorf("%+v", n)
				}
			})
		})
	}
}

// The link's end, met by a Send, ends all that is in flight, queued and refused.
func TestSendMeetsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(silent)
		r := newRig(t, l, nil)
		h := homeAt(r.Conn)
		lasting := Options{Batch: 8, Lasts: true} // which hears of all
		inFlight := r.callerOf(r.now(shape(t, time.Hour), 2), lasting, h.get).start(t.Context())
		synctest.Wait()
		l.plays(func(*fakeLink, []wire.Packet) (int, error) { return 0, wire.ErrNoRoom })
		refused := r.callerOf(r.now(shape(t, time.Hour), 2), lasting, h.get).start(t.Context())
		synctest.Wait()
		g := newGate()
		l.plays(held(g, func(l *fakeLink, packets []wire.Packet) (int, error) {
			return 2, fmt.Errorf("gone: %w", wire.ErrEnded)
		}))
		sending := r.callerOf(r.now(bulk(t, time.Hour), 4), lasting, h.get).start(t.Context())
		<-g.met
		queued := r.callerOf(r.now(shape(t, time.Hour), 2), lasting, h.get).start(t.Context())
		synctest.Wait()
		h.set(nil, errors.New("none"))
		close(g.open)
		for _, c := range []*caller{inFlight, refused, sending, queued} {
			for _, res := range c.wait().told() {
				if !errors.Is(res.Err, net.ErrClosed) || !errors.Is(res.Err, wire.ErrEnded) {
					t.Errorf("%+v", res)
				}
			}
		}
		inFlight.only(2, flight.Ended)
		refused.only(2, flight.Unsent)
		queued.only(2, flight.Unsent)
		kinds := sending.kinds()
		slices.Sort(kinds)
		if want := []flight.Kind{flight.Unsent, flight.Unsent, flight.Ended, flight.Ended}; !slices.Equal(kinds, want) {
			t.Errorf("of what was being sent: %v", kinds)
		}
		if !r.Final() {
			t.Error("not final")
		}
		if n := r.Counts(); n.Sent != 4 || n.Abandoned != 4 {
			t.Errorf("%+v", n)
		}
	})
}

// A call that ends while its probe waits to be sent is not sent for.
func TestCancelledWhileQueued(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newGate()
		l := newLink(held(g, echoing))
		r := newRig(t, l, nil)
		a := r.caller(r.now(shape(t, time.Second), 1), Options{}).start(t.Context())
		<-g.met
		ctx, cancel := context.WithCancel(t.Context())
		b := r.caller(r.now(shape(t, time.Second), 1), Options{}).start(ctx)
		synctest.Wait()
		cancel()
		if b.wait(); !errors.Is(b.err, context.Canceled) {
			t.Errorf("got %v", b.err)
		}
		close(g.open)
		a.wait().only(1, flight.Answered)
		synctest.Wait()
		if n := r.Counts(); n.InFlight != 0 || n.Received != 1 || n.Sent != n.Received+n.Abandoned {
			t.Errorf("%+v", n)
		}
	})
}
