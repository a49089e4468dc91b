package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// Whatever is scheduled, scheduled anew and unscheduled, the first on the agenda is the earliest, and each call knows
// its place.
func TestAgenda(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := newRig(t, newLink(silent), nil).Conn
		c.mu.Lock()
		defer c.mu.Unlock()
		random := rand.New(rand.NewPCG(1, 2))
		want := map[*Call]int64{}
		calls := make([]*Call, 50)
		for i := range calls {
			calls[i] = NewCall(Options{})
		}
		hour := int64(time.Hour)
		for range 5000 {
			call := calls[random.IntN(len(calls))]
			if random.IntN(3) == 0 {
				c.unschedule(call)
				delete(want, call)
			} else {
				at := hour + random.Int64N(100)
				c.schedule(call, at)
				want[call] = at
			}
			if len(c.agenda) != len(want) {
				t.Fatalf("%d on the agenda, want %d", len(c.agenda), len(want))
			}
			earliest := int64(1 << 62)
			for call, at := range want {
				earliest = min(earliest, at)
				if e := c.agenda[call.index]; e.Call != call || e.at != at {
					t.Fatalf("a call's place is that of another, or of %d, want %d", e.at, at)
				}
			}
			if len(want) > 0 && (c.agenda[0].at != earliest || c.armed > earliest) {
				t.Fatalf("the first is %d, armed for %d, want %d", c.agenda[0].at, c.armed, earliest)
			}
		}
		for _, call := range calls {
			c.unschedule(call)
		}
	})
}

// What falls due while the calls wait leaves in the order in which it is due, each at its instant.
func TestDueInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(echoing)
		r := newRig(t, l, nil)
		random := rand.New(rand.NewPCG(3, 4))
		var callers []*caller
		for i := range 20 {
			list := r.at(shape(t, time.Second))
			list.dst = target.Next()
			at := r.clock()
			for range 20 {
				at += random.Int64N(int64(10*ms)) + 1
				list.due = append(list.due, at)
			}
			list.shape.TTL = i + 1
			callers = append(callers, r.caller(list, Options{}).start(t.Context()))
		}
		for _, c := range callers {
			c.wait().only(20, flight.Answered)
		}
		next := make([]int, len(callers))
		for _, p := range l.packets() {
			i := p.TTL - 1
			if at := int64(p.Time.Sub(r.epoch)); at != callers[i].list.due[next[i]] {
				t.Errorf("probe %d of call %d left at %d, want %d", next[i], i, at, callers[i].list.due[next[i]])
			}
			next[i]++
		}
	})
}

// Where more falls due at a time than the timekeeper sends in a row, what was due first leaves first.
func TestDueTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var order []int
		l := newLink(func(l *fakeLink, packets []wire.Packet) (int, error) {
			order = append(order, packets[0].TTL)
			if packets[0].TTL == 99 { // the timekeeper is held up until all others are due
				time.Sleep(time.Second)
			}
			return echoing(l, packets)
		})
		r := newRig(t, l, nil)
		slow := shape(t, time.Hour)
		slow.TTL = 99
		first := r.caller(r.at(slow, 100*ms), Options{}).start(t.Context())
		synctest.Wait()
		const calls = 30
		for i := range calls {
			s := shape(t, time.Hour)
			s.TTL = (i*7)%calls + 1
			r.caller(r.at(s, 200*ms+time.Duration(s.TTL)*ms), Options{}).start(t.Context())
		}
		first.wait()
		synctest.Wait()
		for i, ttl := range order {
			if i > 0 && ttl != i {
				t.Fatalf("left in the order %v", order)
			}
		}
		if len(order) != calls+1 {
			t.Errorf("%d have left", len(order))
		}
	})
}

// A Source whose next probe is no longer due when its time comes is asked again when that is.
func TestDueLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(echoing)
		r := newRig(t, l, nil)
		list := r.at(shape(t, time.Second), 100*ms)
		c := r.caller(list, Options{})
		c.source = &hooked{Source: list, next: func(now int64, p *flight.Probe) (int64, bool) {
			at, ok := list.Next(now, p)
			if now == at {
				list.due[0] += int64(100 * ms)
			}
			return list.due[0], ok && now < int64(500*ms)
		}}
		c.start(t.Context())
		time.Sleep(600 * ms)
		synctest.Wait()
		if got := fmt.Sprint(l.left(), c.index); got != "0 -1" {
			t.Errorf("left, and place: %s", got)
		}
	})
}

// A call that has always something due leaves others their turn: what falls due for them leaves after a few batches.
func TestAlwaysDue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l := newLink(func(_ *fakeLink, packets []wire.Packet) (int, error) {
			time.Sleep(10 * time.Microsecond)
			return len(packets), nil
		})
		r := newRig(t, l, nil)
		greedy := r.now(shape(t, time.Hour), 1<<20)
		for i := range greedy.due {
			greedy.due[i] = int64(5 * ms) // while its caller waits, so that it is the timekeeper's
		}
		ctx, cancel := context.WithCancel(t.Context())
		r.caller(greedy, Options{}).start(ctx)
		for i := range 10 {
			s := shape(t, time.Hour)
			s.TTL = i + 1
			r.caller(r.at(s, 10*ms, 20*ms, 30*ms), Options{}).start(t.Context())
		}
		time.Sleep(50 * ms)
		cancel()
		left := map[int]time.Duration{} // how many of each, in tens of milliseconds
		for _, p := range l.packets() {
			if p.TTL == 0 {
				continue
			}
			left[p.TTL] += 10 * ms
			if late := p.Time.Sub(r.epoch) - left[p.TTL]; late > ms {
				t.Errorf("a probe left %v after it was due", late)
			}
		}
		if len(left) != 10 || left[1] != 30*ms || left[10] != 30*ms {
			t.Errorf("left: %v", left)
		}
	})
}
