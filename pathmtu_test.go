package ping_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// packetSize is the size of the IP packet that a message goes in.
func packetSize(m ping.Message) int {
	if m.Addr.Is6() {
		return 40 + len(m.Data)
	}
	return 20 + len(m.Data)
}

// tooBig is a router's answer to a packet that is too big.
func tooBig(m ping.Message, mtu int) ping.Message {
	r := refusal(m, "192.0.2.254", unreachable4, 4)
	if m.Addr.Is6() {
		r = refusal(m, "2001:db8::fe", packetTooBig6, 0)
	}
	r.Err.MTU = mtu
	return r
}

// A fakePath is a network of an MTU, of which named, unless it is nil, is told for the reason; and what arrives is
// answered by echo, or at once.
type fakePath struct {
	mtu, local int // local: of this host's own link, if it is not 0
	named      func(size int) int
	echo       func(m ping.Message) []delayed

	wire *fake // once it is open

	mu    sync.Mutex
	sizes []int // that left
}

func (f *fakePath) open(t *testing.T, opts ...ping.Option) *ping.Pinger {
	f.wire = newFake(func(_ int, m ping.Message) []delayed {
		size := packetSize(m)
		f.mu.Lock()
		f.sizes = append(f.sizes, size)
		f.mu.Unlock()
		switch {
		case !m.DontFragment:
			t.Errorf("a packet of %d bytes may be fragmented", size)
			return nil
		case size <= f.mtu && f.echo == nil:
			return []delayed{{10 * ms, echoed(m)}}
		case size <= f.mtu:
			return f.echo(m)
		case f.named == nil:
			return nil
		}
		return []delayed{{5 * ms, tooBig(m, f.named(size))}}
	})
	f.wire.refuse = func(_ int, m ping.Message) error {
		if f.local != 0 && packetSize(m) > f.local {
			return os.NewSyscallError("sendmmsg", ping.ErrTooBig)
		}
		return nil
	}
	return newFakePinger(t, f.wire, opts...)
}

// count is how many packets of a size have left.
func (f *fakePath) count(size int) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sizes {
		if s == size {
			n++
		}
	}
	return n
}

func bothFamilies(t *testing.T, test func(t *testing.T, host string)) {
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		t.Run(host, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, host) })
		})
	}
}

// The MTU is found exactly, in the time that the documentation tells of.
func TestPathMTU(t *testing.T) {
	honest := func(mtu int) func(int) int { return func(int) int { return mtu } }
	for _, c := range []struct {
		name       string
		mtu, local int
		named      func(size int) int
		rounds     int           // silent ones
		trips      time.Duration // 10 ms each
	}{
		{"the local link", 1500, 1500, nil, 0, 3},
		{"a local link of an odd size", 1433, 1433, nil, 0, 5},
		{"a router's message", 1400, 1500, honest(1400), 0, 4},
		{"a router's message about an odd size", 1433, 1500, honest(1433), 0, 5},
		{"jumbo frames", 9000, 9000, nil, 0, 3},
		{"larger frames", 16100, 16100, nil, 0, 9},
		{"all that can be", 65536, 65536, nil, 0, 8},
		{"a black hole at 1280", 1280, 1500, nil, 2, 4},
		{"a black hole at 1400", 1400, 1500, nil, 2, 4},
		{"a black hole at 1500", 1500, 9000, nil, 2, 4},
		{"a black hole at 1433", 1433, 1500, nil, 3, 5},
		{"a black hole somewhere", 4711, 9000, nil, 6, 9},
		{"a black hole beyond jumbo frames", 33333, 65536, nil, 7, 10},
		{"a router that names no MTU", 1433, 1500, honest(0), 0, 6},
		{"a router that names far too little", 1433, 1500, honest(10), 0, 6},
		{"a router that names what is too big", 1433, 1500, honest(1500), 0, 6},
		{"a router that names the least", 1433, 1500, honest(1280), 0, 6},
		{"a router that always names one less", 1433, 1500, func(size int) int { return size - 1 }, 0, 15},
		{"a negative MTU", 1433, 1500, honest(-1), 0, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				f := &fakePath{mtu: c.mtu, local: c.local, named: c.named}
				p := f.open(t)
				start := time.Now()
				got, err := p.PathMTU(t.Context(), host)
				want := c.mtu
				if host == "192.0.2.1" {
					want = min(want, 65535)
				}
				if got != want || err != nil {
					t.Errorf("got %d, %v, want %d", got, err, want)
				}
				if took, most := time.Since(start), time.Duration(c.rounds)*2*time.Second+c.trips*10*ms; took > most {
					t.Errorf("took %v, want %v at most", took, most)
				}
			})
		})
	}
}

// The least that a family's links carry is found too, and that not even that passes is an error.
func TestPathMTULeast(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		least := 68 // RFC 791
		if host != "192.0.2.1" {
			least = 1280 // RFC 8200
		}
		f := &fakePath{mtu: least}
		if got, err := f.open(t).PathMTU(t.Context(), host); got != least || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, least)
		}
		f = &fakePath{mtu: least - 1, named: func(int) int { return least - 1 }}
		got, err := f.open(t).PathMTU(t.Context(), host)
		var e *ping.ICMPError
		if got != 0 || !errors.As(err, &e) || e.MTU != least-1 {
			t.Errorf("got %d, %v", got, err)
		}
		if n := len(f.sizes); n != 1 {
			t.Errorf("%d packets, want 1", n)
		}
	})
}

// A target that does not answer costs a few small packets, and one that is refused a single one.
func TestPathMTUNoAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		opts  []ping.ProbeOption
		sent  int
		took  time.Duration
		named bool // else silence
	}{
		{"silence", nil, 5, 1800 * ms, false},
		{
			"silence, two tries", []ping.ProbeOption{ping.WithCount(2), ping.WithTimeout(4 * time.Second)},
			2, 6 * time.Second, false,
		},
		{"silence, one try", []ping.ProbeOption{ping.WithCount(1)}, 1, time.Second, false},
		{"refused", nil, 1, 5 * ms, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				f := newFake(func(_ int, m ping.Message) []delayed {
					if !c.named {
						return nil
					}
					return []delayed{{5 * ms, refusal(m, "192.0.2.254", unreachable4, 1)}}
				})
				start := time.Now()
				got, err := newFakePinger(t, f).PathMTU(t.Context(), host, c.opts...)
				var e *ping.ICMPError
				if got != 0 || errors.As(err, &e) != c.named || errors.Is(err, ping.ErrTimeout) == c.named {
					t.Errorf("got %d, %v", got, err)
				}
				if took := time.Since(start); took != c.took || len(f.sent) != c.sent {
					t.Errorf("%d packets in %v, want %d in %v", len(f.sent), took, c.sent, c.took)
				}
			})
		})
	}
}

// With a fifth of all packets lost the MTU is found all the same. The losses are the same in each run of the test.
func TestPathMTULoss(t *testing.T) {
	lost := 0
	for _, mtu := range []int{1280, 1281, 1400, 1433, 1492, 1500, 4321, 9000} {
		for seed := range uint64(25) {
			synctest.Test(t, func(t *testing.T) {
				tries := map[int]uint64{}
				f := &fakePath{mtu: mtu, local: 9000}
				f.echo = func(m ping.Message) []delayed {
					size := packetSize(m)
					tries[size]++
					if rand.New(rand.NewPCG(seed, uint64(size)<<8|tries[size])).IntN(5) == 0 {
						lost++
						return nil
					}
					return []delayed{{10 * ms, echoed(m)}}
				}
				host := []string{"192.0.2.1", "2001:db8::1"}[seed%2]
				if got, err := f.open(t).PathMTU(t.Context(), host); got != mtu || err != nil {
					t.Errorf("seed %d: got %d, %v, want %d", seed, got, err, mtu)
				}
			})
		}
	}
	if lost < 200 {
		t.Errorf("only %d lost", lost)
	}
}

// What counts as passed is the target's answer to a packet of that size, in time, and nothing else.
func TestPathMTUAnswers(t *testing.T) {
	change := func(m ping.Message, f func(m *ping.Message)) ping.Message {
		m = echoed(m)
		f(&m)
		return m
	}
	large := func(f func(m ping.Message) []delayed) func(m ping.Message) []delayed {
		return func(m ping.Message) []delayed {
			if packetSize(m) <= 1400 {
				return []delayed{{10 * ms, echoed(m)}}
			}
			return f(m)
		}
	}
	for _, c := range []struct {
		name string
		echo func(m ping.Message) []delayed
		want int
	}{
		{"late", large(func(m ping.Message) []delayed { return []delayed{{1100 * ms, echoed(m)}} }), 1400},
		{"just in time", large(func(m ping.Message) []delayed { return []delayed{{999 * ms, echoed(m)}} }), 1500},
		{"cut short", large(func(m ping.Message) []delayed {
			return []delayed{{ms, change(m, func(m *ping.Message) { m.Data = m.Data[:8+68] })}}
		}), 1500},
		{"cut within the cookie", large(func(m ping.Message) []delayed {
			return []delayed{{ms, change(m, func(m *ping.Message) { m.Data = m.Data[:8+7] })}}
		}), 1400},
		{"from elsewhere", large(func(m ping.Message) []delayed {
			return []delayed{{ms, change(m, func(m *ping.Message) { m.Addr = m.Addr.Next() })}}
		}), 1400},
		{"without the cookie", large(func(m ping.Message) []delayed {
			return []delayed{{ms, change(m, func(m *ping.Message) { m.Data[10]++ })}}
		}), 1400},
		{"a firewall's refusal", large(func(m ping.Message) []delayed {
			return []delayed{{ms, refusal(m, "192.0.2.254", unreachable4, 13)}}
		}), 1400},
		{"three times", func(m ping.Message) []delayed {
			return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}, {3 * ms, echoed(m)}}
		}, 1500},
		{"an answer, then too big", func(m ping.Message) []delayed {
			return []delayed{{ms, echoed(m)}, {2 * ms, tooBig(m, 1300)}}
		}, 1500},
		// A router of several paths, or a forger: what was answered counts.
		{"smaller ones too big", func(m ping.Message) []delayed {
			if size := packetSize(m); size > 600 && size < 1490 {
				return []delayed{{ms, tooBig(m, 600)}}
			}
			return []delayed{{10 * ms, echoed(m)}}
		}, 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakePath{mtu: 1500, local: 1500, echo: c.echo}
				p := f.open(t)
				if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != c.want || err != nil {
					t.Errorf("got %d, %v, want %d", got, err, c.want)
				}
				if n := p.Counters().InFlight; n != 0 {
					t.Errorf("%d probes still in flight", n)
				}
			})
		})
	}
}

// Each size is tried as often as WithCount says, within one timeout, and no more once it is known, except as the
// control beside those that are not answered: in 2 of the 3 waves of the first round, and in all of the second.
func TestPathMTUTries(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		f := &fakePath{mtu: 1400, local: 1500}
		if got, err := f.open(t).PathMTU(t.Context(), host, ping.WithCount(3)); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		for size, want := range map[int]int{1500: 3, 1420: 3, 1401: 3, 1400: 6, 1501: 0} {
			if n := f.count(size); n != want {
				t.Errorf("%d packets of %d bytes, want %d", n, size, want)
			}
		}
	})
}

// An answer to a later try makes up for an earlier one's loss, even if only the last gets through.
func TestPathMTULastTry(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		tries := map[int]int{}
		f := &fakePath{mtu: 1400, local: 1500, echo: func(m ping.Message) []delayed {
			size := packetSize(m)
			if tries[size]++; tries[size] < 5 {
				return nil
			}
			return []delayed{{10 * ms, echoed(m)}}
		}}
		if got, err := f.open(t).PathMTU(t.Context(), host); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}
