package ping_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// The clock is set while a probe is in flight: its RTT stays true.
func TestClockStep(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 10 * ms, -10 * ms} {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
				m = echoed(m)
				m.Time = time.Now().Round(0).Add(20*ms + step)
				return []delayed{{20 * ms, m}}
			}))
			r, err := p.Ping(t.Context(), target, ping.WithTimeout(time.Second))
			if err != nil || r.RTT < 0 || r.RTT > 20*ms {
				t.Errorf("step %v: got %v, %v", step, r.RTT, err)
			}
		})
	}
}

// What stamps a reply decides the clock and the RTT: each reply here is stamped 2 ms after its request, and read after
// 5 ms or more. A bubble of synctest has no monotonic readings.
func TestTransportStamps(t *testing.T) {
	for _, c := range []struct {
		name  string
		stamp func(came time.Time) time.Time
		rtt   time.Duration // -1: that of reading
		clock ping.Clock
	}{
		{"the kernel's", func(came time.Time) time.Time { return came.Round(0) }, 2 * ms, ping.ClockKernel},
		{"the program's", func(came time.Time) time.Time { return came }, 2 * ms, ping.ClockUser},
		{"the program's, of a time to come", func(came time.Time) time.Time {
			return came.Add(time.Hour)
		}, -1, ping.ClockUser},
		{"the program's, before the request", func(came time.Time) time.Time {
			return came.Add(-time.Hour)
		}, 0, ping.ClockUser},
		{"none", func(time.Time) time.Time { return time.Time{} }, -1, ping.ClockUser},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ping.New(ping.WithTransport(&stamper{newFake(echoAfter(5 * ms)), c.stamp}), ping.WithTimeout(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			start := time.Now()
			r, err := p.Ping(t.Context(), target)
			low, high := c.rtt, c.rtt
			switch {
			case c.rtt < 0:
				low, high = 5*ms, time.Since(start)
			case c.clock == ping.ClockKernel: // the two clocks are read one after the other
				low, high = c.rtt-ms, c.rtt+ms
			}
			if err != nil || r.RTT < low || r.RTT > high || r.Clock != c.clock {
				t.Errorf("got %+v, %v, want an RTT of %v to %v by the clock %v", r, err, low, high, c.clock)
			}
		})
	}
}

// What came in time counts, though the timekeeper and the receiver both get round to it late: here the one is held up
// in Send, and the reply is handed over 4 ms after that.
func TestTransportLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = "192.0.2.99"
		f := newFake(func(_ int, m ping.Message) []delayed {
			if m.Addr.String() == slow {
				return nil
			}
			reply := echoed(m)
			reply.Time = time.Now().Add(300 * ms)
			return []delayed{{1505 * ms, reply}}
		})
		refused := false
		f.refuse = func(_ int, m ping.Message) error {
			switch {
			case m.Addr.String() != slow:
			case !refused:
				refused = true
				return ping.ErrNoRoom
			default: // tried again by the timekeeper
				time.Sleep(1500 * ms)
			}
			return nil
		}
		p := newFakePinger(t, f)
		var running sync.WaitGroup
		running.Go(func() {
			if r, err := p.Ping(t.Context(), target); err != nil || r.RTT != 300*ms {
				t.Errorf("%+v, %v", r, err)
			}
		})
		synctest.Wait()
		start := time.Now()
		if _, err := p.Ping(t.Context(), slow); !errors.Is(err, ping.ErrTimeout) || time.Since(start) != 1001*ms+1500*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		running.Wait()
	})
}

// A stamper has stamp choose what the replies to its messages are stamped with: 2 ms after they left, or another time.
type stamper struct {
	*fake
	stamp func(came time.Time) time.Time
}

func (s *stamper) Send(messages []ping.Message) (int, error) {
	n, err := s.fake.Send(messages)
	s.mu.Lock()
	for i := range s.pending { // there is but one
		s.pending[i].Time = s.stamp(messages[0].Time.Add(2 * ms))
	}
	s.mu.Unlock()
	return n, err
}
