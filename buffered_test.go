package ping_test

import (
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A bufferedFake keeps so many messages for Receive as it says, and has dropped as many as it says.
type bufferedFake struct {
	*fake
	capacity int
	asked    atomic.Int64
	drops    atomic.Uint64
}

func (b *bufferedFake) Capacity() int {
	b.asked.Add(1)
	return b.capacity
}

func (b *bufferedFake) Drops() uint64 { return b.drops.Load() }

func newBuffered(
	t *testing.T, capacity int, answer func(n int, m ping.Message) []delayed,
) (*bufferedFake, *ping.Pinger) {
	b := &bufferedFake{fake: newFake(answer), capacity: capacity}
	p, err := ping.New(ping.WithTransport(b), ping.WithTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return b, p
}

// No more is in flight than some half of what the transport keeps, whatever the size of the payload, but one always
// is.
func TestBufferedInFlight(t *testing.T) {
	const addrs = 500
	for _, c := range []struct{ capacity, most int }{
		{math.MinInt, 1}, {-1, 1}, {0, 1}, {1, 1}, {2, 1}, {3, 2}, {16, 9}, {100, 57}, {10_000, addrs},
		{math.MaxInt/64 + 2, addrs}, {math.MaxInt, addrs},
	} {
		for _, size := range []int{0, 56, 1400, 65_000} {
			synctest.Test(t, func(t *testing.T) {
				var most, now atomic.Int64
				b, p := newBuffered(t, c.capacity, func(_ int, m ping.Message) []delayed {
					most.Store(max(most.Load(), now.Add(1)))
					time.AfterFunc(3*ms-1, func() { now.Add(-1) })
					return []delayed{{3 * ms, echoed(m)}}
				})
				n := 0
				for addr, r := range p.Sweep(t.Context(), func(yield func(netip.Addr) bool) {
					for i := range addrs {
						if !yield(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})) {
							return
						}
					}
				}, ping.WithSize(size)) {
					if n++; r.Err != nil {
						t.Fatalf("capacity %d, %v: %+v", c.capacity, addr, r)
					}
				}
				if n != addrs || most.Load() > int64(c.most) || size <= 56 && most.Load() < int64(c.most*3/4) {
					t.Errorf("capacity %d, size %d: %d in flight at a time, want %d at most; %d replies",
						c.capacity, size, most.Load(), c.most, n)
				}
				if b.asked.Load() != 1 {
					t.Errorf("Capacity was asked for %d times", b.asked.Load())
				}
			})
		}
	}
}

// Of probes that are not answered, as many as messages were dropped meanwhile may have been: no loss of the network's.
func TestBufferedDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bufferedFake
		b, p := newBuffered(t, 100, func(n int, m ping.Message) []delayed {
			switch {
			case n%4 == 1: // dropped by the transport
				b.drops.Add(1)
				return nil
			case n%4 == 2: // by the network
				return nil
			}
			return []delayed{{ms, echoed(m)}}
		})
		s, err := p.PingN(t.Context(), target, 40, ping.WithTimeout(500*ms))
		if err != nil || s.Received != 20 || s.Lost != 20 || s.LocalDrops != 10 || s.Loss() != 10.0/30 {
			t.Errorf("%+v, %v", s, err)
		}
		for _, r := range s.Replies {
			if (r.Seq%4 == 1) != (r.Err == ping.ErrLocalDrop) || (r.Seq%4 == 2) != (r.Err == ping.ErrTimeout) {
				t.Errorf("%+v", r)
			}
		}
		if c := p.Counters(); c.LocalDrops != 10 || c.Lost != 20 {
			t.Errorf("%+v", c)
		}
	})
}

// Where messages are dropped all the same, less is in flight from then on, and never more than half of what the
// transport keeps.
func TestBufferedNarrows(t *testing.T) {
	for _, capacity := range []int{2, 4, 40} {
		synctest.Test(t, func(t *testing.T) {
			var most, now atomic.Int64
			var b *bufferedFake
			b, p := newBuffered(t, capacity, func(n int, m ping.Message) []delayed {
				if n%10 == 9 {
					b.drops.Add(1)
					return nil
				}
				most.Store(max(most.Load(), now.Add(1)))
				time.AfterFunc(3*ms-1, func() { now.Add(-1) })
				return []delayed{{3 * ms, echoed(m)}}
			})
			received := 0
			for _, r := range p.Sweep(t.Context(), func(yield func(netip.Addr) bool) {
				for i := range 500 {
					if !yield(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})) {
						return
					}
				}
			}, ping.WithTimeout(100*ms)) {
				switch r.Err {
				case nil:
					received++
				case ping.ErrLocalDrop, ping.ErrTimeout:
				default:
					t.Errorf("%+v", r)
				}
			}
			if received != 450 || most.Load() > int64(capacity/2) {
				t.Errorf("capacity %d: %d in flight at a time; %d replies", capacity, most.Load(), received)
			}
		})
	}
}
