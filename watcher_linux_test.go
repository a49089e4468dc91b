package ping_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// collect takes n replies of a Watcher.
func collect(t *testing.T, w *ping.Watcher, n int, each func(id int64, r ping.Reply)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for id, r := range w.Replies(ctx) {
		each(id, r)
		if n--; n == 0 {
			return
		}
	}
	t.Fatalf("%d replies are missing: %v", n, ctx.Err())
}

// probesSeen are the probes of targets, by id, whose outcome has been yielded. They come in a row, but where a
// goroutine lost its processor before it sent one.
type probesSeen map[int64]map[int]bool

// add takes note of a probe, of which each has one outcome.
func (s probesSeen) add(t *testing.T, id int64, seq int) {
	if s[id] == nil {
		s[id] = map[int]bool{}
	}
	if s[id][seq] {
		t.Errorf("target %d: probe %d comes twice", id, seq)
	}
	s[id][seq] = true
}

// check tests that no more are missing than were still in flight, or to be sent, when the loop ended; nor the last of
// each target, whose outcome may have come and not been yielded.
func (s probesSeen) check(t *testing.T, c ping.Counters) {
	t.Helper()
	var missing []string
	for id, seqs := range s {
		last := slices.Max(slices.Collect(maps.Keys(seqs)))
		for seq := range last - 1 {
			if !seqs[seq] {
				missing = append(missing, fmt.Sprintf("probe %d of %d of target %d", seq, last, id))
			}
		}
	}
	if uint64(len(missing)) > c.Abandoned+c.SendErrors {
		t.Errorf("missing are %v; %+v", missing, c)
	}
}

// Targets of both families over the kernel's sockets, whose RTTs the kernel measures, while others are added,
// replaced and removed.
func TestWatcherOverSockets(t *testing.T) {
	const targets = 200
	replies := skipped.AtLength(t, 2500, 5000)
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		w := newWatcher(t, p, ping.WithInterval(20*ms), ping.WithTimeout(time.Minute))
		hosts := map[int64]netip.Addr{}
		for i := range int64(targets) {
			hosts[i] = netip.AddrFrom4([4]byte{127, 0, 1, byte(i)})
			if i%2 == 1 {
				hosts[i] = netip.IPv6Loopback()
			}
			add(t, w, i, hosts[i].String())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var beside sync.WaitGroup
		for k := range int64(2) {
			beside.Go(func() {
				for n := int64(0); ctx.Err() == nil; n++ {
					if err := w.Add(1000+n%50+50*k, netip.MustParseAddr("127.0.2.1"), ping.WithInterval(ms)); err != nil {
						t.Error(err)
						return
					}
					w.Remove(1000 + n*7%50 + 50*k)
				}
			})
		}
		seen := probesSeen{}
		collect(t, w, replies, func(id int64, r ping.Reply) {
			if id >= 1000 {
				return
			}
			if r.Err != nil || r.From != hosts[id] || r.RTT <= 0 || r.TTL != 64 || r.Clock != ping.ClockKernel {
				t.Errorf("target %d: %+v", id, r)
			}
			seen.add(t, id, r.Seq)
		})
		cancel()
		beside.Wait()
		if len(seen) < targets {
			t.Errorf("replies of %d targets", len(seen))
		}
		c := p.Counters()
		seen.check(t, c)
		if c.Lost+c.Stray+c.LocalDrops+c.InFlight != 0 || c.Sent != c.Received+c.Abandoned {
			t.Errorf("%+v", c)
		}
	})
}

// Reopen under a Watcher loses nothing, and costs no target a probe.
func TestWatcherReopenedSockets(t *testing.T) {
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		for _, dontFragment := range []bool{false, true} {
			p := openPinger(t, kind)
			w := newWatcher(t, p, ping.WithInterval(2*ms), ping.WithTimeout(time.Minute), ping.WithDontFragment(dontFragment))
			for i := range int64(20) {
				add(t, w, i, []string{"127.0.0.1", "::1"}[i%2])
			}
			seen := probesSeen{}
			n := 0
			collect(t, w, 1000, func(id int64, r ping.Reply) {
				if r.Err != nil {
					t.Errorf("target %d: %+v", id, r)
				}
				seen.add(t, id, r.Seq)
				if n++; n%100 == 0 {
					if err := p.Reopen(); err != nil {
						t.Fatal(err)
					}
				}
			})
			c := p.Counters()
			if seen.check(t, c); c.Lost != 0 {
				t.Errorf("%+v", c)
			}
		}
	})
}

// A family without a socket tells so for each of its probes, and the other is none the wiser.
func TestWatcherOneFamily(t *testing.T) {
	for _, source := range []string{"127.0.0.1", "::1"} {
		p := openPinger(t, ping.WithSource(netip.MustParseAddr(source)))
		w := newWatcher(t, p, ping.WithInterval(5*ms))
		hosts := []string{"127.0.0.1", "::1"}
		for i := range int64(10) {
			add(t, w, i, hosts[i%2])
		}
		seen := probesSeen{}
		collect(t, w, 200, func(id int64, r ping.Reply) {
			seen.add(t, id, r.Seq)
			if hosts[id%2] == source {
				if r.Err != nil {
					t.Errorf("target %d: %+v", id, r)
				}
			} else if r.Err == nil || !strings.Contains(r.Err.Error(), "WithSource("+source+")") {
				t.Errorf("target %d: %+v", id, r)
			}
		})
		seen.check(t, p.Counters())
		for i := range int64(10) {
			if len(seen[i]) < 5 {
				t.Errorf("target %d has %d of 200 replies that 10 share", i, len(seen[i]))
			}
		}
	}
}

// A link-local target is named with its zone, and yielded so.
func TestWatcherLinkLocal(t *testing.T) {
	middle, _ := chain(t)
	var addr netip.Addr
	middle.Do(t, func() { addr = linkLocal(t, "c1") })
	w := newWatcher(t, openPinger(t), ping.WithInterval(20*ms))
	for _, c := range []struct{ zone, want string }{
		{"nosuch0", `zone "nosuch0" is no network interface`}, {"", "needs a zone"},
	} {
		if err := w.Add(1, addr.WithZone(c.zone)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("zone %q: %v", c.zone, err)
		}
	}
	host := addr.WithZone("c0")
	add(t, w, 1, host.String())
	collect(t, w, 5, func(id int64, r ping.Reply) {
		if id != 1 || r.Err != nil || r.From != host {
			t.Errorf("target %d: %+v", id, r)
		}
	})
}

// What routers and hosts on the way do to probes shows as over any other call: errors, silence, late and double
// answers.
func TestWatcherOverNetwork(t *testing.T) {
	host := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, last}) }
	netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: nearPrefixes(),
		Script: func(r *netlab.Request) []netlab.Answer {
			switch r.Dst {
			case host(11):
				return nil
			case host(12):
				return []netlab.Answer{r.Echo().Later(200 * ms)}
			case host(13):
				return []netlab.Answer{r.Echo(), r.Echo()}
			case host(14):
				return []netlab.Answer{r.Forge(func(p *netlab.Packet) { p.Payload[20] ^= 4 })}
			}
			return []netlab.Answer{r.Echo()}
		},
	})
	want := map[int64]map[error]bool{
		10: {nil: true},
		11: {ping.ErrTimeout: true},
		12: {ping.ErrTimeout: true, ping.ErrLate: true},
		13: {nil: true, ping.ErrDuplicate: true},
		14: {ping.ErrTimeout: true, ping.ErrCorrupted: true},
	}
	n := skipped.AtLength(t, 100, 200)
	var checks []func()
	for _, anomalies := range []bool{false, true} {
		checks = append(checks, func() {
			w := newWatcher(t, openPinger(t), ping.WithInterval(20*ms), ping.WithTimeout(100*ms), ping.WithAnomalies(anomalies))
			for id := range want {
				add(t, w, id, host(byte(id)).String())
			}
			got := map[int64]map[error]int{}
			collect(t, w, n, func(id int64, r ping.Reply) {
				if got[id] == nil {
					got[id] = map[error]int{}
				}
				got[id][r.Err]++
				if r.Err == ping.ErrLate && r.RTT < 200*ms || r.Err == nil && r.From != host(byte(id)) {
					t.Errorf("target %d: %+v", id, r)
				}
			})
			for id, errs := range want {
				for err := range errs {
					asked := anomalies || err == nil || err == ping.ErrTimeout
					if (got[id][err] > 0) != asked {
						t.Errorf("anomalies %t, target %d: %v comes %d times", anomalies, id, err, got[id][err])
					}
					delete(got[id], err)
				}
				if len(got[id]) > 0 {
					t.Errorf("anomalies %t, target %d: also %v", anomalies, id, got[id])
				}
			}
		})
	}
	together(checks)
}
