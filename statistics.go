package ping

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/icmpsock/ping/internal/flight"
)

// Statistics sums up the probes of one call to one target. The RTT figures are over the echo replies that came
// in time, the first to each probe.
//
// The zero value is empty and ready for [Statistics.Add]. It is not safe for concurrent use.
type Statistics struct {
	// Target is whom the probes were for: as PingN found it, or that of the first Reply to Add.
	Target netip.Addr `json:"target,omitzero"`
	// Replies has one entry per settled probe, in order of Seq, the lost ones with their Err. PingN fills it;
	// Add does not.
	Replies []Reply `json:"replies,omitempty"`

	// Sent counts the probes that left: Sent = Received + Lost + Pending, always. SendErrors counts
	// those that never left this host.
	Sent       int `json:"sent"`
	SendErrors int `json:"send_errors"`
	// Received counts the probes answered by an echo reply within the timeout (RFC 2681), or with an InterfaceError.
	Received int `json:"received"`
	// Lost counts the rest (RFC 7680, the timeout being its Tmax). It includes those that an ICMP error ended
	// (Errors) and those answered too late, or after an ICMP error (Late).
	Lost   int `json:"lost"`
	Errors int `json:"icmp_errors"`
	Late   int `json:"late"`
	// Pending counts the probes that were in flight when the call ended, by ctx or Close: nobody knows what became of
	// them.
	Pending int `json:"pending"`
	// Duplicates counts replies to a probe beyond its first (RFC 5560).
	Duplicates int `json:"duplicates"`
	// Reordered counts replies that came after the reply to a later probe (RFC 4737, type P-Reordered).
	Reordered int `json:"reordered"`
	// Corrupted counts replies whose payload, length or code is not what was asked for, and which are not just
	// Truncated. Without another reply, the probe is lost.
	Corrupted int `json:"corrupted"`
	// Stray counts messages with the sequence number of a probe of this call that do not answer it: without its
	// cookie, or from another address where that makes them no answer (see Reply.From).
	Stray int `json:"stray"`
	// LocalDrops counts those of Lost that this host's socket may have dropped the answer to, for want of
	// room (ErrLocalDrop). Loss leaves them out.
	LocalDrops int `json:"local_drops"`

	Min  time.Duration `json:"min_ns"`
	Max  time.Duration `json:"max_ns"`
	Mean time.Duration `json:"mean_ns"` // arithmetic
	// Median is Percentile(0.5) of Replies.
	Median time.Duration `json:"median_ns"`
	// StdDev is the population standard deviation, what ping(8) calls mdev.
	StdDev time.Duration `json:"stddev_ns"`
	// Jitter is the smoothed difference between successive RTTs, in the order of arrival: the interarrival
	// jitter of RFC 3550 section 6.4.1 (gain 1/16), with the RTT for the transit time. A lost probe is passed over.
	Jitter time.Duration `json:"jitter_ns"`

	mean, m2 float64 // Welford's running mean and sum of squared deviations, ns
	jitter   float64
	last     time.Duration // the RTT before
	latest   Reply         // that to the probe that left last of those answered
	complete bool          // PingN has finished it: there is nothing that it does not know
}

// Add counts one settled probe, such as a Stream yields, in constant memory: the replies are not kept, so that Median
// stays 0 and Percentile looks at Replies only. What comes beside the probes' outcomes, of those who ask for it by
// [WithAnomalies], counts as Late, Duplicates, Corrupted and Stray, which otherwise stay 0; Counters has them for the
// whole Pinger. The error of a Stream or a Ping that ctx or Close ended, as the Err of a Reply, Add(Reply{Err: err}),
// counts as Pending what was in flight then. The probes may be those of several calls, if they have one target and come
// as they were settled; else Reordered and Jitter mean nothing. The first Reply with a Target sets that of the
// Statistics, where it is not set.
func (s *Statistics) Add(r Reply) {
	if !s.Target.IsValid() {
		s.Target = r.Target
	}
	if ended, ok := r.Err.(*probeError); ok {
		s.Sent += ended.pending
		s.Pending += ended.pending
	}
	switch ErrorKind(r.Err) {
	case "", "interface":
		s.Sent++
		s.Received++
		s.addRTT(r)
	case "late":
		s.Late++
	case "duplicate":
		s.Duplicates++
	case "corrupted":
		s.Corrupted++
	case "stray":
		s.Stray++
	case "icmp":
		s.Sent++
		s.Lost++
		s.Errors++
	case "timeout":
		s.Sent++
		s.Lost++
	case "local_drop":
		s.Sent++
		s.Lost++
		s.LocalDrops++
	case "canceled", "closed":
	default: // it has not left
		s.SendErrors++
	}
}

func (s *Statistics) addRTT(r Reply) {
	// Seq begins anew with each call.
	later := cmp.Or(r.Sent.Compare(s.latest.Sent), cmp.Compare(r.Seq, s.latest.Seq)) >= 0
	if later {
		s.latest = r
	} else if !r.Received.Before(s.latest.Received) {
		s.Reordered++
	}
	n := float64(s.Received)
	if s.Received == 1 {
		s.Min, s.Max = r.RTT, r.RTT
	} else {
		s.Min, s.Max = min(s.Min, r.RTT), max(s.Max, r.RTT)
		s.jitter += (math.Abs(float64(r.RTT-s.last)) - s.jitter) / 16
	}
	s.last = r.RTT
	delta := float64(r.RTT) - s.mean
	s.mean += delta / n
	s.m2 += delta * (float64(r.RTT) - s.mean)
	s.Mean = time.Duration(math.Round(s.mean))
	s.StdDev = time.Duration(math.Round(math.Sqrt(s.m2 / n)))
	s.Jitter = time.Duration(math.Round(s.jitter))
}

// finish adds what only the end of the call shows.
func (s *Statistics) finish(pending int, o flight.Oddities) {
	slices.SortFunc(s.Replies, func(a, b Reply) int { return cmp.Compare(a.Seq, b.Seq) })
	s.Median = s.Percentile(0.5)
	s.Sent += pending
	s.Pending = pending
	s.Duplicates, s.Late, s.Corrupted, s.Stray = o.Duplicates, o.Late, o.Corrupted, o.Stray
	s.complete = true
}

// Loss is the share of the probes that were made and not answered, from 0 to 1. What could not be sent (SendErrors)
// counts as not answered: a cable that is out is a loss of 1. What this host dropped itself (LocalDrops) is left out,
// since nobody knows whether the network had lost it; but where there is nothing else, the loss is 1, for no answer
// came. What was in flight at the end (Pending) is left out too. It is 0 where nothing was made.
func (s *Statistics) Loss() float64 {
	made := s.Sent - s.Pending + s.SendErrors - s.LocalDrops
	switch {
	case made > 0:
		return float64(s.Lost+s.SendErrors-s.LocalDrops) / float64(made)
	case s.LocalDrops > 0:
		return 1
	}
	return 0
}

// Percentile returns the RTT that the share q of the echo replies in Replies did not exceed, by the nearest
// rank: with n of them in order of RTT the ⌈q·n⌉th, 0 giving the least and 1 the greatest. q beyond 0..1 is
// taken as the nearer of them. It is 0 without a reply.
func (s *Statistics) Percentile(q float64) time.Duration {
	rtts := make([]time.Duration, 0, len(s.Replies))
	for i := range s.Replies {
		if s.Replies[i].Err == nil {
			rtts = append(rtts, s.Replies[i].RTT)
		}
	}
	if len(rtts) == 0 || math.IsNaN(q) {
		return 0
	}
	slices.Sort(rtts)
	n := float64(len(rtts))
	// q·n is not always exact: 0.07*100 is a little above 7.
	rank := math.Ceil(q*n - 1e-9*n)
	return rtts[int(min(max(rank, 1), n))-1]
}

// String returns the two lines that ping(8) users know: the counts, and the RTTs if there are any.
func (s Statistics) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d packets transmitted, %d received", s.Sent, s.Received)
	for _, c := range s.mishaps() {
		if c.n > 0 {
			fmt.Fprintf(&b, ", +%d %s", c.n, c.what)
		}
	}
	loss := 100 * s.Loss()
	if s.Received > 0 {
		loss = min(loss, 99.99) // four digits make no 100 of a series that was answered
	}
	fmt.Fprintf(&b, ", %.4g%% packet loss", loss)
	if s.Received > 0 {
		fmt.Fprintf(&b, "\nrtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms",
			milliseconds(s.Min), milliseconds(s.Mean), milliseconds(s.Max), milliseconds(s.StdDev))
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// MarshalJSON returns an object with the fields, and loss, which is what [Statistics.Loss] returns. It leaves out what
// was not measured: the RTT figures where there was no reply, and jitter_ns where there was but one; and of Statistics
// by Add, which cannot know of them, median_ns, and those of late, duplicates, corrupted and stray that are 0. It reads
// back by json.Unmarshal, unless there are Replies.
func (s Statistics) MarshalJSON() ([]byte, error) {
	type fields Statistics
	v := struct {
		fields
		Loss       float64        `json:"loss"`
		Late       *int           `json:"late,omitempty"`
		Duplicates *int           `json:"duplicates,omitempty"`
		Corrupted  *int           `json:"corrupted,omitempty"`
		Stray      *int           `json:"stray,omitempty"`
		Min        *time.Duration `json:"min_ns,omitempty"`
		Max        *time.Duration `json:"max_ns,omitempty"`
		Mean       *time.Duration `json:"mean_ns,omitempty"`
		Median     *time.Duration `json:"median_ns,omitempty"`
		StdDev     *time.Duration `json:"stddev_ns,omitempty"`
		Jitter     *time.Duration `json:"jitter_ns,omitempty"`
	}{fields: fields(s), Loss: s.Loss()}
	known := func(n *int) *int {
		if s.complete || *n > 0 {
			return n
		}
		return nil
	}
	v.Late, v.Duplicates = known(&s.Late), known(&s.Duplicates)
	v.Corrupted, v.Stray = known(&s.Corrupted), known(&s.Stray)
	if s.Received > 0 {
		v.Min, v.Max, v.Mean, v.StdDev = &s.Min, &s.Max, &s.Mean, &s.StdDev
		if s.complete || s.Median > 0 {
			v.Median = &s.Median
		}
	}
	if s.Received > 1 {
		v.Jitter = &s.Jitter
	}
	return json.Marshal(v)
}

// LogValue groups what a log line has room for. Errors and the like are there if there were any, and RTTs if there was
// a reply.
func (s Statistics) LogValue() slog.Value {
	var attrs []slog.Attr
	if s.Target.IsValid() {
		attrs = append(attrs, slog.String("target", s.Target.String()))
	}
	attrs = append(attrs,
		slog.Int("sent", s.Sent),
		slog.Int("received", s.Received),
		slog.Float64("loss", s.Loss()))
	for _, c := range s.mishaps() {
		if c.n > 0 {
			attrs = append(attrs, slog.Int(c.key, c.n))
		}
	}
	if s.Received > 0 {
		attrs = append(attrs,
			slog.Duration("min", s.Min),
			slog.Duration("mean", s.Mean),
			slog.Duration("max", s.Max),
			slog.Duration("stddev", s.StdDev),
			slog.Duration("jitter", s.Jitter))
	}
	return slog.GroupValue(attrs...)
}

// A mishap is something that few series have any of.
type mishap struct {
	n         int
	what, key string
}

func (s *Statistics) mishaps() []mishap {
	return []mishap{
		{s.Duplicates, "duplicates", "duplicates"},
		{s.Corrupted, "corrupted", "corrupted"},
		{s.Errors, "errors", "icmp_errors"},
		{s.Late, "late", "late"},
		{s.Stray, "stray", "stray"},
		{s.SendErrors, "not sent", "send_errors"},
		{s.Pending, "pending", "pending"},
		{s.LocalDrops, "dropped locally", "local_drops"},
	}
}
