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
