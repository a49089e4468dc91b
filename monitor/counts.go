package monitor

import (
	"math"
	"math/bits"
	"time"
)

// Counts are of the probes on a target's schedule, since it was added. They only grow. The names are those of
// ping.Statistics: Sent = Received + Lost, and Lost includes Errors, Late and LocalDrops.
type Counts struct {
	Since time.Time `json:"since"` // when the target was added

	Sent     uint64        `json:"sent"`       // that left, and are settled
	Received uint64        `json:"received"`   // answered in time
	RTTSum   time.Duration `json:"rtt_sum_ns"` // of the Received

	SendErrors uint64 `json:"send_errors"` // that could not be sent
	Lost       uint64 `json:"lost"`        // the rest of Sent
	Errors     uint64 `json:"icmp_errors"` // that an ICMP error ended
	Late       uint64 `json:"late"`        // answered after the timeout
	LocalDrops uint64 `json:"local_drops"` // while which this host dropped messages
	Duplicates uint64 `json:"duplicates"`  // answers beyond the first
	Corrupted  uint64 `json:"corrupted"`
	Stray      uint64 `json:"stray"`

	Downs   uint64 `json:"downs"`   // how often it came down
	Ignored uint64 `json:"ignored"` // how often it was found to answer another identifier alone

	// RTTs[i] is how many of the Received had an RTT of RTTBound(i) at most, and more than RTTBound(i-1).
	RTTs [RTTBuckets]uint64 `json:"rtts"`
}

// RTTBuckets is how many buckets the histogram of the RTTs of Counts has.
const RTTBuckets = 36

// firstBound is the exponent of the first bucket's bound: 2^-15 s, 31 us.
const firstBound = -15

// bounds are those of the buckets but for the last, in ns.
var bounds = func() (b [RTTBuckets - 1]time.Duration) {
	for i := range b {
		b[i] = time.Duration(math.Floor(1e9 * math.Exp2(firstBound+float64(i)/2)))
	}
	return b
}()

// RTTBound returns the upper bound of bucket i of the histogram of Counts, which belongs to it, in seconds:
// 2^(i/2-15). That is from 31 us to 4 s, each 1.41 times the one before; the last is +Inf. They are bounds of a
// Prometheus native histogram of schema 1 too, and every other one is a power of two.
func RTTBound(i int) float64 {
	if i >= RTTBuckets-1 {
		return math.Inf(1)
	}
	return math.Exp2(firstBound + float64(i)/2)
}

// bucket returns the bucket of an RTT.
func bucket(rtt time.Duration) int {
	i := 2 * (bits.Len64(uint64(max(rtt, 0))) - bits.Len64(uint64(bounds[0])) - 1) // up to 3 below it
	i = min(max(i, 0), RTTBuckets-1)
	for i < len(bounds) && rtt > bounds[i] {
		i++
	}
	return i
}

// add counts what became of a probe.
func (c *Counts) add(code code) {
	switch code {
	case codeNone:
		return
	case codeNotSent:
		c.SendErrors++
		return
	}
	c.Sent++
	if !code.answered() {
		c.Lost++
	}
	switch code {
	case codeRefused:
		c.Errors++
	case codeDropped:
		c.LocalDrops++
	}
}

// addRTT counts an answer.
func (c *Counts) addRTT(rtt time.Duration) {
	c.Received++
	c.RTTSum += rtt
	c.RTTs[bucket(rtt)]++
}
