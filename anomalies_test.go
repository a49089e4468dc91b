package ping_test

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// oddly answers the first probe late, the second three times, the third corrupted and the fourth from elsewhere, and
// the fifth by an ICMP error and a reply; then all again.
func oddly(n int, m ping.Message) []delayed {
	switch n % 5 {
	case 0:
		return []delayed{{250 * ms, echoed(m)}}
	case 1:
		return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}, {400 * ms, echoed(m)}}
	case 2:
		bad := echoed(m)
		bad.Data[len(bad.Data)-1]++
		return []delayed{{ms, bad}}
	case 3:
		stray := echoed(m)
		stray.Addr = netip.MustParseAddr("198.51.100.9")
		if m.Addr.Is6() {
			stray.Addr = netip.MustParseAddr("2001:db8::9")
			stray.Data[8]++
		}
		return []delayed{{ms, stray}, {5 * ms, echoed(m)}}
	}
	from := "192.0.2.254"
	if m.Addr.Is6() {
		from = "2001:db8::fe"
	}
	return []delayed{{ms, refusal(m, from, 1, 1)}, {3 * ms, echoed(m)}}
}

// An anomaly is what oddly has come beside the outcome of a probe.
type anomaly struct {
	seq int
	err error
	rtt time.Duration // 0: not told
}

var oddAnomalies = map[anomaly]int{
	{0, ping.ErrLate, 250 * ms}:      1,
	{1, ping.ErrDuplicate, 2 * ms}:   1,
	{1, ping.ErrDuplicate, 400 * ms}: 1,
	{2, ping.ErrCorrupted, 0}:        1,
	{3, ping.ErrStray, 0}:            1,
	{4, ping.ErrLate, 3 * ms}:        1,
}

// oddReplies yields what Stream, and what a Watcher makes of 5 probes to target, until a second after the last.
func oddReplies(t *testing.T, f *fake, host string, anomalies bool) map[string]iter.Seq[ping.Reply] {
	options := []ping.ProbeOption{ping.WithTimeout(100 * ms), ping.WithAnomalies(anomalies)}
	return map[string]iter.Seq[ping.Reply]{
		"Stream": func(yield func(ping.Reply) bool) {
			p := newFakePinger(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), 4900*ms)
			defer cancel()
			for r, err := range p.Stream(ctx, host, options...) {
				if err == nil && !yield(r) {
					return
				}
			}
		},
		"Watcher": func(yield func(ping.Reply) bool) {
			w := newWatcher(t, newFakePinger(t, f), options...)
			add(t, w, 7, host)
			watchFor(t, w, 5900*ms, func(r watched) bool { return r.Seq < 5 && yield(r.Reply) })
		},
	}
}

// WithAnomalies has what comes beside the outcomes of probes told as Replies, which Statistics.Add counts. Without
// it, all is as if it had not come.
func TestAnomalies(t *testing.T) {
	for _, host := range []string{target, "2001:db8::1"} {
		for _, name := range []string{"Stream", "Watcher"} {
			for _, asked := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					var s ping.Statistics
					told := map[anomaly]int{}
					outcomes := map[int]error{}
					for r := range oddReplies(t, newFake(oddly), host, asked)[name] {
						s.Add(r)
						switch r.Err {
						case ping.ErrLate, ping.ErrDuplicate, ping.ErrCorrupted, ping.ErrStray:
							told[anomaly{r.Seq, r.Err, r.RTT}]++
							from := netip.MustParseAddr(host)
							if r.Err == ping.ErrStray {
								from = netip.MustParseAddr(map[bool]string{false: "198.51.100.9", true: "2001:db8::9"}[from.Is6()])
							}
							if r.From != from || r.Received.IsZero() || r.Sent.IsZero() || r.Size != 64 {
								t.Errorf("%s, %s: %+v", name, host, r)
							}
							continue
						}
						if _, twice := outcomes[r.Seq]; twice {
							t.Errorf("%s, %s: a second outcome: %+v", name, host, r)
						}
						outcomes[r.Seq] = r.Err
					}
					var refused *ping.ICMPError
					if len(outcomes) != 5 || outcomes[0] != ping.ErrTimeout || outcomes[1] != nil || outcomes[2] != ping.ErrTimeout ||
						outcomes[3] != nil || !errors.As(outcomes[4], &refused) {
						t.Errorf("%s, %s: the outcomes are %v", name, host, outcomes)
					}
					if s.Sent != 5 || s.Received != 2 || s.Lost != 3 || s.Errors != 1 || s.Reordered != 0 || s.Max != 5*ms {
						t.Errorf("%s, %s: %+v", name, host, s)
					}
					if !asked {
						if len(told) > 0 || s.Late+s.Duplicates+s.Corrupted+s.Stray > 0 {
							t.Errorf("%s, %s, not asked for: %v, %+v", name, host, told, s)
						}
						return
					}
					for a, n := range oddAnomalies {
						if told[a] != n {
							t.Errorf("%s, %s: %v comes %d times, want %d", name, host, a, told[a], n)
						}
						delete(told, a)
					}
					if len(told) > 0 || s.Late != 2 || s.Duplicates != 2 || s.Corrupted != 1 || s.Stray != 1 {
						t.Errorf("%s, %s: also %v, %+v", name, host, told, s)
					}
				})
			}
		}
	}
}

// PingN counts anomalies without being asked, and tells none as a Reply, asked or not. Nor do the other calls.
func TestAnomaliesOfPingN(t *testing.T) {
	for _, asked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(oddly), ping.WithAnomalies(asked), ping.WithTimeout(100*ms))
			s, err := p.PingN(t.Context(), target, 6)
			if err != nil || len(s.Replies) != 6 || s.Late != 2 || s.Duplicates != 2 || s.Corrupted != 1 || s.Stray != 1 {
				t.Errorf("PingN: %+v, %v", s, err)
			}
			n := 0
			for range p.Sweep(t.Context(), func(yield func(netip.Addr) bool) {
				for range 10 {
					yield(netip.MustParseAddr(target))
				}
			}) {
				n++
			}
			if n != 10 {
				t.Errorf("Sweep of 10 addresses yields %d replies", n)
			}
		})
	}
}

// Of a flood, 64 wait to be yielded while the body of the loop is at work. Counters has all.
func TestAnomaliesFlood(t *testing.T) {
	const copies, kept = 1000, 64
	flood := func(n int, m ping.Message) []delayed {
		list := []delayed{{ms, echoed(m)}}
		for i := range copies * (1 - min(n, 1)) {
			list = append(list, delayed{time.Duration(2+i) * ms, echoed(m)})
		}
		return list
	}
	for _, name := range []string{"Stream", "Watcher"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(flood)
			duplicates, probes := 0, 0
			for r := range oddReplies(t, f, target, true)[name] {
				switch r.Err {
				case ping.ErrDuplicate:
					duplicates++
				case nil:
					if probes++; probes == 1 {
						time.Sleep(3 * time.Second)
					}
				default:
					t.Errorf("%s: %+v", name, r)
				}
			}
			if duplicates != kept || probes < 2 {
				t.Errorf("%s: %d duplicates, want %d, with %d probes", name, duplicates, kept, probes)
			}
		})
	}
}

// An anomaly of a target that was replaced or removed meanwhile is nobody's.
func TestAnomaliesOfReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			return []delayed{{ms, echoed(m)}, {500 * ms, echoed(m)}}
		})), ping.WithAnomalies(true))
		add(t, w, 1, "192.0.2.1")
		add(t, w, 2, "192.0.2.2")
		add(t, w, 3, "192.0.2.3")
		for _, r := range watchFor(t, w, 5*time.Second, func(r watched) bool {
			if r.Seq == 1 && r.id == 1 && r.From.String() == "192.0.2.1" {
				add(t, w, 1, "192.0.2.4", ping.WithInterval(10*time.Second))
			}
			if r.Seq == 1 && r.id == 2 {
				w.Remove(2)
			}
			return true
		}) {
			switch {
			case r.id == 3, r.Seq == 0, r.Err == nil && r.Seq == 1:
			default:
				t.Errorf("%+v", r)
			}
		}
	})
}

// A Watcher's further loops tell of anomalies as the first does.
func TestAnomaliesInEachLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}}
		})), ping.WithAnomalies(true))
		add(t, w, 1, target)
		for i := range 3 {
			if list := watchFor(t, w, 5*time.Second, nil); len(list) != 10 {
				t.Errorf("loop %d: %d replies", i, len(list))
			}
		}
	})
}

// A Stream goes on telling of anomalies over the sockets that Reopen brings.
func TestAnomaliesAfterReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		twice := func(_ int, m ping.Message) []delayed { return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}} }
		p := newFakePinger(t, newFake(twice))
		duplicates := 0
		for r, err := range p.Stream(t.Context(), target, ping.WithCount(6), ping.WithAnomalies(true)) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Err == ping.ErrDuplicate {
				duplicates++
			}
			if r.Seq == 2 && r.Err == nil {
				if err := ping.ReopenOver(p, newFake(twice)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if duplicates < 4 { // the last comes after the end, and that of probe 2 may have been on its way
			t.Errorf("%d duplicates of 6 probes", duplicates)
		}
	})
}
