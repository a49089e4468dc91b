package ping

import (
	"fmt"
	"testing"
	"time"
)

// FuzzOptions: an option is refused with an error that names it, or its value holds.
func FuzzOptions(f *testing.F) {
	f.Add(56, int64(time.Second), "ip4")
	f.Add(-1, int64(0), "")
	f.Add(1<<31-1, int64(-1), "udp")
	f.Fuzz(func(t *testing.T, n int, d int64, s string) {
		for _, o := range []ProbeOption{
			WithSize(n), WithTTL(n), WithTrafficClass(n), WithCount(n),
			WithTimeout(time.Duration(d)), WithInterval(time.Duration(d)), WithNetwork(s), WithMaxHops(n), WithFlow(n),
		} {
			c := defaults().probe
			if got, err := c.with([]ProbeOption{o}); err == nil {
				if v := *got; v.size < 0 || v.size > maxPayload6 || v.ttl < 0 || v.ttl > 255 || v.trafficClass < 0 ||
					v.trafficClass > 255 || v.count < 0 || v.timeout <= 0 || v.interval < 0 || v.network == "" || v.maxHops < 1 || v.maxHops > 255 {
					t.Errorf("%d %d %q gave %+v", n, d, s, v)
				}
			} else if got != nil || len(err.Error()) < len("ping: WithTTL(0): want") {
				t.Errorf("%d %d %q: %v, %v", n, d, s, got, err)
			}
		}
		for _, o := range []Option{WithMark(n), WithSocket(SocketKind(n)), WithInterface(s)} {
			if c, err := newConfig([]Option{o}); (c == nil) != (err != nil) {
				t.Errorf("%d %q: %v, %v", n, s, c, err)
			}
		}
		_ = fmt.Sprint(SocketKind(n), Clock(n))
	})
}
