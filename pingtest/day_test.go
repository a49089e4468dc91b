package pingtest_test

import (
	"flag"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

var day = flag.Bool("day", false, "TestDay: 24 simulated hours instead of 5 minutes (1 with -short)")

// A day's monitoring of 1,000 targets over one Pinger, an echo request each every 10 s. One target in ten is down for
// a while, one loses its answers now and then, and one is refused by a router for a while. All counts are exact.
//
//	go test ./pingtest -run TestDay -day -v
func TestDay(t *testing.T) {
	const targets, interval = 1000, 10 * time.Second
	length := 5 * time.Minute
	switch {
	case *day:
		length = 24 * time.Hour
	case testing.Short():
		length = time.Minute
	}
	each := int(length / interval) // requests to each target
	third := each / 3              // of them meet a host that is down, or refused
	begin := time.Now()
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		router := n.Host("10.0.0.1")
		p := n.Pinger(t, ping.WithInterval(interval))
		var all sync.WaitGroup
		hosts := make([]*pingtest.Host, targets)
		sums := make([]ping.Statistics, targets)
		for i := range targets {
			h := n.Host(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}).String(),
				pingtest.Behind(router), pingtest.RTT(time.Duration(5+i%40)*ms))
			// In the middle of the time between two requests.
			from, to := time.Duration(third)*interval+interval/2, time.Duration(2*third)*interval+interval/2
			switch i % 10 {
			case 1:
				h.At(from, pingtest.Down()).At(to, pingtest.Up())
			case 2:
				h.Set(pingtest.Loss(0.02))
			case 3:
				h.At(from, pingtest.Unreachable("10.0.0.1")).At(to, pingtest.Up())
			}
			hosts[i] = h
			all.Go(func() {
				for r, err := range p.Stream(t.Context(), h.String(), ping.WithCount(each)) {
					if err != nil {
						t.Error(err)
						return
					}
					sums[i].Add(r)
				}
			})
		}
		all.Wait()
		for i, s := range sums {
			truth := hosts[i].Counts()
			lost, errors := 0, 0
			switch i % 10 {
			case 1:
				lost = third
			case 2:
				lost = truth.Lost
			case 3:
				lost, errors = third, third
			}
			if s.Sent != each || truth.Requests != each || s.Lost != lost || s.Errors != errors || s.Received != each-lost ||
				truth.Answered != s.Received || s.Min != s.Max || s.Max != time.Duration(5+i%40)*ms {
				t.Fatalf("target %d: %+v, and in truth %+v: want %d sent, %d lost, %d refused", i, s, truth, each, lost, errors)
			}
		}
		c := p.Counters()
		if c.Sent != uint64(targets*each) || c.Lost != c.Sent-c.Received || c.InFlight+c.Abandoned+c.Late+c.Stray != 0 {
			t.Errorf("counters %+v", c)
		}
		t.Logf("%+v", n.Counts())
	})
	took := time.Since(begin)
	t.Logf("%v of monitoring %d targets in %v: %v for each echo", length, targets, took, took/time.Duration(targets*each))
}
