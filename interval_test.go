package ping_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// The interval runs from probe to probe: it does not drift with the time that answers or the caller take, and
// probes that a slow caller missed are not made up for.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		rtt      time.Duration
		consumer []time.Duration
		want     []time.Duration
	}{
		{"quick", 100 * ms, 20 * ms, []time.Duration{0, 0, 0, 0}, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
		{"slow network", 100 * ms, 450 * ms, []time.Duration{0, 0, 0, 0}, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
		{
			"busy caller", 100 * ms, 20 * ms, []time.Duration{70 * ms, 0, 70 * ms, 0},
			[]time.Duration{0, 100 * ms, 200 * ms, 300 * ms},
		},
		{
			"slow caller", 100 * ms, 20 * ms, []time.Duration{230 * ms, 0, 0, 0},
			[]time.Duration{0, 250 * ms, 300 * ms, 400 * ms},
		},
		{"no interval", 0, 20 * ms, []time.Duration{0, 0, 5 * ms, 0}, []time.Duration{0, 20 * ms, 40 * ms, 65 * ms}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(echoAfter(c.rtt))
				p := newFakePinger(t, f)
				start := time.Now()
				n := 0
				for r, err := range p.Stream(t.Context(), target, ping.WithInterval(c.interval), ping.WithCount(len(c.want))) {
					if err != nil || r.Err != nil || r.RTT != c.rtt {
						t.Errorf("got %+v, %v", r, err)
					}
					time.Sleep(c.consumer[n])
					n++
				}
				if got := f.departures(start); !slices.Equal(got, c.want) || n != len(c.want) {
					t.Errorf("%d replies, probes left at %v, want %v", n, got, c.want)
				}
			})
		})
	}
}

// A run of PingN ends with its last reply, not with the last interval.
func TestPingNEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		start := time.Now()
		if _, err := p.PingN(t.Context(), target, 5, ping.WithInterval(100*ms)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 420*ms {
			t.Errorf("took %v", d)
		}
	})
}

// Calls that start together do not stay together.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		var wg sync.WaitGroup
		const streams, echoes = 1000, 5
		for range streams {
			wg.Go(func() {
				var last time.Time
				for r := range p.Stream(t.Context(), target, ping.WithCount(echoes)) {
					if d := r.Sent.Sub(last); r.Seq > 1 && d != time.Second {
						t.Errorf("%v from probe %d to the next", d, r.Seq-1)
					}
					last = r.Sent
				}
			})
		}
		wg.Wait()
		perTenth := map[int]int{}
		for _, at := range f.departures(start) {
			if at > 2*time.Second && at < 4*time.Second {
				perTenth[int(at/(100*ms))]++
			}
		}
		for tenth, n := range perTenth {
			if n < streams/10*8/10 || n > streams/10*12/10 {
				t.Errorf("%d probes in tenth %d of a second", n, tenth)
			}
		}
		if len(perTenth) != 20 {
			t.Errorf("probes in %d tenths of a second of 20", len(perTenth))
		}
	})
}

// unspread is how many calls at a time keep together: who makes but a few would wonder.
const unspread = 8

// Of the probes of many calls, those that fall due in the same millisecond leave together: one waking for all.
func TestDueTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		var calls sync.WaitGroup
		const streams, echoes = unspread + 1000, 20 // ten and more in each of a hundred milliseconds
		for range streams {
			calls.Go(func() {
				for r, err := range p.Stream(t.Context(), target, ping.WithInterval(100*ms), ping.WithCount(echoes)) {
					if r.Err != nil || err != nil || r.RTT != 20*ms {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
		}
		calls.Wait()
		left := f.departures(start)
		if len(left) != streams*echoes {
			t.Errorf("%d echo requests, not %d", len(left), streams*echoes)
		}
		if n := len(slices.Compact(left)); n > len(left)/5 {
			t.Errorf("%d echo requests left at %d instants", len(left), n)
		}
	})
}

// An interval that never ends stops nothing else.
func TestLongestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoOfTarget)
		p := newFakePinger(t, f)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		const streams = 2 * unspread
		for range streams {
			calls.Go(func() {
				for range p.Stream(ctx, target, ping.WithInterval(math.MaxInt64)) {
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		if _, err := p.Ping(t.Context(), "192.0.2.2"); !errors.Is(err, ping.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if n := len(f.departures(start)); n != streams+1 {
			t.Errorf("%d echo requests", n)
		}
		cancel()
		calls.Wait()
	})
}

// The interval runs from the first probe, however long that had to wait for its turn.
func TestIntervalAfterTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)), ping.WithRate(2))
		var others sync.WaitGroup
		for range 5 {
			others.Go(func() { p.Ping(t.Context(), target) })
		}
		synctest.Wait()
		s, err := p.PingN(t.Context(), target, 3, ping.WithInterval(2*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if gap := s.Replies[i+1].Sent.Sub(s.Replies[i].Sent); gap != 2*time.Second {
				t.Errorf("%v from probe %d to the next", gap, i)
			}
		}
		others.Wait()
	})
}
