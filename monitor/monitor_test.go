package monitor_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A target that answers is up after two answers, one that does not is down, and one that comes back is up again.
func TestUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1", pingtest.RTT(20*ms)).
			At(60*time.Second, pingtest.Down()).At(120*time.Second, pingtest.Up())
		r.network.Host("192.0.2.2", pingtest.Down())
		router := r.network.Host("192.0.2.254")
		r.network.Host("192.0.2.3", pingtest.Behind(router), pingtest.Unreachable("192.0.2.254"))
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Host: "192.0.2.2"},
			monitor.Target{Host: "192.0.2.3", Rise: 1})
		r.want("a", monitor.Unknown)
		time.Sleep(10 * time.Second)
		r.want("a", monitor.Up)
		r.want("192.0.2.2", monitor.Down)
		s := r.get("192.0.2.3")
		if s.State != monitor.Down || s.Reason != monitor.ReasonRefused || !errors.As(s.Err, new(*ping.ICMPError)) {
			t.Errorf("refused: %+v", s.Status)
		}
		time.Sleep(56 * time.Second)
		s = r.get("a")
		if s.State != monitor.Down || s.Reason != monitor.ReasonTimeout || s.Err != ping.ErrTimeout {
			t.Errorf("silent: %+v", s.Status)
		}
		if d := s.OutageSince.Sub(r.start); d < 60*time.Second || d > 61*time.Second {
			t.Errorf("the outage is since %v", d)
		}
		time.Sleep(60 * time.Second)
		s = r.get("a")
		if s.State != monitor.Up || s.Reason != monitor.ReasonNone || s.Err != nil || !s.OutageSince.IsZero() {
			t.Errorf("back: %+v", s.Status)
		}
		if got := s.Percentile(30*time.Minute, 0.5); got < 19990*time.Microsecond || got > 20010*time.Microsecond {
			t.Errorf("the median is %v", got)
		}
		if got := s.Loss(0); got < 0.4 || got > 0.55 {
			t.Errorf("a minute of two is lost, and the loss is %v", got)
		}
		if w := s.Window(0); w.LongestOutage < 59*time.Second || w.LongestOutage > 61*time.Second {
			t.Errorf("the longest outage: %+v", w)
		}
		const want = `a: unknown -> up
192.0.2.3: unknown -> down (destination host unreachable, from 192.0.2.254)
192.0.2.2: unknown -> down (no reply in time)
a: up -> down (no reply in time)
a: down -> up`
		if got := r.story(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// From the beginning of an outage until it is told it takes less than 4 s, at an interval and a timeout of 1 s,
// whenever it begins.
func TestOutageToDown(t *testing.T) {
	var longest time.Duration
	for begin := range 50 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			at := 10*time.Second + time.Duration(begin)*20*ms + 7*time.Microsecond
			r.network.Host("192.0.2.1").At(at, pingtest.Down())
			r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
			time.Sleep(20 * time.Second)
			r.stop()
			last := r.changes[len(r.changes)-1]
			if last.To != monitor.Down {
				t.Fatalf("%v", r.changes)
			}
			longest = max(longest, last.Time.Sub(r.start)-at)
		})
	}
	if longest >= 4*time.Second {
		t.Errorf("it takes up to %v", longest)
	}
	t.Logf("up to %v", longest)
}

// Random losses make nobody down: at 10 %, no more than 10 of 1,000 targets in an hour. With three losses in a row it
// were 3,200.
func TestNoFalseDowns(t *testing.T) {
	targets, length := skipped.AtLength(t, 200, 1000), skipped.AtLength(t, 5*time.Minute, time.Hour)
	most := skipped.AtLength(t, 0, 10)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range targets {
			addr := address(i)
			r.network.Host(addr, pingtest.Loss(0.1))
			r.add(monitor.Target{Host: addr})
		}
		time.Sleep(length)
		downs := uint64(0)
		var probes, lost uint64
		for s := range r.All() {
			downs += s.Counts.Downs
			probes += s.Counts.Sent
			lost += s.Counts.Lost
		}
		share := float64(lost) / float64(probes)
		if downs > uint64(most) || share < 0.095 || share > 0.105 {
			t.Errorf("%d times down in %d probes, of which %.3f were lost", downs, probes, share)
		}
		t.Logf("%d targets, %v: %d times down in %d probes, of which %.3f were lost; %+v", targets, length, downs, probes,
			share, r.Counters())
	})
}

// address is one of many.
func address(i int) string {
	return pingAddr(i).String()
}
