package monitor_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A change of one target leaves the instants and the counts of the others as they were, and of its own what has not
// changed.
func TestChangeTouchesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets = 200
		n := pingtest.NewNetwork().KeepRecords(20 * targets)
		r := newRigOver(t, n, n.Pinger(t), n.Pinger(t))
		for i := range targets {
			n.Host(address(i))
			r.add(monitor.Target{Host: address(i)})
		}
		time.Sleep(10 * time.Second)
		one := monitor.Target{Host: address(0)}
		before := r.get(address(0)).Counts
		for _, edit := range []func(){
			func() { one.Labels = map[string]string{"rack": "7"} },
			func() { one.Rise, one.Fall = 3, 4 },
			func() { one.Timeout = 500 * ms },
			func() { one.Size = 100 },
			func() { one.Addresses = monitor.AnyAddress },
		} {
			edit()
			r.add(one)
			time.Sleep(time.Second)
		}
		s := r.get(address(0))
		if s.Target.Labels["rack"] != "7" || s.Target.Fall != 4 || s.State != monitor.Up || s.Counts.Sent < before.Sent+5 ||
			s.Window(0).Sent != int(s.Counts.Sent) || s.Loss(0) != 0 {
			t.Errorf("%+v", s.Status)
		}
		one.Interval = 2 * time.Second
		r.add(one)
		r.Remove(address(1))
		r.add(monitor.Target{Host: address(1)}) // anew
		one.Host = address(1)
		one.Name = address(2)
		r.add(one) // another host
		time.Sleep(5 * time.Second)
		if s := r.get(address(0)); s.Counts.Sent < before.Sent+6 || s.State != monitor.Up {
			t.Errorf("%+v", s.Status)
		}
		if s := r.get(address(2)); s.Counts.Sent > 3 || s.Addr.String() != address(1) {
			t.Errorf("%+v", s.Status)
		}
		r.stop()

		size := map[string]int{}
		last := map[string]time.Time{}
		for _, record := range n.Records() {
			to := record.To.String()
			size[to] = record.Size
			if at := record.Sent; last[to].IsZero() || to == address(1) || to == address(2) {
				last[to] = at
			} else if every := at.Sub(last[to]); every != time.Second &&
				(to != address(0) || at.Sub(r.start) < 15*time.Second) {
				t.Errorf("%s is asked %v after the time before", to, every)
			} else {
				last[to] = at
			}
		}
		if size[address(0)] != 108 || size[address(9)] != 64 {
			t.Errorf("sizes %d and %d", size[address(0)], size[address(9)])
		}
		for i := 3; i < targets; i++ {
			if s := r.get(address(i)); s.Counts.Sent != s.Counts.Received || s.Counts.Sent < 19 || s.State != monitor.Up {
				t.Fatalf("%+v", s.Status)
			}
		}
	})
}

// Other labels leave alone what is in flight; the caller's map is not the Monitor's.
func TestLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1", pingtest.RTT(900*ms))
		labels := map[string]string{"n": "0"}
		one := monitor.Target{Name: "a", Host: "192.0.2.1", Labels: labels}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(300 * ms) {
			r.add(one)
			labels["n"] += "x"
			if s := r.get("a"); len(s.Target.Labels["n"]) != len(labels["n"])-1 {
				t.Fatalf("%+v, and the caller's are %v", s.Target, labels)
			}
		}
		if s := r.get("a"); s.Counts.Received < 18 || s.State != monitor.Up {
			t.Errorf("%+v", s.Status)
		}
	})
}

// Targets that go while a loop over all is under way are left out, and those that come are for the next.
func TestRemoveWhileListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 10 {
			r.add(monitor.Target{Host: address(i)})
		}
		var names []string
		for s := range r.All() {
			if names = append(names, s.Target.Name); len(names) == 1 {
				r.Remove(address(5))
				r.add(monitor.Target{Host: address(10)}, monitor.Target{Name: address(6), Host: "192.0.2.1"})
			}
		}
		if len(names) != 8 || !slices.IsSorted(names) || slices.Contains(names, address(5)) {
			t.Errorf("%q", names)
		}
		names = nil
		for s := range r.Statuses() {
			if names = append(names, s.Target.Name); len(names) == 10 {
				break
			}
		}
		if len(names) != 10 || !slices.Contains(names, address(10)) {
			t.Errorf("%q", names)
		}
	})
}

// A target that has been removed is neither asked nor told of any more, be it suspect or down.
func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1").At(10*time.Second, pingtest.Down())
		r.network.Host("192.0.2.2").At(10*time.Second, pingtest.Down())
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"},
			monitor.Target{Name: "c", Host: "nowhere.example"})
		for !r.get("a").Suspect {
			time.Sleep(10 * ms)
		}
		r.Remove("a")
		time.Sleep(10 * time.Second)
		r.want("b", monitor.Down)
		r.Remove("b")
		r.Remove("c")
		r.Remove("none")
		time.Sleep(2 * time.Second)
		asked := r.network.Counts().Requests
		time.Sleep(time.Minute)
		if more := r.network.Counts().Requests - asked; more != 0 {
			t.Errorf("%d requests to targets that are gone", more)
		}
		for s := range r.All() {
			t.Errorf("still there: %+v", s.Status)
		}
		for s := range r.Statuses() {
			t.Errorf("still there: %+v", s)
		}
	})
}

// A bad target is refused by the name of what is wrong with it, and changes nothing.
func TestAddRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.network.Host("192.0.2.1")
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
		for want, target := range map[string]monitor.Target{
			"Host is empty":        {Name: "a"},
			"Interval is -1s":      {Name: "a", Host: "192.0.2.1", Interval: -time.Second},
			"Interval is 1ns":      {Name: "a", Host: "192.0.2.1", Interval: 1},
			"Timeout is -1s":       {Name: "a", Host: "192.0.2.1", Timeout: -time.Second},
			"Size is -1":           {Name: "a", Host: "192.0.2.1", Size: -1},
			"WithSize(65508)":      {Name: "a", Host: "192.0.2.1", Size: 65508},
			`Name is "\xff"`:       {Name: "\xff", Host: "192.0.2.1"},
			`Name is "\xfe"`:       {Host: "\xfe"},
			"Rise is -1":           {Name: "a", Host: "192.0.2.1", Rise: -1},
			"Fall is 1001":         {Name: "a", Host: "192.0.2.1", Fall: 1001},
			`Network is "ip5"`:     {Name: "a", Host: "192.0.2.1", Network: "ip5"},
			`WithNetwork("ip6")`:   {Name: "a", Host: "192.0.2.1", Network: "ip6"},
			"Addresses(7)":         {Name: "a", Host: "192.0.2.1", Addresses: 7},
			"use 192.0.2.1":        {Name: "a", Host: "::ffff:192.0.2.1"},
			"multicast":            {Name: "a", Host: "224.0.0.1"},
			`target "224.0.0.251"`: {Host: "224.0.0.251"},
		} {
			if err := r.Add(target); err == nil || !strings.Contains(err.Error(), want) ||
				!strings.HasPrefix(err.Error(), "monitor: target ") || strings.Contains(err.Error(), "Watcher") {
				t.Errorf("%+v: the error %v does not say %q", target, err, want)
			}
		}
		time.Sleep(10 * time.Second)
		if s := r.get("a"); s.State != monitor.Up || s.Target.Interval != time.Second || s.Counts.Sent < 9 {
			t.Errorf("%+v", s.Status)
		}
		if n := r.network.Counts().Requests; n > 11 {
			t.Errorf("%d requests in 10 s", n)
		}
	})
}

// A Monitor may be changed before it runs, between two runs, and by many at a time while it runs.
func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		m := monitor.New(n.Pinger(t), monitor.WithSecondPinger(n.Pinger(t)))
		n.Host("192.0.2.1")
		n.Host("192.0.2.2").At(16*time.Second, pingtest.Down())
		for _, host := range []string{"192.0.2.1", "192.0.2.2"} {
			if err := m.Add(monitor.Target{Host: host}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		stop := run(t, m)
		time.Sleep(10 * time.Second)
		if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "runs already") {
			t.Errorf("a second Run: %v", err)
		}
		time.Sleep(2500 * ms) // the second is suspect
		if s, _ := m.Get("192.0.2.2"); !s.Suspect {
			t.Errorf("%+v", s.Status)
		}
		stop()
		if s, _ := m.Get("192.0.2.2"); s.Suspect {
			t.Errorf("after the end: %+v", s.Status)
		}
		asked := n.Counts().Requests
		time.Sleep(time.Minute)
		if n.Counts().Requests != asked {
			t.Error("it sends after Run has ended")
		}
		stop = run(t, m)
		time.Sleep(10 * time.Second)
		stop()
		s, _ := m.Get("192.0.2.1")
		if s.State != monitor.Up || s.Counts.Lost != 0 || s.Counts.Sent > 24 || time.Since(s.Since) < time.Minute {
			t.Errorf("%+v", s.Status)
		}
		if s.Window(30*time.Second).Sent > 11 {
			t.Errorf("%+v", s.Window(30*time.Second))
		}
		if s, _ := m.Get("192.0.2.2"); s.State != monitor.Down {
			t.Errorf("%+v", s.Status)
		}
	})
}

// Run ends with an error when its Pinger is closed, and says what is wrong with an option.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		p := n.Pinger(t)
		m := monitor.New(p)
		if err := m.Add(monitor.Target{Host: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- m.Run(t.Context()) }()
		time.Sleep(time.Minute)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("Run ends with %v", err)
		}
		for want, m := range map[string]*monitor.Monitor{
			"New(nil)":                 monitor.New(nil),
			"closed":                   monitor.New(p),
			"option 0 is nil":          monitor.New(n.Pinger(t), nil),
			"WithWindow(1ms)":          monitor.New(n.Pinger(t), monitor.WithWindow(ms)),
			"WithResolver(nil)":        monitor.New(n.Pinger(t), monitor.WithResolver(nil)),
			"WithResolveInterval(1ms)": monitor.New(n.Pinger(t), monitor.WithResolveInterval(ms)),
			"WithSecondPinger(nil)":    monitor.New(n.Pinger(t), monitor.WithSecondPinger(nil)),
			"WithOnChange(nil)":        monitor.New(n.Pinger(t), monitor.WithOnChange(nil)),
			"WithLogger(nil)":          monitor.New(n.Pinger(t), monitor.WithLogger(nil)),
		} {
			for name, err := range map[string]error{
				"Run": m.Run(t.Context()), "Add": m.Add(monitor.Target{Host: "192.0.2.1"}),
				"AddGroup": m.AddGroup(monitor.Group{Name: "g", Members: []string{"x"}}),
			} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", name, err, want)
				}
			}
			m.Remove("x")
			if _, ok := m.Get("x"); ok {
				t.Error("there is a target")
			}
		}
	})
}

// Everything is called at once, and the race detector looks on.
func TestAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, monitor.WithOnChange(func(monitor.Change) {}))
		for i := range 20 {
			r.network.Host(address(i), pingtest.Loss(0.5), pingtest.Names("h.example"))
		}
		end := time.Now().Add(20 * time.Second)
		for k := range 8 {
			go func() {
				for n := k; time.Now().Before(end); n++ {
					target := monitor.Target{Host: address(n % 20), Interval: time.Duration(1+n%3) * 100 * ms, Fall: 2}
					if n%5 == 0 {
						target.Host, target.Addresses = "h.example", monitor.Addresses(n%3)
					}
					if err := r.Add(target); err != nil {
						t.Error(err)
					}
					for s := range r.All() {
						_ = s.Loss(time.Minute)
					}
					if n%7 == 0 {
						r.Remove(address(n * 3 % 20))
					}
					_ = r.AddGroup(monitor.Group{Name: "g", Members: []string{address(n % 20), "h.example"}, Need: 1})
					_ = r.Ready()(t.Context())
					r.Counters()
					time.Sleep(37 * ms)
				}
			}()
		}
		time.Sleep(30 * time.Second)
	})
}

// Probes leave at the same instants each time the program starts, spread evenly over the interval, and at others with
// another seed.
func TestSpread(t *testing.T) {
	const targets, interval = 1000, 10 * time.Second
	instants := func(t *testing.T, seed uint64, wait time.Duration) map[netip.Addr]time.Duration {
		found := map[netip.Addr]time.Duration{}
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(wait)
			n := pingtest.NewNetwork().KeepRecords(3 * targets)
			r := newRigOver(t, n, n.Pinger(t), n.Pinger(t), monitor.WithSeed(seed))
			for i := range targets {
				n.Host(address(i))
				r.add(monitor.Target{Host: address(i), Interval: interval})
			}
			time.Sleep(2 * interval)
			for _, record := range n.Records() {
				at := time.Duration(record.Sent.UnixNano()) % interval
				if was, ok := found[record.To]; ok && was != at {
					t.Fatalf("%v is asked at %v, and at %v", record.To, was, at)
				}
				found[record.To] = at
			}
		})
		return found
	}
	first, again, other := instants(t, 1, 0), instants(t, 1, 7654321*time.Microsecond), instants(t, 2, 0)
	same := 0
	var tenths [10]int
	for addr, at := range first {
		if again[addr] != at {
			t.Errorf("%v is asked at %v, and the next time at %v", addr, at, again[addr])
		}
		if other[addr] == at {
			same++
		}
		tenths[at/time.Second]++
	}
	if len(first) != targets || same > 10 {
		t.Errorf("%d targets, %d of them at the same instant by another seed", len(first), same)
	}
	for _, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("the seconds of the interval have %v", tenths)
			break
		}
	}
}
