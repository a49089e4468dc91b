package monitor_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

// A name that fails at the start, then resolves, then moves: the target is unknown, with the error, then up, and
// follows, without a pause in probing and without a new window.
func TestNameFailsResolvesMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, monitor.WithResolveInterval(30*time.Second))
		a, b := r.network.KeepRecords(200).Host("192.0.2.1"), r.network.Host("192.0.2.2")
		r.add(monitor.Target{Host: "db.example"})
		time.Sleep(20 * time.Second)
		s := r.get("db.example")
		if s.State != monitor.Unknown || s.Reason != monitor.ReasonName || !errors.As(s.Err, new(*net.DNSError)) ||
			s.Addr.IsValid() || s.Loss(0) != 0 || s.Sparkline(0, 10) != "" {
			t.Errorf("%+v", s.Status)
		}
		a.Set(pingtest.Names("db.example"))
		time.Sleep(15 * time.Second)
		s = r.get("db.example")
		if s.State != monitor.Up || s.Err != nil || s.Addr != a.Addr() {
			t.Errorf("%+v", s.Status)
		}
		time.Sleep(time.Minute)
		before := r.get("db.example").Counts
		a.Set(pingtest.Names())
		b.Set(pingtest.Names("db.example"))
		time.Sleep(time.Minute)
		s = r.get("db.example")
		if s.State != monitor.Up || s.Addr != b.Addr() || s.Counts.Downs != 0 {
			t.Errorf("%+v", s.Status)
		}
		if n := s.Counts.Sent - before.Sent; n < 59 || n > 61 || s.Counts.Lost != 0 {
			t.Errorf("%d probes in the minute in which it moved: %+v", n, s.Counts)
		}
		if w := s.Window(0); w.Sent != int(s.Counts.Sent) {
			t.Errorf("%+v, of %+v", w, s.Counts)
		}
		records := r.network.Records()
		for i, record := range records[1:] {
			if every := record.Sent.Sub(records[i].Sent); every != time.Second {
				t.Errorf("%v is asked %v after the time before", record.To, every)
			}
		}
		const want = `db.example: lookup failed (lookup db.example: no such host)
db.example: unknown -> up
db.example: address 192.0.2.2`
		if got := r.story(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// A target that is down is looked up again soon; a name that cannot be looked up any more keeps its address.
func TestNameOfWhatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, monitor.WithResolveInterval(time.Hour))
		a := r.network.Host("192.0.2.1", pingtest.Names("db.example")).At(time.Minute, pingtest.Down(), pingtest.Names())
		b := r.network.Host("192.0.2.2").At(2*time.Minute, pingtest.Names("db.example"))
		r.add(monitor.Target{Host: "db.example"})
		time.Sleep(110 * time.Second)
		if s := r.get("db.example"); s.State != monitor.Down || s.Addr != a.Addr() {
			t.Errorf("%+v", s.Status)
		}
		time.Sleep(25 * time.Second)
		if s := r.get("db.example"); s.State != monitor.Up || s.Addr != b.Addr() {
			t.Errorf("%+v", s.Status)
		}
		b.Set(pingtest.Names())
		time.Sleep(2 * time.Hour)
		if s := r.get("db.example"); s.State != monitor.Up || s.Addr != b.Addr() || s.Err == nil {
			t.Errorf("%+v", s.Status)
		}
	})
}

// Of several addresses the first, any or each counts.
func TestSeveralAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, monitor.WithResolveInterval(10*time.Second))
		a := r.network.Host("192.0.2.1", pingtest.Names("db.example"))
		r.network.Host("192.0.2.2", pingtest.Names("db.example"))
		r.network.Host("2001:db8::1", pingtest.Names("db.example"))
		for _, one := range []monitor.Addresses{monitor.FirstAddress, monitor.AnyAddress, monitor.EachAddress} {
			r.add(monitor.Target{Name: one.String(), Host: "db.example", Addresses: one, Network: "ip4"})
		}
		r.add(monitor.Target{Name: "ip6", Host: "db.example", Network: "ip6"})
		want := func(states string) {
			t.Helper()
			for i, name := range []string{"first", "any", "each", "ip6"} {
				if s := r.get(name); s.State.String()[0] != states[i] {
					t.Errorf("%v: %s is %v, want %c", time.Since(r.start), name, s.State, states[i])
				}
			}
		}
		time.Sleep(20 * time.Second)
		want("uuuu")
		if s := r.get("any"); len(s.Addrs) != 2 || s.Counts.Sent < 35 || s.Window(0).Sent != int(s.Counts.Sent) {
			t.Errorf("%+v", s.Status)
		}
		if s := r.get("ip6"); s.Addr.String() != "2001:db8::1" || s.Addrs != nil {
			t.Errorf("%+v", s.Status)
		}
		a.Set(pingtest.Down())
		time.Sleep(20 * time.Second)
		want("dudu")
		if s := r.get("any"); !s.OutageSince.IsZero() || time.Since(s.LastAnswer) > time.Second {
			t.Errorf("%+v", s.Status)
		}
		if s := r.get("each"); s.Reason != monitor.ReasonTimeout || s.Addrs[0].State == s.Addrs[1].State {
			t.Errorf("%+v", s.Status)
		}
		a.Set(pingtest.Names())
		time.Sleep(30 * time.Second)
		want("uuuu")
		if s := r.get("each"); len(s.Addrs) != 1 {
			t.Errorf("%+v", s.Status)
		}
		a.Set(pingtest.Names("db.example"), pingtest.Up())
		time.Sleep(20 * time.Second)
		want("uuuu")
		r.add(monitor.Target{Name: "each", Host: "db.example", Network: "ip4"}) // the first from now on
		time.Sleep(10 * time.Second)
		if s := r.get("each"); s.Addrs != nil || s.State != monitor.Up || s.Addr.String() != "192.0.2.2" {
			t.Errorf("%+v", s.Status)
		}
	})
}

// A slow resolver delays no probe, and is asked for no more than eight names at a time.
func TestSlowResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowResolver{}
		r := newRig(t, monitor.WithResolver(slow))
		r.network.Host("192.0.2.1")
		r.add(monitor.Target{Name: "a", Host: "192.0.2.1"})
		for i := range 40 {
			r.add(monitor.Target{Host: "host" + strings.Repeat("x", i)})
		}
		time.Sleep(30 * time.Second)
		if s := r.get("a"); s.State != monitor.Up || s.Counts.Sent < 29 {
			t.Errorf("%+v", s.Status)
		}
		if most := slow.most.Load(); most != 8 {
			t.Errorf("%d lookups at a time", most)
		}
		if s := r.get("host"); !errors.Is(s.Err, context.DeadlineExceeded) {
			t.Errorf("%+v", s.Status)
		}
		r.Remove("hostx")
	})
}

// slowResolver never finds anything.
type slowResolver struct {
	sync.Mutex
	now  int64
	most atomic.Int64
}

func (s *slowResolver) add(n int64) {
	s.Lock()
	defer s.Unlock()
	s.now += n
	s.most.Store(max(s.most.Load(), s.now))
}

func (s *slowResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	s.add(1)
	defer s.add(-1)
	<-ctx.Done()
	return nil, ctx.Err()
}

var _ ping.Resolver = (*slowResolver)(nil)

// Addresses that cannot be pinged are passed over; a name that has no other has the error.
func TestUnsuitableAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolver := resolverFunc(func(host string) []netip.Addr {
			if !strings.HasSuffix(host, ".example") {
				t.Errorf("%q is looked up", host)
			}
			addrs := []netip.Addr{netip.MustParseAddr("224.0.0.1"), {}, netip.MustParseAddr("::ffff:192.0.2.1")}
			if host == "bad.example" {
				addrs = addrs[:2]
			}
			return addrs
		})
		n := pingtest.NewNetwork()
		r := newRigOver(t, n, n.Pinger(t, ping.WithResolver(resolver)), n.Pinger(t), monitor.WithResolver(resolver))
		r.network.Host("192.0.2.1")
		r.add(monitor.Target{Host: "good.example", Addresses: monitor.EachAddress}, monitor.Target{Host: "bad.example"})
		time.Sleep(10 * time.Second)
		if s := r.get("good.example"); s.State != monitor.Up || len(s.Addrs) != 1 {
			t.Errorf("%+v", s.Status)
		}
		if s := r.get("bad.example"); s.Reason != monitor.ReasonName || s.Err == nil {
			t.Errorf("%+v", s.Status)
		}
	})
}

type resolverFunc func(host string) []netip.Addr

func (f resolverFunc) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return f(host), nil
}
