package ping_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// rtts makes replies in order of arrival; a negative one is lost.
func rtts(list ...time.Duration) (replies []ping.Reply) {
	start := time.Unix(1_700_000_000, 0)
	for i, rtt := range list {
		r := ping.Reply{Seq: i, RTT: rtt, Sent: start.Add(time.Duration(i) * time.Second)}
		r.Received = r.Sent.Add(rtt)
		if rtt < 0 {
			r = ping.Reply{Seq: i, Err: ping.ErrTimeout}
		}
		replies = append(replies, r)
	}
	return replies
}

// sum adds replies up, and keeps them.
func sum(replies []ping.Reply) *ping.Statistics {
	s := &ping.Statistics{Replies: replies}
	for _, r := range replies {
		s.Add(r)
	}
	return s
}

// pinged has PingN sum up RTTs, of which a negative one is lost.
func pinged(t *testing.T, list ...time.Duration) (s *ping.Statistics) {
	if len(list) == 0 {
		return &ping.Statistics{}
	}
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			if list[n] < 0 {
				return nil
			}
			return []delayed{{list[n], echoed(m)}}
		}))
		var err error
		s, err = p.PingN(t.Context(), target, len(list), ping.WithTimeout(2*time.Hour), ping.WithInterval(3*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range s.Replies {
			if list[i] >= 0 && r.RTT != list[i] {
				t.Fatalf("reply %d of RTT %v is %+v", i, list[i], r)
			}
		}
	})
	return s
}

func TestMoments(t *testing.T) {
	for _, c := range []struct {
		name                                   string
		rtts                                   []time.Duration
		min, max, mean, median, stddev, jitter time.Duration
	}{
		{name: "none"},
		{"one", []time.Duration{5 * ms}, 5 * ms, 5 * ms, 5 * ms, 5 * ms, 0, 0},
		// Population deviation of 2, 4, 4, 4, 5, 5, 7, 9 is 2, the textbook's example.
		{"textbook", []time.Duration{2 * ms, 4 * ms, 4 * ms, 4 * ms, 5 * ms, 5 * ms, 7 * ms, 9 * ms},
			2 * ms, 9 * ms, 5 * ms, 4 * ms, 2 * ms, 378553},
		// RFC 3550: J += (|D| - J)/16: 16 ms once gives 1 ms, then nothing gives 15/16 of that.
		{"jitter", []time.Duration{1 * ms, 17 * ms, 17 * ms}, ms, 17 * ms, 11666667, 17 * ms, 7542472, 937500},
		{"lost are passed over", []time.Duration{1 * ms, -1, 17 * ms}, ms, 17 * ms, 9 * ms, ms, 8 * ms, ms},
		{"an hour, a nanosecond", []time.Duration{time.Hour, 1},
			1, time.Hour, 30 * time.Minute, 1, 30 * time.Minute, time.Hour / 16},
	} {
		s, added := pinged(t, c.rtts...), sum(rtts(c.rtts...))
		for _, f := range []struct {
			name             string
			got, added, want time.Duration
		}{
			{"min", s.Min, added.Min, c.min}, {"max", s.Max, added.Max, c.max}, {"mean", s.Mean, added.Mean, c.mean},
			{"stddev", s.StdDev, added.StdDev, c.stddev}, {"jitter", s.Jitter, added.Jitter, c.jitter},
			{"median", s.Median, added.Percentile(0.5), c.median},
		} {
			for _, got := range []time.Duration{f.got, f.added} {
				if d := got - f.want; d < -1 || d > 1 {
					t.Errorf("%s: %s is %v, want %v", c.name, f.name, got, f.want)
				}
			}
		}
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		rtts []time.Duration
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{-1}, 0.5, 0},
		{[]time.Duration{7}, 0, 7},
		{[]time.Duration{7}, 1, 7},
		{[]time.Duration{1, 2}, 0.5, 1},
		{[]time.Duration{1, 2}, 0.51, 2},
		{[]time.Duration{3, -1, 1, 2}, 0.5, 2},
		{hundred, 0.01, 1}, {hundred, 0.07, 7}, {hundred, 0.5, 50}, {hundred, 0.501, 51}, {hundred, 0.99, 99},
		{hundred, 0.999, 100}, {hundred, 1, 100}, {hundred, -3, 1}, {hundred, 3, 100},
	} {
		if got := (&ping.Statistics{Replies: rtts(c.rtts...)}).Percentile(c.q); got != c.want {
			t.Errorf("percentile %v of %d: got %d, want %d", c.q, len(c.rtts), got, c.want)
		}
	}
}

func TestCounts(t *testing.T) {
	unreachable := &ping.ICMPError{Type: 3, Code: 1}
	var refused, silent error // as Ping returns them
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			if m.Addr.Is6() {
				return nil
			}
			return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
		}))
		_, refused = p.Ping(t.Context(), target)
		_, silent = p.Ping(t.Context(), "2001:db8::1")
	})
	s := sum([]ping.Reply{
		{Seq: 0, RTT: 1}, {Seq: 1, Err: ping.ErrTimeout}, {Seq: 2, Err: unreachable}, {Seq: 3, Err: refused},
		{Seq: 4, Err: os.ErrPermission}, {Seq: 5, RTT: 2}, {Seq: 6, Err: silent},
	})
	if s.Sent != 6 || s.Received != 2 || s.Lost != 4 || s.Errors != 2 || s.SendErrors != 1 {
		t.Errorf("got %d sent, %d received, %d lost, %d errors, %d send errors",
			s.Sent, s.Received, s.Lost, s.Errors, s.SendErrors)
	}
	if got := s.Loss(); got != 5.0/7 {
		t.Errorf("loss is %v", got)
	}
	if got := new(ping.Statistics).Loss(); got != 0 {
		t.Errorf("loss of nothing is %v", got)
	}
}

// The answer of a host that cannot tell what AskInterface asks for is an answer: the request has left, and was not
// lost.
func TestCountsInterfaceError(t *testing.T) {
	s := sum([]ping.Reply{{Seq: 0, RTT: 3 * ms, Err: ping.ErrNoSuchInterface}})
	if s.Sent != 1 || s.Received != 1 || s.SendErrors != 0 || s.Loss() != 0 || s.Max != 3*ms {
		t.Errorf("got %+v", s)
	}
}

// Loss is the share of what was made and not answered, without what nobody knows the end of.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name string
		s    ping.Statistics
		want float64
	}{
		{"nothing", ping.Statistics{}, 0},
		{"all answered", ping.Statistics{Sent: 4, Received: 4}, 0},
		{"a quarter lost", ping.Statistics{Sent: 4, Received: 3, Lost: 1}, 0.25},
		{"a cable that is out", ping.Statistics{SendErrors: 4}, 1},
		{"half could not be sent", ping.Statistics{Sent: 2, Received: 2, SendErrors: 2}, 0.5},
		{"in flight", ping.Statistics{Sent: 3, Pending: 3}, 0},
		{"one in flight", ping.Statistics{Sent: 5, Received: 3, Lost: 1, Pending: 1}, 0.25},
		{"dropped here", ping.Statistics{Sent: 6, Received: 3, Lost: 3, LocalDrops: 2}, 0.25},
		{"all dropped here", ping.Statistics{Sent: 3, Lost: 3, LocalDrops: 3}, 1},
		{"dropped here, the rest in flight", ping.Statistics{Sent: 3, Lost: 1, LocalDrops: 1, Pending: 2}, 1},
		{"some of all", ping.Statistics{Sent: 10, Received: 4, Lost: 4, LocalDrops: 2, Pending: 2, SendErrors: 2}, 0.5},
	} {
		if got := c.s.Loss(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What was in flight when the call ended has been sent, and is neither received nor lost, however it is told. What
// has found no room to leave has not been sent.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(n int, m ping.Message) []delayed {
			switch n {
			case 0, 2:
				return []delayed{{ms, echoed(m)}}
			}
			return nil
		})
		start := time.Now()
		f.refuse = func(n int, _ ping.Message) error {
			switch {
			case time.Since(start) > 4500*ms:
				return ping.ErrNoRoom
			case n == 3 && time.Since(start) < 3500*ms:
				return os.ErrPermission
			}
			return nil
		}
		p := newFakePinger(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), 5800*ms)
		defer cancel()
		s, err := p.PingN(ctx, target, 100, ping.WithTimeout(1950*ms))
		if !errors.Is(err, context.DeadlineExceeded) || s.Sent != 4 || s.Received != 2 || s.Lost != 1 || s.Pending != 1 ||
			s.SendErrors != 1 || len(s.Replies) != 4 || s.Loss() != 0.5 {
			t.Errorf("%+v, %v", s, err)
		}
		want := "4 packets transmitted, 2 received, +1 not sent, +1 pending, 50% packet loss\n"
		if got := s.String(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, nil)).Info("done", "ping", s)
		for _, want := range []string{
			"ping.sent=4", "ping.received=2", "ping.loss=0.5", "ping.pending=1", "ping.send_errors=1",
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q is not in %s", want, b.String())
			}
		}
		var decoded ping.Statistics
		s.Replies = nil // there is no way back for them
		if data, err := json.Marshal(s); err != nil || json.Unmarshal(data, &decoded) != nil ||
			decoded.Pending != 1 || decoded.Loss() != 0.5 || decoded.String() != s.String() {
			t.Errorf("from JSON: %+v, %v", decoded, err)
		}
	})
}

// RFC 4737: a reply is reordered if one to a later probe came before it.
func TestReordered(t *testing.T) {
	at := func(seq, when int) ping.Reply {
		return ping.Reply{Seq: seq, RTT: 1, Sent: time.Unix(int64(seq), 0), Received: time.Unix(int64(when), 0)}
	}
	later := func(r ping.Reply) ping.Reply { // of a call that began a minute later
		r.Sent, r.Received = r.Sent.Add(time.Minute), r.Received.Add(time.Minute)
		return r
	}
	batch := func(r ping.Reply) ping.Reply { // of probes that left at one time
		r.Sent = time.Unix(0, 0)
		return r
	}
	for _, c := range []struct {
		name    string
		replies []ping.Reply
		want    int
	}{
		{"in order", []ping.Reply{at(0, 1), at(1, 2), at(2, 3)}, 0},
		{"1, 3, 2", []ping.Reply{at(1, 1), at(3, 2), at(2, 3)}, 1},
		{"one late of all", []ping.Reply{at(1, 1), at(2, 2), at(3, 3), at(0, 4)}, 1},
		{"backwards", []ping.Reply{at(2, 1), at(1, 2), at(0, 3)}, 2},
		{"read in another order than they came", []ping.Reply{at(1, 2), at(0, 1)}, 0},
		{"several calls", []ping.Reply{at(0, 1), at(1, 2), later(at(0, 1)), later(at(2, 2)), later(at(1, 3))}, 1},
		{"pings", []ping.Reply{at(0, 1), later(at(0, 1)), later(later(at(0, 1)))}, 0},
		{"sent at one time", []ping.Reply{batch(at(0, 1)), batch(at(2, 2)), batch(at(1, 3))}, 1},
	} {
		if got := sum(c.replies).Reordered; got != c.want {
			t.Errorf("%s: %d reordered, want %d", c.name, got, c.want)
		}
	}
}

func TestStatisticsString(t *testing.T) {
	s := sum(rtts(1500*time.Microsecond, -1, 2500*time.Microsecond))
	s.Duplicates, s.Stray = 2, 1
	want := "3 packets transmitted, 2 received, +2 duplicates, +1 stray, 33.33% packet loss\n" +
		"rtt min/avg/max/mdev = 1.500/2.000/2.500/0.500 ms"
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := sum(rtts(-1)).String(), "1 packets transmitted, 0 received, 100% packet loss"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	rare := ping.Statistics{Sent: 1_000_000, Received: 1, Lost: 999_999}
	want = "1000000 packets transmitted, 1 received, 99.99% packet loss\n"
	if got := rare.String(); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	s := sum(rtts(1500*time.Microsecond, -1))
	s.Target = netip.MustParseAddr("192.0.2.1")
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Target  string
		Sent    int
		MeanNS  int64 `json:"mean_ns"`
		Loss    float64
		Replies []struct {
			RTT   int64 `json:"rtt_ns"`
			Clock string
			Error string
		}
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Target != "192.0.2.1" || got.Sent != 2 || got.MeanNS != 1500000 || got.Loss != 0.5 || len(got.Replies) != 2 ||
		got.Replies[0].RTT != 1500000 || got.Replies[1].Error != ping.ErrTimeout.Error() || got.Replies[0].Clock != "user" {
		t.Errorf("got %+v from %s", got, b)
	}
}

func TestLogValue(t *testing.T) {
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("done", "ping", sum(rtts(time.Millisecond, -1)))
	for _, want := range []string{"ping.sent=2", "ping.loss=0.5", "ping.mean=1ms"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %s", want, b.String())
		}
	}
	b.Reset()
	slog.New(slog.NewTextHandler(&b, nil)).Info("done", "ping", sum(rtts(-1)))
	if strings.Contains(b.String(), "mean") {
		t.Errorf("there is an RTT in %s", b.String())
	}
}

// JSON has what was measured, which may be 0, and nothing else.
func TestStatisticsJSONFields(t *testing.T) {
	always := []string{"icmp_errors", "local_drops", "loss", "lost", "pending", "received", "reordered",
		"send_errors", "sent"}
	rtts1 := []string{"max_ns", "mean_ns", "min_ns", "stddev_ns"}
	beside := []string{"corrupted", "duplicates", "late", "stray"}
	whole := []string{"replies", "target"}
	for _, c := range []struct {
		name string
		s    *ping.Statistics
		want [][]string
	}{
		{"nothing", &ping.Statistics{}, [][]string{always}},
		{"PingN, lost", pinged(t, -1), [][]string{always, beside, whole}},
		{"PingN of one", pinged(t, ms), [][]string{always, beside, whole, rtts1, {"median_ns"}}},
		{"PingN of two", pinged(t, ms, ms), [][]string{always, beside, whole, rtts1, {"median_ns", "jitter_ns"}}},
		{"Add, lost", added(ping.ErrTimeout), [][]string{always}},
		{"Add of one", added(nil), [][]string{always, rtts1}},
		{"Add of two", added(nil, nil), [][]string{always, rtts1, {"jitter_ns"}}},
		{"Add of anomalies", added(nil, ping.ErrLate, ping.ErrStray), [][]string{always, rtts1, {"late", "stray"}}},
	} {
		data, err := json.Marshal(c.s)
		var fields map[string]any
		if err != nil || json.Unmarshal(data, &fields) != nil {
			t.Fatalf("%s: %s, %v", c.name, data, err)
		}
		got, want := slices.Sorted(maps.Keys(fields)), slices.Sorted(slices.Values(slices.Concat(c.want...)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: JSON has %v, want %v", c.name, got, want)
		}
		if fields["loss"] != c.s.Loss() {
			t.Errorf("%s: loss %v, want %v", c.name, fields["loss"], c.s.Loss())
		}
		c.s.Replies = nil // there is no way back for them
		var back ping.Statistics
		if data, err = json.Marshal(c.s); err != nil || json.Unmarshal(data, &back) != nil ||
			back.String() != c.s.String() || back.Late != c.s.Late || back.Jitter != c.s.Jitter || back.Median != c.s.Median {
			t.Errorf("%s: %s reads back as %+v, %v", c.name, data, back, err)
		}
	}
}

// added are Statistics of probes that ended so.
func added(errs ...error) *ping.Statistics {
	s := new(ping.Statistics)
	for i, err := range errs {
		s.Add(ping.Reply{Seq: i, RTT: ms, Err: err})
	}
	return s
}
