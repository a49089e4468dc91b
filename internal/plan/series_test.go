package plan

import (
	"fmt"
	"math"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// A Series is a script of instants: what is called, when, and what Next says then.
func TestSeries(t *testing.T) {
	type row struct {
		now  int64 // ms
		call string
		want string // of next: which probe, and when in ms
	}
	for _, c := range []struct {
		name     string
		interval time.Duration
		count    int
		rows     []row
	}{
		{"one", time.Second, 1, []row{
			{0, "next", "0 at 0"}, {0, "sent", ""}, {0, "next", "none"}, {5, "settled", ""}, {5, "next", "done"},
		}},
		{"an interval does not wait for answers", 10 * time.Millisecond, 3, []row{
			{0, "next", "0 at 0"}, {0, "sent", ""}, {0, "next", "1 at 10"},
			{10, "sent", ""}, {10, "next", "2 at 20"},
			{20, "sent", ""}, {20, "next", "none"},
			{21, "settled", ""}, {21, "settled", ""}, {21, "next", "none"}, {30, "settled", ""}, {30, "next", "done"},
		}},
		{"the grid begins with the first", 10 * time.Millisecond, 0, []row{
			{0, "next", "0 at 0"}, {7, "next", "0 at 0"}, {7, "sent", ""}, {7, "next", "1 at 17"},
		}},
		{"lateness does not add up", 10 * time.Millisecond, 0, []row{
			{0, "sent", ""}, {13, "next", "1 at 10"}, {13, "sent", ""}, {13, "next", "2 at 20"},
			{29, "sent", ""}, {29, "next", "3 at 30"},
		}},
		{"points that pass are left out", 10 * time.Millisecond, 0, []row{
			{0, "sent", ""}, {20, "sent", ""}, {20, "next", "2 at 20"},
			{20, "sent", ""}, {20, "next", "3 at 30"},
			{61, "sent", ""}, {61, "next", "4 at 70"},
		}},
		{"interval 0", 0, 2, []row{
			{3, "next", "0 at 3"}, {3, "sent", ""}, {4, "next", "none"},
			{5, "settled", ""}, {6, "next", "1 at 6"}, {6, "sent", ""}, {6, "next", "none"},
			{7, "settled", ""}, {7, "next", "done"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSeries(c.interval, c.count, 0)
			for i, r := range c.rows {
				switch r.call {
				case "sent":
					s.Sent(r.now * ms)
				case "settled":
					s.Settled()
				default:
					got := "none"
					if s.Done() {
						got = "done"
					}
					if seq, at, ok := s.Next(r.now * ms); ok {
						got = fmt.Sprintf("%d at %d", seq, at/ms)
					}
					if got != r.want {
						t.Fatalf("row %d: %s, want %s", i, got, r.want)
					}
				}
			}
		})
	}
}

// An interval that never ends is a number all the same.
func TestSeriesLongestInterval(t *testing.T) {
	s := NewSeries(math.MaxInt64, 0, int64(time.Hour))
	s.Spread(math.MaxUint32)
	s.Sent(int64(time.Hour))
	if _, at, ok := s.Next(0); !ok || at < maxInterval {
		t.Errorf("the second is due at %d", at)
	}
	s.Sent(int64(2 * time.Hour))
	if _, at, ok := s.Next(0); !ok || at < 2*maxInterval {
		t.Errorf("the third is due at %d", at)
	}
}

// However short the interval, spreading leaves half of it between the first probe and the second.
func TestSpreadGap(t *testing.T) {
	for _, interval := range []time.Duration{
		1, 999, 1e6, 1500 * time.Microsecond, 2e6, 10e6, time.Second, maxInterval,
	} {
		least, most := int64(math.MaxInt64), int64(0)
		for call := range uint32(5000) {
			begin := 123456789 + 7919*int64(call)
			s := NewSeries(interval, 0, begin)
			s.Spread(call)
			s.Sent(begin)
			_, at, _ := s.Next(begin)
			least, most = min(least, at-begin), max(most, at-begin)
		}
		i := int64(interval)
		if slack := i / 10; least < i/2-slack || most > i+i/2+slack {
			t.Errorf("interval %v: %v to %v", interval, time.Duration(least), time.Duration(most))
		}
	}
}

// Calls that start together are spread evenly over whole milliseconds, and keep their interval from then on.
func TestSpreadEvenly(t *testing.T) {
	const calls, interval = 1000, 100 * time.Millisecond
	due := map[int64]int{}
	for call := range uint32(calls) {
		s := NewSeries(interval, 0, 0)
		s.Spread(call + 12345)
		s.Sent(0)
		_, second, _ := s.Next(0)
		s.Sent(second)
		if _, third, _ := s.Next(0); third-second != int64(interval) {
			t.Fatalf("call %d: %d and %d", call, second, third)
		}
		due[second]++
	}
	if len(due) < 100 || len(due) > 101 {
		t.Errorf("at %d instants, want 100", len(due))
	}
	for at, n := range due {
		if at%ms != 0 || n > 12 {
			t.Errorf("%d calls at %v", n, time.Duration(at))
		}
	}
}

// What a grid begins on is not much beside its interval.
func TestCoarseness(t *testing.T) {
	for interval, want := range map[int64]int64{
		0: 1, 1: 1, 10*ms - 1: 1, 10 * ms: ms, 499 * ms: ms, 500 * ms: 2 * ms, 1000 * ms: 4 * ms, maxInterval: 4 * ms,
	} {
		if got := coarseness(interval); got != want {
			t.Errorf("%v: %v, want %v", time.Duration(interval), time.Duration(got), time.Duration(want))
		}
	}
}
