package monitor_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A firewall swallows what is sent to some addresses over one transport, which has one identifier.
type firewall struct {
	ping.Transport
	stale func(netip.Addr) bool
}

func (f *firewall) Send(messages []ping.Message) (int, error) {
	for i := range messages {
		if f.stale(messages[i].Addr) {
			messages[i].Time = time.Now()
			continue
		}
		if n, err := f.Transport.Send(messages[i : i+1]); n == 0 {
			return i, err
		}
	}
	return len(messages), nil
}

// behind returns a Pinger over a network behind a firewall.
func behind(t *testing.T, n *pingtest.Network, stale func(netip.Addr) bool) *ping.Pinger {
	t.Helper()
	p, err := ping.New(ping.WithTransport(&firewall{n.Transport(), stale}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// A host that ignores the first identifier, from the start or from some time on, is never down, and that is counted
// once. Its window is then of the probes of the second.
func TestIgnoredIdentifier(t *testing.T) {
	for _, from := range []time.Duration{0, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := pingtest.NewNetwork().KeepRecords(0)
			n.Host("192.0.2.1", pingtest.Loss(0.05))
			n.Host("192.0.2.2", pingtest.Loss(0.05))
			start := time.Now()
			p := behind(t, n, func(a netip.Addr) bool {
				return a.String() == "192.0.2.1" && time.Since(start) >= from && time.Since(start) < time.Hour
			})
			r := newRigOver(t, n, p, n.Pinger(t))
			r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
			time.Sleep(50 * time.Minute)
			s := r.get("a")
			if s.State != monitor.Up || !s.Ignored || s.Counts.Ignored != 1 || s.Counts.Downs != 0 || s.Reason != 0 {
				t.Errorf("from %v: %+v", from, s.Status)
			}
			if loss := s.Loss(0); loss > 0.15 {
				t.Errorf("from %v: the loss of the second's probes is %v", from, loss)
			}
			time.Sleep(20 * time.Minute)
			if s := r.get("a"); s.State != monitor.Up || s.Ignored || s.Counts.Downs != 0 {
				t.Errorf("from %v, healed: %+v", from, s.Status)
			}
			if c := r.Counters(); c.Ignored != 1 || r.get("b").Counts.Ignored != 0 {
				t.Errorf("from %v: %+v", from, c)
			}
			r.stop()
			if slices.ContainsFunc(r.changes, func(c monitor.Change) bool { return c.To == monitor.Down }) {
				t.Errorf("from %v: %v", from, r.changes)
			}
		})
	}
}

// What ignores the first identifier can be down all the same, and comes back by the second.
func TestIgnoredIdentifierDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		n.Host("192.0.2.1").At(time.Minute, pingtest.Down()).At(2*time.Minute, pingtest.Up())
		r := newRigOver(t, n, behind(t, n, func(netip.Addr) bool { return true }), n.Pinger(t))
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
		time.Sleep(59 * time.Second)
		r.want("a", monitor.Up)
		time.Sleep(10 * time.Second)
		r.want("a", monitor.Down)
		time.Sleep(65 * time.Second)
		r.want("a", monitor.Up)
		if c := r.get("a").Counts; c.Downs != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// A target that is down keeps being asked under the other identifier, with what has been changed of it meanwhile.
func TestChangedWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		n.Host("192.0.2.1", pingtest.Down()).At(2*time.Minute, pingtest.Up(), pingtest.RTT(1500*ms))
		r := newRigOver(t, n, behind(t, n, func(netip.Addr) bool { return true }), n.Pinger(t))
		one := monitor.Target{Name: "a", Host: "192.0.2.1"}
		r.add(one)
		time.Sleep(time.Minute)
		r.want("a", monitor.Down)
		one.Timeout = 2 * time.Second // or it stays down
		r.add(one)
		time.Sleep(2 * time.Minute)
		r.want("a", monitor.Up)
	})
}

// Over a transport of one's own, and without a second Pinger, the first one serves for both.
func TestOnePinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		n.Host("192.0.2.1").At(30*time.Second, pingtest.Down()).At(60*time.Second, pingtest.Up())
		m := monitor.New(n.Pinger(t))
		if err := m.Add(monitor.Target{Name: "a", Host: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		time.Sleep(25 * time.Second)
		for _, want := range []monitor.State{monitor.Up, monitor.Down, monitor.Up} {
			if s, _ := m.Get("a"); s.State != want || s.Counts.Ignored != 0 {
				t.Errorf("%+v, want %v", s.Status, want)
			}
			time.Sleep(30 * time.Second)
		}
	})
}

// A second Pinger that is closed has the probes on the schedule decide.
func TestSecondPingerClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork().KeepRecords(0)
		n.Host("192.0.2.1").At(30*time.Second, pingtest.Down())
		n.Host("192.0.2.2").At(20*time.Second+300*ms, pingtest.Down())
		second := n.Pinger(t)
		r := newRigOver(t, n, n.Pinger(t), second)
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"}, monitor.Target{Name: "b", Host: "192.0.2.2"})
		time.Sleep(22 * time.Second) // b is suspect
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		r.want("a", monitor.Down)
		r.want("b", monitor.Down)
	})
}
