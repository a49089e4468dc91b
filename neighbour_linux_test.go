package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// hasten has the kernel give up a neighbour on a device that is not there after less than its three seconds, where it
// lets us: it asks three times. It returns how long that takes.
func hasten(t *testing.T, ns *netlab.Namespace, dev string) (wait time.Duration) {
	t.Helper()
	wait = 300 * ms
	retransmission := strconv.FormatInt(wait.Milliseconds()/3, 10)
	for _, family := range []string{"ipv4", "ipv6"} {
		if !setNeighbours(t, ns, family, dev, "retrans_time_ms", retransmission) {
			return 3 * time.Second
		}
	}
	return wait
}

// setNeighbours sets how the kernel deals with neighbours on a device (arp(7)), and reports whether it lets us. With
// -long it is left as it is.
func setNeighbours(t *testing.T, ns *netlab.Namespace, family, dev, name, value string) (ok bool) {
	t.Helper()
	if skipped.Long() {
		return false
	}
	key := "net/" + family + "/neigh/" + dev + "/" + name
	ns.Do(t, func() {
		_, err := os.Stat("/proc/sys/" + key)
		ok = err == nil // not every Linux shows it to other user namespaces than the first
	})
	if ok {
		ns.Sysctl(t, key, value)
	}
	return ok
}

// newLonely is a Pinger on a link without neighbours, 192.0.2.0/24, and how long the kernel waits for one.
func newLonely(t *testing.T) (p *ping.Pinger, wait time.Duration) {
	t.Helper()
	ns := netlab.Self(t)
	netlab.Link(t, ns, "void0", netlab.New(t), "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("192.0.2.1/24"))
	return openPinger(t), hasten(t, ns, "void0")
}

// A neighbour that is not there is no slow host: the kernel's own errors, which come later than the
// timeout, are not late replies.
func TestDeadNeighbour(t *testing.T) {
	p, wait := newLonely(t)
	s, err := p.PingN(t.Context(), "192.0.2.2", 9, ping.WithInterval(wait/6), ping.WithTimeout(wait/8))
	if err != nil || s.Received+s.Late+s.Duplicates != 0 || s.Lost != 9 {
		t.Errorf("got %v, %v", s, err)
	}
	if c := p.Counters(); c.LateErrors == 0 || c.Late+c.Duplicates != 0 {
		t.Errorf("counters are %+v", c)
	}
}

// When the kernel gives up neighbours that are not there, it refuses all that waited for them at once: hundreds of
// errors in a row, each of which fails some system call. A probe to another host is sent all the same.
func TestDeadNeighbours(t *testing.T) {
	p, wait := newLonely(t)
	var refused sync.WaitGroup
	for i := range 8 { // more would fill the queue of a processor (net.core.netdev_max_backlog), which all tests share
		for range 100 {
			refused.Go(func() {
				var e *ping.ICMPError
				_, err := p.Ping(t.Context(), fmt.Sprintf("192.0.2.%d", 2+i), ping.WithTimeout(5*time.Second))
				if !errors.As(err, &e) && !errors.Is(err, ping.ErrTimeout) {
					t.Errorf("host %d: %v", i, err)
				}
			})
		}
	}
	time.Sleep(wait * 14 / 15) // the time that is to pass, not a wait for something
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := p.Ping(t.Context(), "127.0.0.1", ping.WithTimeout(10*time.Second)); err != nil {
			t.Errorf("127.0.0.1: %v", err)
			break
		}
		if soon := time.Now().Add(wait / 10); p.Counters().Errors > 0 && soon.Before(end) {
			end = soon
		}
	}
	refused.Wait()
	t.Logf("%+v", p.Counters())
}

// A host that was not there, so that the kernel has given its address up, is reached when it comes.
func TestNeighbourComes(t *testing.T) {
	ns, near := netlab.Self(t), netlab.New(t)
	netlab.Link(t, ns, "void0", near, "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("192.0.2.1/24"))
	ns.Addr(t, "void0", netip.MustParsePrefix("2001:db8:3::1/64"))
	hasten(t, ns, "void0")
	p := openPinger(t)
	absent := func(err error) bool {
		var e *ping.ICMPError
		return errors.As(err, &e) && (e.From.String() == "192.0.2.1" || e.From.String() == "2001:db8:3::1")
	}
	var watches []*watch
	for _, host := range []string{"192.0.2.2", "2001:db8:3::2"} {
		watches = append(watches, newWatch(t, p, host, ping.WithInterval(10*ms), ping.WithTimeout(time.Minute)))
	}
	for _, w := range watches {
		w.until("unreachable", absent, never)
	}
	near.Addr(t, "void1", netip.MustParsePrefix("192.0.2.2/24"))
	near.Addr(t, "void1", netip.MustParsePrefix("2001:db8:3::2/64"))
	for _, w := range watches {
		w.until("a reply", answeredRightly, absent)
	}
}

// A neighbour that does not answer for its address is reported by this host itself.
func TestNoNeighbour(t *testing.T) {
	chain(t)
	hasten(t, netlab.Self(t), "c0")
	p := openPinger(t)
	var wg sync.WaitGroup
	for _, c := range []struct{ host, from string }{{"198.51.100.77", near4}, {"2001:db8:1::77", near6}} {
		wg.Go(func() {
			r, err := p.Ping(t.Context(), c.host, ping.WithTimeout(time.Minute))
			var e *ping.ICMPError
			if !errors.As(err, &e) || r.From != netip.MustParseAddr(c.from) {
				t.Errorf("%s: %+v, %v", c.host, r, err)
			}
		})
	}
	// So is it by a Trace: no router is met. It goes not so far that what it has waiting takes all ICMP errors that the
	// kernel sends at a time, as in TestTraceMissingByLinux.
	wg.Go(func() {
		got := lines(t, p, "198.51.100.78", ping.WithMaxHops(3), ping.WithTimeout(time.Minute))
		if len(got) != 1 || got[0] != repeat(1, near4+"!H") {
			t.Errorf("trace: %q", got)
		}
	})
	wg.Wait()
}
