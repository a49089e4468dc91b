package monitor_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// down counts the targets that have come down.
func (r *rig) downs() (n int) {
	for s := range r.All() {
		n += int(s.Counts.Downs)
	}
	return n
}

// Where nothing can be sent to anybody, that is told once, and nobody is down for it; also where targets lose probes
// at random, and have not all the same interval.
func TestCutOff(t *testing.T) {
	for _, targets := range []int{2, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			noRoute := pingtest.SendError(syscall.ENETUNREACH)
			for i := range targets {
				h := r.network.Host(address(i), pingtest.Loss(0.1))
				h.At(60*time.Second+300*ms, noRoute).At(20*time.Minute, pingtest.SendError(nil))
				interval := time.Second
				if i%3 == 2 {
					interval = 10 * time.Second
				}
				r.add(monitor.Target{Host: address(i), Interval: interval})
			}
			time.Sleep(59 * time.Second)
			if err := r.Ready()(t.Context()); err != nil {
				t.Errorf("%d targets: %v", targets, err)
			}
			time.Sleep(time.Minute)
			if since, cut := r.CutOff(); !cut || since.Sub(r.start) < time.Minute {
				t.Errorf("%d targets: cut off: %v, since %v", targets, cut, since)
			}
			if err := r.Ready()(t.Context()); err == nil {
				t.Errorf("%d targets: ready, but cut off", targets)
			}
			if s := r.get(address(0)); s.State != monitor.Up || s.Counts.SendErrors < 50 || s.Loss(30*time.Second) != 1 {
				t.Errorf("%d targets: %+v", targets, s.Status)
			}
			time.Sleep(20 * time.Minute)
			if _, cut := r.CutOff(); cut || r.downs() != 0 {
				t.Errorf("%d targets: cut off: %v, and %d times down", targets, cut, r.downs())
			}
			r.stop()
			kinds := map[monitor.Kind]int{}
			for _, c := range r.changes {
				kinds[c.Kind]++
				if (c.Kind == monitor.CutOff || c.Kind == monitor.Restored) && c.Target.Name != "" {
					t.Errorf("%d targets: cut off is about %v", targets, c.Target)
				}
				if c.Kind == monitor.CutOff && !errors.Is(c.Err, syscall.ENETUNREACH) {
					t.Errorf("%d targets: %v", targets, c)
				}
			}
			if kinds[monitor.CutOff] != 1 || kinds[monitor.Restored] != 1 || len(r.changes) != targets+2 {
				t.Errorf("%d targets: %v", targets, r.changes)
			}
		})
	}
}

// A target to which nothing can be sent is down, where others can be sent to, or where it is the only one.
func TestNotSent(t *testing.T) {
	for _, others := range []int{0, 1, 10} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.network.Host("192.0.2.1").At(20*time.Second, pingtest.SendError(syscall.EHOSTUNREACH)).
				At(5*time.Minute, pingtest.SendError(nil))
			r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
			for i := range others {
				r.network.Host(address(i))
				r.add(monitor.Target{Host: address(i)})
			}
			time.Sleep(19 * time.Second)
			r.want("a", monitor.Up)
			time.Sleep(6 * time.Second)
			s := r.get("a")
			if s.State != monitor.Down || s.Reason != monitor.ReasonNotSent || !errors.Is(s.Err, syscall.EHOSTUNREACH) {
				t.Errorf("beside %d: %+v", others, s.Status)
			}
			time.Sleep(5 * time.Minute)
			r.want("a", monitor.Up)
			if r.downs() != 1 || r.Counters().CutOffs != 0 {
				t.Errorf("beside %d: %d times down, %+v", others, r.downs(), r.Counters())
			}
		})
	}
}

// What could not be sent to before does not make this host cut off whenever nothing else is to be sent for a while.
func TestNotSentForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 3 {
			r.network.Host(address(i)).At(100*time.Second, pingtest.SendError(syscall.EHOSTUNREACH))
			r.add(monitor.Target{Host: address(i)})
		}
		r.network.Host("192.0.2.1").At(200*time.Second+50*ms, pingtest.SendError(syscall.EHOSTUNREACH)).
			At(250*time.Second, pingtest.SendError(nil))
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1", Interval: 10 * ms})
		time.Sleep(195 * time.Second)
		r.want(address(0), monitor.Down)
		r.want("a", monitor.Up)
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1", Interval: 40 * time.Second})
		time.Sleep(200 * time.Second)
		if c := r.Counters(); c.CutOffs != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// Twice cut off, with targets that come down at the first loss.
func TestCutOffTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 20 {
			h := r.network.Host(address(i))
			for at := 20 * time.Second; at < 100*time.Second; at += 30 * time.Second {
				h.At(at, pingtest.SendError(syscall.ENETUNREACH)).At(at+10*time.Second, pingtest.SendError(nil))
			}
			r.add(monitor.Target{Host: address(i), Fall: 1})
		}
		time.Sleep(150 * time.Second)
		r.stop()
		if c := r.Counters(); c.CutOffs != 3 || len(r.changes) != 20+2*3 {
			t.Errorf("%+v, %v", c, r.changes)
		}
	})
}

// A link that has no room for anything is as good as none.
func TestCutOffWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 5 {
			r.network.Host(address(i)).At(20*time.Second, pingtest.SendError(ping.ErrNoRoom)).
				At(50*time.Second, pingtest.SendError(nil))
			r.add(monitor.Target{Host: address(i)})
		}
		time.Sleep(80 * time.Second)
		r.stop()
		if c := r.Counters(); c.CutOffs != 1 || len(r.changes) != 5+2 {
			t.Errorf("%+v, %v", c, r.changes)
		}
	})
}

// What this host drops is no evidence: not of being down, and in the end of nothing at all.
func TestLocalDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1").At(20*time.Second, pingtest.SendError(ping.ErrNoRoom))
		r.network.Host("192.0.2.2")
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
		time.Sleep(25 * time.Second)
		r.want("a", monitor.Up)
		time.Sleep(20 * time.Second)
		if s := r.get("a"); s.State != monitor.Unknown || s.Reason != monitor.ReasonLocal || s.Counts.Downs != 0 {
			t.Errorf("%+v", s.Status)
		}
		r.want("b", monitor.Up)
	})
}

// Answers that come too late are a reason of their own.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1").At(20*time.Second, pingtest.RTT(1500*ms))
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
		time.Sleep(40 * time.Second)
		s := r.get("a")
		w := s.Window(0)
		if s.State != monitor.Down || s.Reason != monitor.ReasonLate || w.Late < 15 || w.Lost-w.Late > 2 ||
			s.Counts.Late != uint64(w.Late) {
			t.Errorf("%+v, %+v", s.Status, w)
		}
	})
}

// Everybody is down at once, more than are asked at a time: all are told so, the first in 4 s.
func TestMassOutage(t *testing.T) {
	targets := skipped.AtLength(t, 3000, 6000)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range targets {
			r.network.Host(address(i)).At(10*time.Second, pingtest.Down()).At(60*time.Second, pingtest.Up())
			r.add(monitor.Target{Host: address(i)})
		}
		asked, most := 0, 0 // in a second
		for range 25 {
			time.Sleep(time.Second)
			now := r.network.Counts().Requests
			asked, most = now, max(most, now-asked)
		}
		if most > targets+2500*5 {
			t.Errorf("up to %d probes in a second", most)
		}
		for s := range r.All() {
			if s.State != monitor.Down {
				t.Fatalf("%+v", s.Status)
			}
		}
		time.Sleep(47 * time.Second)
		for s := range r.All() {
			if s.State != monitor.Up || s.Ignored {
				t.Fatalf("%+v", s.Status)
			}
		}
		r.stop()
		var times []time.Duration
		for _, c := range r.changes {
			if c.To == monitor.Down {
				times = append(times, c.Time.Sub(r.start)-10*time.Second)
			}
		}
		slices.Sort(times)
		if times[0] > 4*time.Second ||
			times[len(times)-1] > 10*time.Second {
			t.Errorf("down after %v to %v", times[0], times[len(times)-1])
		}
		t.Logf("down after %v, %v, %v", times[0], times[len(times)/2], times[len(times)-1])
	})
}

// Targets that could not be sent to and are removed count no more: a single one of those that are left is no more than
// half.
func TestCutOffCountsWhatIsThere(t *testing.T) {
	for failing := range 3 { // one of them is the first to send
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			for i := range 5 {
				h, one := r.network.Host(address(i)), monitor.Target{Host: address(i)}
				if i < 3 {
					one.Interval = time.Minute
				}
				if i == failing || i >= 3 {
					h.Set(pingtest.SendError(syscall.ENETUNREACH))
				}
				r.add(one)
			}
			time.Sleep(1500 * ms) // two of five
			r.Remove(address(3))
			r.Remove(address(4))
			time.Sleep(2 * time.Minute)
			if c := r.Counters(); c.CutOffs != 0 {
				t.Errorf("%+v: %s", c, r.story())
			}
		})
	}
}
