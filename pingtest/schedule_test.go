package pingtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// Changes, put down in whatever order, are made in theirs. None takes longer the more there are: this would take the
// better part of a minute.
func TestManyChanges(t *testing.T) {
	const changes = 100_000
	for name, at := range map[string]func(i int) int{
		"in order":       func(i int) int { return i },
		"backwards":      func(i int) int { return changes - 1 - i },
		"here and there": func(i int) int { return i * 7919 % changes }, // a prime
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, began := pingtest.NewNetwork(), time.Now()
				h := n.Host(four)
				for i := range changes {
					k := at(i)
					h.At(time.Duration(k)*ms, pingtest.RTT(time.Duration(k)*time.Microsecond))
				}
				// Of two at one instant, the later one is the last.
				h.At(changes*ms, pingtest.RTT(ms)).At(changes*ms, pingtest.RTT(7*ms)).At(changes*ms, pingtest.Loss(0))
				p := n.Pinger(t, ping.WithTimeout(time.Minute))
				for _, instant := range []int{0, 1, 4711, changes - 1, changes} {
					time.Sleep(time.Until(began.Add(time.Duration(instant) * ms)))
					want := time.Duration(instant) * time.Microsecond
					if instant == changes {
						want = 7 * ms
					}
					if r, err := p.Ping(t.Context(), four); err != nil || r.RTT != want {
						t.Errorf("after %d ms: %v, %v, want %v", instant, r.RTT, err, want)
					}
				}
			})
		})
	}
}
