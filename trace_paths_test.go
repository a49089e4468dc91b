package ping_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/pingtest"
)

// randomWay is a network with a target behind some routers, each of which may be silent, lose answers, refuse what is
// to go on, or do so for a while. No RTT is ten times another.
func randomWay(random *rand.Rand) (n *pingtest.Network, host string) {
	n = pingtest.NewNetwork().Seed(random.Uint64()).KeepRecords(10_000)
	least := time.Duration(1+random.IntN(50)) * ms
	var last *pingtest.Host
	for d := range 1 + random.IntN(25) {
		host = fmt.Sprint("10.9.0.", d+1)
		rtt := least + time.Duration(random.Int64N(int64(4*least)))
		last = n.Host(host, pingtest.Behind(last), pingtest.RTTBetween(rtt, rtt+least))
		at := time.Duration(random.IntN(400)) * ms
		switch random.IntN(12) {
		case 0, 1:
			last.Set(pingtest.Silent())
		case 2, 3:
			last.Set(pingtest.Loss(random.Float64()))
		case 4:
			last.At(at, pingtest.Unreachable("10.9.0.1")).At(at+time.Duration(random.IntN(300))*ms, pingtest.Up())
		case 5:
			last.At(at, pingtest.Down()).At(at+time.Duration(random.IntN(2000))*ms, pingtest.Up())
		case 6:
			last.At(at, pingtest.Silent()).At(at+time.Duration(random.IntN(2000))*ms, pingtest.Up())
		case 7:
			if random.IntN(4) == 0 {
				last.Set(pingtest.Refuse(ping.ICMPError{Type: unreachable4, Code: 13}))
			}
		case 8:
			if random.IntN(4) == 0 {
				last.Set(pingtest.Down())
			}
		}
	}
	return n, host
}

// Of random paths, whoever answered is in the Trace, which ends where it should, also if it is cut short.
func TestTraceRandomPaths(t *testing.T) {
	ends := map[ping.TraceEnd]int{}
	seeds := uint64(skipped.AtLength(t, 500, 10_000))
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			n, host := randomWay(random)
			p := n.Pinger(t)
			opts := []ping.ProbeOption{ping.WithCount(1 + random.IntN(4))}
			if random.IntN(3) == 0 {
				opts = append(opts, ping.WithGapLimit(1+random.IntN(6)))
			}
			ctx, cut := t.Context(), false
			if random.IntN(3) == 0 {
				cut = true
				deadline, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(2000))*ms+ms/2)
				defer cancel()
				ctx = deadline
			}
			var hops []ping.Hop
			var yielded []time.Time // when each was
			var failure error
			for h, err := range p.Trace(ctx, host, opts...) {
				if err != nil {
					failure = err
					break
				}
				hops = append(hops, h)
				yielded = append(yielded, time.Now())
				if h.Distance != len(hops) {
					t.Fatalf("seed %d: hop %d has distance %d", seed, len(hops), h.Distance)
				}
			}
			if failure != nil && !(cut && errors.Is(failure, context.DeadlineExceeded)) {
				t.Fatalf("seed %d: %v", seed, failure)
			}
			checkComplete(t, seed, n.Records(), hops, yielded, failure != nil)
			if failure == nil {
				ends[hops[len(hops)-1].End]++
				checkEnd(t, seed, n.Records(), hops)
			}
			if c := p.Counters(); c.InFlight != 0 {
				t.Errorf("seed %d: counters %+v", seed, c)
			}
		})
	}
	t.Log(ends)
	for _, end := range []ping.TraceEnd{ping.EndReached, ping.EndRefused, ping.EndGap, ping.EndMaxHops} {
		if ends[end] < int(seeds)/50 {
			t.Errorf("%d traces end as %q", ends[end], end)
		}
	}
}

// checkComplete looks whether each answer that came before its hop was yielded is in that hop. A Trace that was cut
// short may have yielded none so far.
func checkComplete(
	t *testing.T, seed uint64, sent []pingtest.Record, hops []ping.Hop, yielded []time.Time, cut bool,
) {
	t.Helper()
	for _, r := range sent {
		for _, a := range r.Answers {
			if r.TTL > len(hops) {
				last := hops[max(len(hops)-1, 0):]
				over := len(last) > 0 && (last[0].Reached() || isRefusal(a.Err) && refusedAt(last[0]))
				if cut && !over && a.Received.Before(time.Now()) {
					t.Errorf("seed %d: %v answered a probe for hop %d, of %d", seed, a.From, r.TTL, len(hops))
				}
				continue
			}
			if a.Received.Before(yielded[r.TTL-1]) && !slices.Contains(hops[r.TTL-1].Addrs(), a.From) {
				t.Errorf("seed %d: %v answered %v after the probe left, and is not in %v",
					seed, a.From, a.Received.Sub(r.Sent), hops[r.TTL-1])
			}
		}
	}
}

// isRefusal reports whether an answer is an ICMP error that ends the way.
func isRefusal(e *ping.ICMPError) bool { return e != nil && e.Type != timeExceeded4 }

// refusedAt reports whether a probe to a hop was refused.
func refusedAt(h ping.Hop) bool {
	return slices.ContainsFunc(h.Replies, func(r ping.Reply) bool {
		var e *ping.ICMPError
		return errors.As(r.Err, &e) && isRefusal(e)
	})
}

// checkEnd looks whether a Trace ends for the reason that it says.
func checkEnd(t *testing.T, seed uint64, sent []pingtest.Record, hops []ping.Hop) {
	t.Helper()
	last := hops[len(hops)-1]
	ok := last.Reached()
	switch last.End {
	case ping.EndRefused:
		ok = refusedAt(last) && !last.Reached()
		for _, r := range sent { // nothing farther has answered
			for _, a := range r.Answers {
				if r.TTL > last.Distance && a.Received.Before(time.Now()) && !isRefusal(a.Err) {
					t.Errorf("seed %d: %v answered from hop %d, and the way ends at %v", seed, a.From, r.TTL, last)
				}
			}
		}
	case ping.EndGap, ping.EndMaxHops:
		ok = len(last.Addrs()) == 0 || last.Distance == 30
	}
	if !ok {
		t.Errorf("seed %d: it ends at %v as %q", seed, last, last.End)
	}
	for _, h := range hops[:len(hops)-1] {
		if h.End != "" || h.Reached() {
			t.Errorf("seed %d: hop %v of %d ends as %q", seed, h, len(hops), h.End)
		}
	}
}
