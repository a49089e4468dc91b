package ping

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// packetSize is the size of the IP packet that a message goes in.
func packetSize(m Message) int {
	if m.Addr.Is6() {
		return headerLen6 + len(m.Data)
	}
	return headerLen4 + len(m.Data)
}

// tooBig is a router's answer to a packet that is too big.
func tooBig(m Message, mtu int) Message {
	r := refusal(m, router4, icmpUnreachable, codeFragmentationNeeded)
	if m.Addr.Is6() {
		r = refusal(m, router6, icmp6PacketTooBig, 0)
	}
	r.Err.MTU = mtu
	return r
}

// A fakePath is a network of an MTU, of which named, unless it is nil, is told for the reason; and what arrives is
// answered by echo, or at once.
type fakePath struct {
	mtu, local int // local: of this host's own link, if it is not 0
	named      func(size int) int
	echo       func(m Message) []delayed

	mu    sync.Mutex
	sizes []int // that left
}

func (f *fakePath) open(t *testing.T, opts ...Option) *Pinger {
	f2 := newFake(func(_ int, m Message) []delayed {
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
	f2.refuse = func(_ int, m Message) error {
		if f.local != 0 && packetSize(m) > f.local {
			return os.NewSyscallError("sendmmsg", syscall.EMSGSIZE)
		}
		return nil
	}
	return newFakePinger(t, f2, opts...)
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
		{"the local link", 1500, 1500, nil, 0, 2},
		{"a local link of an odd size", 1433, 1433, nil, 0, 4},
		{"a router's message", 1400, 1500, honest(1400), 0, 3},
		{"a router's message about an odd size", 1433, 1500, honest(1433), 0, 4},
		{"jumbo frames", 9000, 9000, nil, 0, 2},
		{"larger frames", 16100, 16100, nil, 0, 8},
		{"all that can be", 65536, 65536, nil, 0, 7},
		{"a black hole at 1280", 1280, 1500, nil, 2, 3},
		{"a black hole at 1400", 1400, 1500, nil, 2, 3},
		{"a black hole at 1500", 1500, 9000, nil, 2, 3},
		{"a black hole at 1433", 1433, 1500, nil, 3, 4},
		{"a black hole somewhere", 4711, 9000, nil, 6, 8},
		{"a black hole beyond jumbo frames", 33333, 65536, nil, 7, 9},
		{"a router that names no MTU", 1433, 1500, honest(0), 0, 5},
		{"a router that names far too little", 1433, 1500, honest(10), 0, 5},
		{"a router that names what is too big", 1433, 1500, honest(1500), 0, 5},
		{"a router that names the least", 1433, 1500, honest(1280), 0, 5},
		{"a router that always names one less", 1433, 1500, func(size int) int { return size - 1 }, 0, 14},
		{"a negative MTU", 1433, 1500, honest(-1), 0, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				f := &fakePath{mtu: c.mtu, local: c.local, named: c.named}
				p := f.open(t)
				start := time.Now()
				got, err := p.PathMTU(t.Context(), host)
				want := c.mtu
				if host == "192.0.2.1" {
					want = min(want, maxPacket4)
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
		least := minPacket4
		if host != "192.0.2.1" {
			least = minPacket6
		}
		f := &fakePath{mtu: least}
		if got, err := f.open(t).PathMTU(t.Context(), host); got != least || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, least)
		}
		f = &fakePath{mtu: least - 1, named: func(int) int { return least - 1 }}
		got, err := f.open(t).PathMTU(t.Context(), host)
		var e *ICMPError
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
		opts  []ProbeOption
		sent  int
		took  time.Duration
		named bool // else silence
	}{
		{"silence", nil, 5, 1800 * ms, false},
		{"silence, two tries", []ProbeOption{WithCount(2), WithTimeout(4 * time.Second)}, 2, 6 * time.Second, false},
		{"silence, one try", []ProbeOption{WithCount(1)}, 1, time.Second, false},
		{"refused", nil, 1, 5 * ms, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothFamilies(t, func(t *testing.T, host string) {
				f := newFake(func(_ int, m Message) []delayed {
					if !c.named {
						return nil
					}
					return []delayed{{5 * ms, refusal(m, router4, icmpUnreachable, 1)}}
				})
				start := time.Now()
				got, err := newFakePinger(t, f).PathMTU(t.Context(), host, c.opts...)
				var e *ICMPError
				if got != 0 || errors.As(err, &e) != c.named || errors.Is(err, ErrTimeout) == c.named {
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
				f.echo = func(m Message) []delayed {
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
	change := func(m Message, f func(m *Message)) Message {
		m = echoed(m)
		f(&m)
		return m
	}
	large := func(f func(m Message) []delayed) func(m Message) []delayed {
		return func(m Message) []delayed {
			if packetSize(m) <= 1400 {
				return []delayed{{10 * ms, echoed(m)}}
			}
			return f(m)
		}
	}
	for _, c := range []struct {
		name string
		echo func(m Message) []delayed
		want int
	}{
		{"late", large(func(m Message) []delayed { return []delayed{{1100 * ms, echoed(m)}} }), 1400},
		{"just in time", large(func(m Message) []delayed { return []delayed{{1000 * ms, echoed(m)}} }), 1500},
		{"cut short", large(func(m Message) []delayed {
			return []delayed{{ms, change(m, func(m *Message) { m.Data = m.Data[:1000] })}}
		}), 1400},
		{"from elsewhere", large(func(m Message) []delayed {
			return []delayed{{ms, change(m, func(m *Message) { m.Addr = m.Addr.Next() })}}
		}), 1400},
		{"without the cookie", large(func(m Message) []delayed {
			return []delayed{{ms, change(m, func(m *Message) { m.Data[10]++ })}}
		}), 1400},
		{"a firewall's refusal", large(func(m Message) []delayed {
			return []delayed{{ms, refusal(m, router4, icmpUnreachable, 13)}}
		}), 1400},
		{"three times", func(m Message) []delayed {
			return []delayed{{ms, echoed(m)}, {2 * ms, echoed(m)}, {3 * ms, echoed(m)}}
		}, 1500},
		{"an answer, then too big", func(m Message) []delayed {
			return []delayed{{ms, echoed(m)}, {2 * ms, tooBig(m, 1300)}}
		}, 1500},
		// A router of several paths, or a forger: what was answered counts.
		{"smaller ones too big", func(m Message) []delayed {
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
				if n := p.lines[0].Load().conn.flight.count; n != 0 {
					t.Errorf("%d probes still in flight", n)
				}
			})
		})
	}
}

// Each size is tried as often as WithCount says, within one timeout, and no more once it is known.
func TestPathMTUTries(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		f := &fakePath{mtu: 1400, local: 1500}
		if got, err := f.open(t).PathMTU(t.Context(), host, WithCount(3)); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		for size, want := range map[int]int{1500: 3, 1420: 3, 1401: 3, 1400: 1, 1501: 0} {
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
		f := &fakePath{mtu: 1400, local: 1500, echo: func(m Message) []delayed {
			size := packetSize(m)
			if tries[size]++; tries[size] < mtuTries {
				return nil
			}
			return []delayed{{10 * ms, echoed(m)}}
		}}
		if got, err := f.open(t).PathMTU(t.Context(), host); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// The end of the context or of the Pinger ends the search, with what has passed until then.
func TestPathMTUCutShort(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(cancel context.CancelFunc, p *Pinger)
		want error
	}{
		{"cancelled", func(cancel context.CancelFunc, _ *Pinger) { cancel() }, context.Canceled},
		{"closed", func(_ context.CancelFunc, p *Pinger) { p.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for after, want := range map[time.Duration]int{0: 0, 5 * ms: 0, 100 * ms: 1400, 3 * time.Second: 1407} {
				bothFamilies(t, func(t *testing.T, host string) {
					f := &fakePath{mtu: 1409, local: 1500}
					p := f.open(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if after == 0 {
						c.end(cancel, p)
					} else {
						time.AfterFunc(after, func() { c.end(cancel, p) })
					}
					start := time.Now()
					got, err := p.PathMTU(ctx, host)
					if got != want || !errors.Is(err, c.want) {
						t.Errorf("after %v: got %d, %v, want %d, %v", after, got, err, want, c.want)
					}
					if took := time.Since(start); took != after {
						t.Errorf("ended after %v, want %v", took, after)
					}
				})
			}
		})
	}
}

// WithRate spaces these packets as all others, also where it makes the search wait for each.
func TestPathMTURate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakePath{mtu: 1400, local: 1500}
		p := f.open(t, WithRate(2))
		start := time.Now()
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 1400 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		departures := p.config.transport.(*fake).departures(start)
		for i := range departures[1:] {
			if apart := departures[i+1] - departures[i]; apart < 500*ms {
				t.Errorf("packets %d and %d are %v apart", i, i+1, apart)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		p.PathMTU(ctx, "192.0.2.1")
		if _, err := p.PathMTU(ctx, "192.0.2.1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it waits for its turn: %v", err)
		}
	})
}

// Options that say what an echo request is like hold where they can, and the others change nothing.
func TestPathMTUOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ int, m Message) []delayed {
			if m.TTL != 7 || m.TrafficClass != 8 || !m.DontFragment {
				t.Errorf("sent %+v", m)
			}
			if packetSize(m) > 1400 {
				return []delayed{{ms, tooBig(m, 1400)}}
			}
			return []delayed{{ms, echoed(m)}}
		})
		p := newFakePinger(t, f, WithSize(maxPayload6), WithTTL(7), WithInterval(time.Hour),
			WithResolver(resolverFunc(func(_ context.Context, network, host string) ([]netip.Addr, error) {
				if host != "host.example" {
					return nil, &net.DNSError{Name: host, IsNotFound: true}
				}
				return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
			})))
		for _, host := range []string{"192.0.2.1", "2001:db8::1", "host.example"} {
			got, err := p.PathMTU(t.Context(), host, WithTrafficClass(8), WithDontFragment(false))
			if got != 1400 || err != nil {
				t.Errorf("%s: got %d, %v", host, got, err)
			}
		}
		for _, c := range []struct {
			host string
			opt  ProbeOption
			want string
		}{
			{"", WithTTL(1), "ping : empty host name: want a name or an address"},
			{"192.0.2.1", WithNetwork("ip6"), `ping 192.0.2.1: 192.0.2.1 is not an address for WithNetwork("ip6")`},
			{"192.0.2.1", WithCount(0), "ping 192.0.2.1: WithCount(0): want 1 to 2147483647"},
			{"192.0.2.1", nil, "ping 192.0.2.1: option 0 is nil"},
			{"224.0.0.1", WithTTL(1), "ping 224.0.0.1: 224.0.0.1 is a multicast or broadcast address: want one host's"},
		} {
			if got, err := p.PathMTU(t.Context(), c.host, c.opt); got != 0 || fmt.Sprint(err) != c.want {
				t.Errorf("got %d, %v, want %s", got, err, c.want)
			}
		}
		var e *net.DNSError
		if _, err := p.PathMTU(t.Context(), "nosuch.example"); !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	})
}

// All sizes have the checksum and flow label of one flow: that of WithFlow, or that of a Trace.
func TestPathMTUFlow(t *testing.T) {
	bothFamilies(t, func(t *testing.T, host string) {
		type flow struct {
			checksum uint16
			label    int
		}
		var flows map[flow]int
		p := newFakePinger(t, newFake(func(_ int, m Message) []delayed {
			sum := bytes.Clone(m.Data) // the fake leaves identifier and checksum alone
			clear(sum[2:6])
			if m.Addr.Is6() {
				sum = binary.BigEndian.AppendUint16(append(sum, make([]byte, len(sum)%2)...), uint16(len(m.Data)))
			}
			flows[flow{checksum(sum), m.FlowLabel}]++
			if packetSize(m) > 1433 {
				return []delayed{{ms, tooBig(m, 0)}}
			}
			return []delayed{{ms, echoed(m)}}
		}))
		for _, c := range []struct {
			own  int
			like int
		}{{0, traceFlow}, {1, 1}, {7, 7}, {40000, 40000}, {65535, 65535}} {
			flows = map[flow]int{}
			var opts []ProbeOption
			if c.own != 0 {
				opts = []ProbeOption{WithFlow(c.own)}
			}
			if got, err := p.PathMTU(t.Context(), host, opts...); got != 1433 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			if len(flows) != 1 {
				t.Errorf("flow %d: %v", c.own, flows)
			}
			if _, err := p.Ping(t.Context(), host, WithFlow(c.like)); err != nil {
				t.Error(err)
			}
			if c.own == 0 { // then the label is the system's choice
				checksums := map[flow]int{}
				for f := range flows {
					checksums[flow{f.checksum, 0}]++
				}
				flows = checksums
			}
			if len(flows) != 1 {
				t.Errorf("flow %d, with a ping: %v", c.own, flows)
			}
		}
	})
}

// A send that fails for another reason than the size counts as a try that was lost; for the smallest, it is the error.
func TestPathMTUSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		f := newFake(echoAfter(ms))
		f.refuse = func(_ int, m Message) error {
			if packetSize(m) > 1450 {
				return syscall.EMSGSIZE
			}
			if refused++; refused%2 == 1 {
				return syscall.ENETUNREACH
			}
			return nil
		}
		p := newFakePinger(t, f)
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 1450 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		f.refuse = func(int, Message) error { return syscall.EPERM }
		if got, err := p.PathMTU(t.Context(), "192.0.2.1"); got != 0 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// Searches run beside each other, and leave nothing behind.
func TestPathMTUTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mtus := []int{1280, 1300, 1400, 1433, 1500, 2000, 9000, 65535}
		f := newFake(func(_ int, m Message) []delayed {
			a := m.Addr.AsSlice()
			if packetSize(m) > mtus[a[len(a)-1]] {
				return nil
			}
			return []delayed{{ms, echoed(m)}}
		})
		p := newFakePinger(t, f)
		var wg sync.WaitGroup
		for i, mtu := range mtus {
			for _, host := range []string{fmt.Sprintf("192.0.2.%d", i), fmt.Sprintf("2001:db8:1::%d", i)} {
				wg.Go(func() {
					if got, err := p.PathMTU(t.Context(), host); got != mtu || err != nil {
						t.Errorf("%s: got %d, %v, want %d", host, got, err, mtu)
					}
				})
			}
		}
		wg.Wait()
		if c := p.Counters(); c.InFlight != 0 || c.SendErrors != 0 || c.Stray != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}
