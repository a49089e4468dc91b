package ping_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// someAddrs are n addresses of 10.0.0.0/8 and as many of 2001:db8::/32, by turns.
func someAddrs(n int) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range n {
			four := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			six := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
			if !yield(four) || !yield(six) {
				return
			}
		}
	}
}

// Each address is yielded once for each echo request, whatever the network does to it.
func TestSweepExact(t *testing.T) {
	for _, n := range []int{0, 1, 2, 31, 32, 33, 1000, skipped.AtLength(t, 5000, 20_000)} {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			f := newFake(func(_ int, m ping.Message) []delayed {
				after := time.Duration(r.IntN(300)) * ms
				switch r.IntN(6) {
				case 0:
					return nil
				case 1:
					return []delayed{{after, echoed(m)}, {after + ms, echoed(m)}, {2 * after, echoed(m)}}
				case 2:
					return []delayed{{after, refusal(m, "192.0.2.254", 3, 1)}}
				case 3:
					return []delayed{{after, refusal(m, "192.0.2.254", 3, 1)}, {after / 2, echoed(m)}}
				}
				return []delayed{{after, echoed(m)}}
			})
			p := newFakePinger(t, f)
			type key struct {
				addr netip.Addr
				seq  int
			}
			seen := map[key]int{}
			var replies, timeouts, refusals int
			for addr, r := range p.Sweep(t.Context(), someAddrs(n), ping.WithTimeout(200*ms), ping.WithCount(3)) {
				seen[key{addr, r.Seq}]++
				var e *ping.ICMPError
				switch {
				case r.Err == nil:
					replies++
					if r.From != addr || r.RTT > 200*ms {
						t.Errorf("%v: %+v", addr, r)
					}
				case errors.As(r.Err, &e):
					refusals++
				case errors.Is(r.Err, ping.ErrTimeout):
					timeouts++
				default:
					t.Errorf("%v: %+v", addr, r)
				}
			}
			for addr := range someAddrs(n) {
				for seq := range 3 {
					if seen[key{addr, seq}] != 1 {
						t.Fatalf("%v, echo %d: yielded %d times", addr, seq, seen[key{addr, seq}])
					}
				}
			}
			if len(seen) != 6*n {
				t.Errorf("%d yielded, want %d", len(seen), 6*n)
			}
			if c := p.Counters(); int(c.Sent) != 6*n || int(c.Received) != replies || int(c.Errors) != refusals ||
				int(c.Lost) != timeouts+refusals || c.InFlight+c.Abandoned != 0 {
				t.Errorf("%d replies, %d timeouts, %d refusals, counters %+v", replies, timeouts, refusals, c)
			}
		})
	}
}

// What cannot be pinged is said to be so, in its place.
func TestSweepBadAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		addrs := []netip.Addr{{}, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr(target), netip.MustParseAddr("ff02::1"),
			netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
		for range 5 {
			addrs = append(addrs, addrs...)
		}
		good, bad := 0, 0
		for addr, r := range p.Sweep(t.Context(), slices.Values(addrs)) {
			ok := addr.String() == target || addr.String() == "2001:db8::1"
			if ok != (r.Err == nil) {
				t.Errorf("%v: %v", addr, r.Err)
			}
			if ok {
				good++
			} else {
				bad++
			}
		}
		if good != len(addrs)/3 || bad != 2*len(addrs)/3 {
			t.Errorf("%d good, %d bad of %d", good, bad, len(addrs))
		}
		for addr, r := range p.Sweep(t.Context(), slices.Values(addrs), ping.WithTTL(0)) {
			if addr.IsValid() || r.Err == nil || !strings.Contains(r.Err.Error(), "WithTTL(0)") {
				t.Errorf("a bad option: %v: %v", addr, r.Err)
			}
		}
		only4 := 0
		for _, r := range p.Sweep(t.Context(), someAddrs(10), ping.WithNetwork("ip4")) {
			if r.Err == nil {
				only4++
			}
		}
		if only4 != 10 {
			t.Errorf("%d of 10 IPv4 addresses", only4)
		}
		p.Close()
		n := 0
		for addr, r := range p.Sweep(t.Context(), someAddrs(10)) {
			if n++; !errors.Is(r.Err, net.ErrClosed) {
				t.Errorf("closed: %v: %v", addr, r.Err)
			}
		}
		if n != 20 {
			t.Errorf("%d of 20 after Close", n)
		}
	})
}

// Breaking the loop, and the end of ctx, stop a Sweep at once, at any moment. (A goroutine left behind
// would keep the bubble from ending.)
func TestSweepStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(100*ms)))
		for _, after := range []int{1, 2, 31, 32, 33, 500, 999} {
			start := time.Now()
			n := 0
			for range p.Sweep(t.Context(), someAddrs(500)) {
				if n++; n == after {
					break
				}
			}
			if d := time.Since(start); d != 100*ms || n != after {
				t.Errorf("broken after %d: %d in %v", after, n, d)
			}
		}
		for _, after := range []time.Duration{0, 1, 50 * ms, 100 * ms, 150 * ms} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			start := time.Now()
			endless := func(yield func(netip.Addr) bool) {
				for yield(netip.MustParseAddr(target)) {
				}
			}
			for range p.Sweep(ctx, endless, ping.WithTimeout(time.Hour)) {
				time.Sleep(ms) // the loop's body takes its time
			}
			if d := time.Since(start); d < after || d > after+ms {
				t.Errorf("ctx ended after %v, the sweep after %v", after, d)
			}
			cancel()
		}
		if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned {
			t.Errorf("counters are %+v", c)
		}
	})
}

// Addresses that come slowly are pinged as they come, and their replies yielded.
func TestSweepOfFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		slow := func(yield func(netip.Addr) bool) {
			for range 4 {
				time.Sleep(time.Second)
				if !yield(netip.MustParseAddr(target)) {
					return
				}
			}
		}
		for range p.Sweep(t.Context(), slow) {
		}
		want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}
		if got := f.departures(start); !slices.Equal(got, want) || time.Since(start) != 4*time.Second+20*ms {
			t.Errorf("probes left at %v, the sweep took %v", got, time.Since(start))
		}
	})
}

// More silent addresses than a table has slots are all given up, each after its own timeout.
func TestSweepSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 1 << 16 // as many as there are sequence numbers
		p := newFakePinger(t, newFake(nil))
		start := time.Now()
		n := 0
		for _, r := range p.Sweep(t.Context(), someAddrs(slots/2), ping.WithTimeout(500*ms)) {
			if n++; !errors.Is(r.Err, ping.ErrTimeout) {
				t.Fatal(r.Err)
			}
		}
		if d := time.Since(start); n != slots || d != time.Second {
			t.Errorf("%d in %v", n, d)
		}
	})
}

// What a Sweep cannot send piles up no farther than a few batches.
func TestSweepUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batch = 8 // messages that a Pinger sends at a time
		var mu sync.Mutex
		tried := map[netip.Addr]bool{} // what waits is tried again and again
		f := newFake(nil)
		f.refuse = func(_ int, m ping.Message) error {
			mu.Lock()
			tried[m.Addr] = true
			mu.Unlock()
			return ping.ErrNoRoom
		}
		p := newFakePinger(t, f, ping.WithTimeout(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var sweep sync.WaitGroup
		sweep.Go(func() {
			for range p.Sweep(ctx, someAddrs(10_000)) {
			}
		})
		time.Sleep(500 * ms)
		mu.Lock()
		if n := len(tried); n < batch || n >= 16*batch+batch {
			t.Errorf("%d wait to be sent", n)
		}
		mu.Unlock()
		sweep.Wait()
	})
}

// Beside a Sweep that fills all the room there is, a Ping finds some.
func TestPingBesideSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ int, m ping.Message) []delayed {
			if m.Addr.String() == target {
				return []delayed{{ms, echoed(m)}}
			}
			return nil
		})
		p, err := ping.New(ping.WithTransport(buffered{f, 100}), ping.WithTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var sweep sync.WaitGroup
		sweep.Go(func() {
			for range p.Sweep(ctx, someAddrs(100_000)) {
			}
		})
		time.Sleep(50 * ms)
		for i := range 200 {
			start := time.Now()
			if _, err := p.Ping(t.Context(), target); err != nil || time.Since(start) != ms {
				t.Errorf("ping %d: %v, after %v", i, err, time.Since(start))
			}
		}
		if c := p.Counters(); c.InFlight < 500 {
			t.Errorf("the Sweep has %d in flight", c.InFlight)
		}
		cancel()
		sweep.Wait()
	})
}
