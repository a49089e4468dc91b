package paths_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/paths"
	"github.com/icmpsock/ping/pingtest"
)

const target = "192.0.2.9"

// sketch is a round in few words: who answered last at each distance, . after the target, and how many of how many.
func sketch(r paths.Round) string {
	var words []string
	for _, h := range r.Hops {
		is := h.Routers[0]
		word := "*"
		if is.Addr.IsValid() {
			word = is.Addr.String()
		}
		if is.Target {
			word += "."
		}
		words = append(words, fmt.Sprintf("%s %d/%d", word, is.Statistics.Received, is.Statistics.Sent))
	}
	return strings.Join(words, ", ")
}

// watch returns all rounds, and the error.
func watch(t testing.TB, p *ping.Pinger, host string, opts ...paths.Option) (list []paths.Round, err error) {
	for r, e := range paths.Watch(t.Context(), p, host, opts...) {
		if err = e; e == nil {
			list = append(list, r)
		}
	}
	return list, err
}

// The first round finds the way, the others ask each distance once a second.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", "192.0.2.3", target)
		labels := []ping.MPLSLabel{{Label: 17, TTL: 1}}
		hosts[1].Set(pingtest.Silent())
		hosts[2].Set(pingtest.MPLS(labels...), pingtest.LoseNext(1))
		n.KeepRecords(100)
		begin := time.Now()
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(5))
		if err != nil || len(rounds) != 5 {
			t.Fatalf("%d rounds, %v", len(rounds), err)
		}
		if got, want := sketch(rounds[4]), "192.0.2.1 5/5, * 0/5, 192.0.2.3 4/5, 192.0.2.9. 5/5"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for i, r := range rounds {
			if r.Number != i || !r.Reached || r.Target.String() != target || r.Change != nil || len(r.Hops) != 4 {
				t.Errorf("round %d: %+v", i, r)
			}
		}
		third := rounds[4].Hops[2].Routers[0]
		if len(third.Labels) != 1 || third.Labels[0] != labels[0] || third.TTL != 62 || third.RTT != 30*ms ||
			third.Statistics.Mean != 30*ms || third.Since.Before(begin.Add(time.Second)) {
			t.Errorf("the third hop: %+v", third)
		}
		last := map[int]time.Time{}
		for _, r := range n.Records() {
			if before, ok := last[r.TTL]; ok && r.Sent.Sub(before) < time.Second/2 {
				t.Errorf("distance %d asked %v after the time before", r.TTL, r.Sent.Sub(before))
			}
			last[r.TTL] = r.Sent
		}
		if sent := n.Counts().Requests; sent > 4*5+4 {
			t.Errorf("%d probes", sent)
		}
	})
}

// A way that does not get there has one silent row after the last router that answers. The router that refuses is asked
// for itself and for the target by turns.
func TestWatchUnreached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", target)
		hosts[2].Set(pingtest.Unreachable("192.0.2.2")).At(9500*ms, pingtest.Up())
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(20), paths.WithMaxHops(12))
		if err != nil {
			t.Fatal(err)
		}
		early, late := rounds[8], rounds[19]
		if got, want := sketch(early), "192.0.2.1 9/9, 192.0.2.2 5/5, * 0/5"; got != want || early.Reached {
			t.Errorf("got %s, want %s; reached %v", got, want, early.Reached)
		}
		if got := sketch(late); !strings.HasSuffix(got, ", 192.0.2.9. 11/16") || !late.Reached {
			t.Errorf("got %s; reached %v", got, late.Reached)
		}
		for _, r := range rounds {
			if r.Change != nil {
				t.Errorf("round %d: %v: the way has not changed", r.Number, r.Change)
			}
		}
	})
}

// A refusal is shown with the distance of the probe, and is no change. The router that refuses is asked for itself and
// for the target by turns.
func TestWatchRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", target)
		hosts[2].At(4900*ms, pingtest.Unreachable("192.0.2.2"))
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(20))
		if err != nil {
			t.Fatal(err)
		}
		last := rounds[19].Hops[2]
		if got := sketch(rounds[19]); got != "192.0.2.1 20/20, 192.0.2.2 13/13, 192.0.2.9. 5/13" {
			t.Errorf("got %s", got)
		}
		if last.Refusal == nil || last.Refusal.Reason() != "destination host unreachable" ||
			last.Routers[0].Statistics.Errors != 8 {
			t.Errorf("got %+v", last)
		}
		for _, r := range rounds {
			if r.Change != nil {
				t.Errorf("round %d: %v", r.Number, r.Change)
			}
		}
	})
}

// A day has four changes, and as many events, each with what was before and after, though one answer in twenty is lost.
// The memory is as much at the end as it was after an hour.
func TestWatchDay(t *testing.T) {
	interval := time.Duration(skipped.AtLength(t, 20, 1)) * time.Second
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", target)
		detour := n.Host("192.0.2.22", pingtest.Behind(hosts[0]))
		extra := n.Host("192.0.2.33", pingtest.Behind(hosts[1]))
		for _, h := range append(hosts, detour, extra) {
			h.Set(pingtest.Loss(0.05))
		}
		hosts[2].At(5*time.Hour, pingtest.Behind(extra))     // longer: 1 2 33 3 4 9
		hosts[2].At(10*time.Hour, pingtest.Behind(hosts[1])) // as it was
		hosts[2].At(15*time.Hour, pingtest.Behind(detour))   // 1 22 3 4 9
		f := newFork(func(uint64) int { return 0 }, n)
		begin := time.Now()
		f.change = func(m *ping.Message) {
			if m.Err == nil && time.Since(begin) > 20*time.Hour {
				m.TTL -= 3
			}
		}
		var changes []string
		var early uint64
		for r, err := range paths.Watch(t.Context(), f.pinger(t), target,
			paths.WithInterval(interval), paths.WithRounds(int(24*time.Hour/interval))) {
			if err != nil {
				t.Fatal(err)
			}
			if c := r.Change; c != nil {
				changes = append(changes, c.String())
				if late := c.Since.Sub(begin) % (5 * time.Hour); late > 5*interval {
					t.Errorf("%v: noticed %v after it came", c, late)
				}
			}
			if r.Number == int(time.Hour/interval) {
				early = heap()
			}
		}
		want := []string{
			"longer at 3: 192.0.2.33 instead of 192.0.2.3, 6 hops instead of 5",
			"shorter at 3: 192.0.2.3 instead of 192.0.2.33, 5 hops instead of 6",
			"other router at 2: 192.0.2.22 instead of 192.0.2.2",
			"other reply TTL at 5: 57 instead of 60, from the target",
		}
		if got := strings.Join(changes, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
		late := heap()
		t.Logf("heap: %d KiB after an hour, %d KiB after a day", early>>10, late>>10)
		if late > early+256<<10 {
			t.Errorf("the heap grew from %d to %d bytes", early, late)
		}
	})
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Where packets go to and fro between two routers, that is no change, however long.
func TestWatchToAndFro(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := chain("192.0.2.1", "192.0.2.2", target)
		b, _ := chain("192.0.2.1", "192.0.2.3", target)
		sent := uint64(0)
		f := newFork(func(uint64) int { sent++; return int(mix(sent) % 2) }, a, b)
		rounds, err := watch(t, f.pinger(t), target, paths.WithRounds(2000))
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		for _, r := range rounds {
			if r.Change != nil {
				changes++
			}
		}
		if changes > 1 { // three in a row by chance, before it was seen that it goes to and fro
			t.Errorf("%d changes", changes)
		}
		second := rounds[1999].Hops[1].Routers
		if len(second) != 2 || second[0].Statistics.Received+second[1].Statistics.Received != 2000 {
			t.Errorf("the second hop: %+v", second)
		}
	})
}

// What ends a watch comes last.
func TestWatchErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := chain("192.0.2.1", target)
		p := n.Pinger(t)
		for _, test := range []struct {
			host string
			opts []paths.Option
			want string
		}{
			{target, []paths.Option{nil}, "paths: option 0 is nil"},
			{target, []paths.Option{paths.WithInterval(0)}, "paths: WithInterval(0s): want 10ms or more"},
			{target, []paths.Option{paths.WithRounds(0)}, "paths: WithRounds(0): want 1 or more"},
			{target, []paths.Option{paths.WithMaxHops(256)}, "paths: WithMaxHops(256): want 1 to 255"},
			{target, []paths.Option{paths.WithMiss(0.1)}, "paths: WithMiss(0.1) has no effect on Watch: it is for Enumerate"},
			{target, []paths.Option{paths.WithProbe(ping.WithSize(7))}, "WithFlow(65535) with WithSize(7)"},
			{target, []paths.Option{paths.WithProbe(ping.WithMaxHops(7))}, "WithMaxHops(7) has no effect on Ping"},
			{"nobody.example", nil, "no such host"},
		} {
			if rounds, err := watch(t, p, test.host, test.opts...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d rounds, %v, want %s", len(rounds), err, test.want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*ms)
		defer cancel()
		rounds, last := 0, error(nil)
		for _, err := range paths.Watch(ctx, p, target) {
			if last = err; err == nil {
				rounds++
			}
		}
		if rounds != 2 || !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("%d rounds, %v", rounds, last)
		}
		rounds = 0
		for range paths.Watch(t.Context(), p, target) {
			if rounds++; rounds == 3 {
				p.Close()
			}
		}
		if rounds != 4 { // the fourth is the error
			t.Errorf("%d yielded", rounds)
		}
	})
}

// A refusal is told where the probes are refused first, beyond a silent router too.
func TestWatchRefusedBeyondSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", "192.0.2.2", target)
		hosts[1].Set(pingtest.Silent())
		hosts[2].Set(pingtest.Unreachable("192.0.2.77"))
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(6))
		if err != nil {
			t.Fatal(err)
		}
		last := rounds[5]
		if got, want := sketch(last), "192.0.2.1 6/6, * 0/6, * 0/6"; got != want || last.Hops[2].Refusal == nil {
			t.Errorf("got %s, want %s with a refusal: %+v", got, want, last.Hops)
		}
	})
}

// The way is told as soon as it is known, and how it stands when ctx ends the watch, with what is in flight.
func TestWatchCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := chain("192.0.2.1", target)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2505*ms)
		defer cancel()
		first, last := time.Duration(0), paths.Round{}
		for r, err := range paths.Watch(ctx, n.Pinger(t), target) {
			if last = r; r.Number == 0 && err == nil {
				first = r.Time.Sub(begin)
			}
		}
		if first > 100*ms { // not the interval
			t.Errorf("told after %v", first)
		}
		if got, want := sketch(last), "192.0.2.1 3/3, 192.0.2.9. 2/3"; got != want || last.Number != 2 || !last.Reached ||
			last.Hops[1].Routers[0].Statistics.Pending != 1 {
			t.Errorf("round %d: got %s, want %s, with one pending", last.Number, got, want)
		}
	})
}

// What cannot be sent counts, and the watch goes on.
func TestWatchUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hosts := chain("192.0.2.1", target)
		hosts[1].At(4900*ms, pingtest.SendError(errors.New("network is unreachable")))
		rounds, err := watch(t, n.Pinger(t), target, paths.WithRounds(10))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range rounds[9].Hops {
			if h.Unsent == nil || !strings.Contains(h.Unsent.Error(), "unreachable") || rounds[3].Hops[0].Unsent != nil {
				t.Errorf("hop %d: not sent: %v", h.Distance, h.Unsent)
			}
			if s := h.Routers[0].Statistics; s.Received != 5 || s.SendErrors != 5 || h.Routers[0].Addr == (netip.Addr{}) {
				t.Errorf("hop %d: %v", h.Distance, s)
			}
		}
	})
}

// What a router's errors show of a NAT is told with it, as long as they do.
func TestWatchNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := chain("192.0.2.1", "192.0.2.2", target)
		f := newFork(func(uint64) int { return 0 }, n)
		begin, inside := time.Now(), netip.MustParseAddr("10.0.0.5")
		f.change = func(m *ping.Message) {
			if m.Err != nil && m.Err.From.String() == "192.0.2.2" && time.Since(begin) < 5*time.Second {
				m.Addr = inside
			}
		}
		rounds, err := watch(t, f.pinger(t), target, paths.WithRounds(10))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range map[int]netip.Addr{3: inside, 9: {}} {
			hops := rounds[i].Hops
			if r := hops[1].Routers[0]; r.Quoted != want || r.NAT != want.IsValid() || hops[0].Routers[0].NAT {
				t.Errorf("round %d: %+v", i, hops)
			}
		}
	})
}
