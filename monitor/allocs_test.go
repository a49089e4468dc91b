package monitor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// An answer, and a loss of a target that is down, allocate nothing.
func TestAllocs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(pingtest.NewNetwork().Pinger(t))
		if err := m.Add(Target{Host: "192.0.2.1", Fall: 1}); err != nil {
			t.Fatal(err)
		}
		p := m.paths[0]
		for _, err := range []error{nil, ping.ErrTimeout} {
			r := ping.Reply{Sent: time.Now(), RTT: time.Millisecond, Err: err}
			if err != nil {
				r.RTT = 0
			}
			for range 3 {
				m.onSchedule(p.id, &r)
			}
			if n := testing.AllocsPerRun(1000, func() { m.onSchedule(p.id, &r) }); n != 0 {
				t.Errorf("%v: %v allocations", err, n)
			}
		}
		if p.state != Down || p.target.counts.Sent < 2000 {
			t.Errorf("%v, %+v", p.state, p.target.counts)
		}
	})
}

// Looking for levels allocates nothing but room for the paths of a second and for the longest window, once.
func TestAllocsOfLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(pingtest.NewNetwork().Pinger(t))
		if err := m.Add(Target{Host: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		p := m.paths[0]
		for range 200 {
			time.Sleep(time.Second)
			m.onSchedule(p.id, &ping.Reply{Sent: time.Now(), RTT: time.Millisecond})
		}
		l := levels{m: m}
		l.compare(0)
		if len(l.rtts) < 100 {
			t.Errorf("%d answers were compared", len(l.rtts))
		}
		if got := testing.AllocsPerRun(100, func() { l.compare(0) }); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}
