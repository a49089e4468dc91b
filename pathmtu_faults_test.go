package ping_test

import (
	"errors"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// limitedPath opens a Pinger on a link of 1,500 bytes to a host of that MTU.
func limitedPath(t *testing.T, host string, l *limited) (*ping.Pinger, *pingtest.Host) {
	n := pingtest.NewNetwork()
	l.Transport, l.local = n.Transport(), 1500
	h := n.Host(host, pingtest.RTT(10*ms))
	return mustNew(t, ping.WithTransport(l)), h
}

// A limit on how many echo requests the target answers is no MTU.
func TestPathMTURateLimit(t *testing.T) {
	for _, burst := range []int{1, 2, 5} {
		for _, every := range []time.Duration{time.Second, 2 * time.Second, 100 * ms} {
			bothFamilies(t, func(t *testing.T, host string) {
				l := &limited{every: every, burst: burst, to: func(int) bool { return true }}
				p, _ := limitedPath(t, host, l)
				if got, err := p.PathMTU(t.Context(), host); got != 1500 || err != nil {
					t.Errorf("one in %v, burst %d: got %d, %v, want 1500", every, burst, got, err)
				}
			})
		}
	}
}

// Neither is an outage, whenever it comes.
func TestPathMTUOutage(t *testing.T) {
	for _, from := range []time.Duration{5 * ms, 11 * ms, 25 * ms} {
		for _, long := range []time.Duration{900 * ms, 2 * time.Second, 5 * time.Second} {
			bothFamilies(t, func(t *testing.T, host string) {
				p, h := limitedPath(t, host, new(limited))
				h.At(from, pingtest.Down()).At(from+long, pingtest.Up())
				if got, err := p.PathMTU(t.Context(), host); got != 1500 || err != nil {
					t.Errorf("from %v, %v long: got %d, %v, want 1500", from, long, got, err)
				}
			})
		}
	}
}

// Where nothing passes any more, what has passed is a lower bound, and the error says so.
func TestPathMTUBound(t *testing.T) {
	var refused *ping.ICMPError
	for _, c := range []struct {
		name    string
		after   time.Duration
		setting pingtest.Setting
		least   bool // of the family, else 1400
		is      func(error) bool
	}{
		{"silence at once", 5 * ms, pingtest.Down(), true, func(err error) bool { return errors.Is(err, ping.ErrTimeout) }},
		{"silence later", 25 * ms, pingtest.Down(), false, func(err error) bool { return errors.Is(err, ping.ErrTimeout) }},
		{
			"unreachable", 25 * ms, pingtest.Refuse(ping.ICMPError{Type: 3, Code: 1}), false,
			func(err error) bool { return errors.As(err, &refused) && !errors.Is(err, ping.ErrTimeout) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				p, h := limitedPath(t, host, new(limited))
				h.Set(pingtest.BlackHole(1400)).At(c.after, c.setting)
				start := time.Now()
				got, err := p.PathMTU(t.Context(), host)
				want := 1400
				if c.least {
					want = map[string]int{"192.0.2.1": 68, "2001:db8::1": 1280}[host]
				}
				if got != want || !c.is(err) {
					t.Errorf("got %d, %v, want %d", got, err, want)
				}
				if took := time.Since(start); took > 26*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// The router at the beginning of a tunnel learns from the first large packet that it does not fit, and refuses the
// next.
func TestPathMTULearns(t *testing.T) {
	for _, c := range []struct {
		name       string
		lets, says bool // the first pass, the next is told
	}{
		{"the first vanish", false, true},
		{"the first pass", true, true},
		{"the first pass, the next vanish", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				large := 0
				var learned time.Time
				p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
					if packetSize(m) <= 1400 {
						return []delayed{{10 * ms, echoed(m)}}
					}
					if large++; large == 1 {
						learned = time.Now().Add(5 * ms)
					}
					switch {
					case learned.After(time.Now()) && c.lets && packetSize(m) <= 1500:
						return []delayed{{10 * ms, echoed(m)}}
					case learned.After(time.Now()) || !c.says:
						return nil
					}
					return []delayed{{5 * ms, tooBig(m, 1400)}}
				}))
				if got, err := p.PathMTU(t.Context(), host); got != 1400 || err != nil {
					t.Errorf("got %d, %v, want 1400", got, err)
				}
			})
		})
	}
}

// Where no size passes twice, none can be found.
func TestPathMTUChanges(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		most := 0 // that passed
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			switch size := packetSize(m); {
			case size == most:
				most = 0
				return []delayed{{5 * ms, tooBig(m, 0)}}
			case size > 1500:
				return []delayed{{5 * ms, tooBig(m, 0)}}
			case size > 1280:
				most = max(most, size)
			}
			return []delayed{{10 * ms, echoed(m)}}
		}))
		got, err := p.PathMTU(t.Context(), host)
		var refused *ping.ICMPError
		if want := map[string]int{"192.0.2.1": 68, "2001:db8::1": 1280}[host]; got != want || !errors.As(err, &refused) {
			t.Errorf("got %d, %v, want %d and an error", got, err, want)
		}
	})
}
