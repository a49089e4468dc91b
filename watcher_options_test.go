package ping_test

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A bad option or address is refused by name, with what would do, and changes nothing.
func TestWatcherRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		w := newWatcher(t, p)
		add(t, w, 5, target)
		for _, c := range []struct {
			addr string
			opts []ping.ProbeOption
			want []string
		}{
			{target, []ping.ProbeOption{ping.WithInterval(0)}, []string{"WithInterval(0s)", "more than 0"}},
			{target, []ping.ProbeOption{ping.WithInterval(-1)}, []string{"WithInterval(-1ns)"}},
			{target, []ping.ProbeOption{ping.WithTimeout(0)}, []string{"WithTimeout(0s)"}},
			{target, []ping.ProbeOption{ping.WithSize(65_508)}, []string{"WithSize(65508)", "0 to 65507"}},
			{target, []ping.ProbeOption{ping.WithTTL(256)}, []string{"WithTTL(256)", "1 to 255"}},
			{target, []ping.ProbeOption{ping.WithFlow(1), ping.WithSize(7)}, []string{"WithFlow(1)", "WithSize(7)", "8 or"}},
			{target, []ping.ProbeOption{nil}, []string{"option 0 is nil"}},
			{target, []ping.ProbeOption{ping.WithAnomalies(true)}, []string{"WithAnomalies(true)", "NewWatcher"}},
			{target, []ping.ProbeOption{ping.WithDontFragment(true)}, []string{"WithDontFragment(true)", "NewWatcher"}},
			{target, []ping.ProbeOption{ping.WithNetwork("ip6")}, []string{target, `"ip6"`}},
			{"2001:db8::1", []ping.ProbeOption{ping.WithNetwork("ip4")}, []string{"2001:db8::1", `"ip4"`}},
			{"", nil, []string{"zero netip.Addr"}},
			{"::ffff:192.0.2.1", nil, []string{"::ffff:192.0.2.1", "use 192.0.2.1"}},
			{"0.0.0.0", nil, []string{"0.0.0.0"}},
			{"::", nil, []string{"::"}},
			{"224.0.0.1", nil, []string{"224.0.0.1", "one host's"}},
			{"ff02::1", nil, []string{"ff02::1", "one host's"}},
			{"255.255.255.255", nil, []string{"255.255.255.255", "one host's"}},
			{"2001:db8::1%eth0", nil, []string{"2001:db8::1%eth0", "zone"}},
		} {
			var addr netip.Addr
			if c.addr != "" {
				addr = netip.MustParseAddr(c.addr)
			}
			err := w.Add(5, addr, c.opts...)
			for _, want := range append(c.want, "Watcher", "target 5") {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %v: the error %v does not say %q", c.addr, c.want, err, want)
				}
			}
		}
		for _, opts := range [][]ping.ProbeOption{
			{ping.WithInterval(0)}, {ping.WithSize(-1)}, {nil}, {ping.WithFlow(1), ping.WithSize(7)},
		} {
			if w, err := p.NewWatcher(opts...); err == nil || w != nil || !strings.HasPrefix(err.Error(), "ping: Watcher: ") {
				t.Errorf("NewWatcher with a bad option: %v, %v", w, err)
			}
		}
		if list := watchFor(t, w, 3*time.Second, nil); len(list) != 3 || list[2].Seq != 2 || list[2].From.String() != target {
			t.Errorf("the target from before: %+v", list)
		}
		p.Close()
		if _, err := p.NewWatcher(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("NewWatcher after Close: %v", err)
		}
	})
}

// Each target has options of its own, or those of the Watcher, or of the Pinger.
func TestWatcherOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[netip.Addr]ping.Message{}
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			sent[m.Addr] = m
			return []delayed{{300 * ms, echoed(m)}}
		}), ping.WithTTL(11), ping.WithTimeout(time.Minute))
		w := newWatcher(t, p, ping.WithTrafficClass(22), ping.WithSize(100), ping.WithDontFragment(true))
		add(t, w, 1, "192.0.2.1")
		add(t, w, 2, "192.0.2.2", ping.WithTTL(33), ping.WithTrafficClass(44), ping.WithSize(1), ping.WithInterval(100*ms))
		add(t, w, 3, "2001:db8::3", ping.WithTimeout(200*ms), ping.WithFlow(7))
		add(t, w, math.MinInt64, "2001:db8::4", ping.WithSize(65_527), ping.WithDontFragment(true))
		add(t, w, math.MaxInt64, "2001:db8::5", ping.WithInterval(math.MaxInt64), ping.WithTimeout(math.MaxInt64))
		list := watchFor(t, w, 10*time.Second, nil)
		for _, c := range []struct {
			id              int64
			addr            string
			ttl, class, len int
			label           bool
			replies         int
			err             error
		}{
			{1, "192.0.2.1", 11, 22, 108, false, 10, nil},
			{2, "192.0.2.2", 33, 44, 9, false, 97, nil},
			{3, "2001:db8::3", 11, 22, 108, true, 10, ping.ErrTimeout},
			{math.MinInt64, "2001:db8::4", 11, 22, 65_535, false, 10, nil},
			{math.MaxInt64, "2001:db8::5", 0, 0, 0, false, 0, nil},
		} {
			m := sent[netip.MustParseAddr(c.addr)]
			if m.TTL != c.ttl || m.TrafficClass != c.class || len(m.Data) != c.len || (m.FlowLabel != 0) != c.label ||
				m.DontFragment != (c.replies > 0) {
				t.Errorf("target %d: sent %+v with %d bytes", c.id, m, len(m.Data))
			}
			own := of(c.id, list)
			if d := len(own) - c.replies; d < -1 || d > 1 {
				t.Errorf("target %d: %d replies, want %d", c.id, len(own), c.replies)
			}
			for _, r := range own {
				if r.Err != c.err {
					t.Errorf("target %d: %+v", c.id, r)
				}
			}
		}
	})
}
