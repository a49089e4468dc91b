package ping

import (
	"math"
	"testing"
	"time"
)

// However short the interval, spreading leaves half of it between the first probe and the second.
func TestSpreadGap(t *testing.T) {
	for _, interval := range []time.Duration{
		1, 999, ms, 1500 * time.Microsecond, 2 * ms, 10 * ms, time.Second, maxInterval,
	} {
		least, most := time.Duration(math.MaxInt64), time.Duration(0)
		for call := range uint32(5000) {
			s := schedule{interval: int64(interval), next: 123456789 + 7919*int64(call)}
			begin := s.next
			s.spread(call)
			s.sent(begin)
			least, most = min(least, time.Duration(s.next-begin)), max(most, time.Duration(s.next-begin))
		}
		if slack := interval / 10; least < interval/2-slack || most > interval+interval/2+slack {
			t.Errorf("interval %v: %v to %v", interval, least, most)
		}
	}
}
