package ping

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// target is an address that nobody has (RFC 5737).
const target = "192.0.2.1"

// What a Pinger makes of each thing that the network can do to a probe.
func TestAnswers(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.9")
	type counts struct{ received, lost, errors, late, duplicates, reordered, corrupted, stray int }
	twist := func(change func(*Message)) func(int, Message) []delayed {
		return func(_ int, m Message) []delayed {
			m = echoed(m)
			change(&m)
			return []delayed{{5 * ms, m}}
		}
	}
	for _, c := range []struct {
		name   string
		size   int
		n      int
		answer func(n int, m Message) []delayed
		want   counts
	}{
		{"echo", 56, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, no payload", 0, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, half a cookie", 4, 3, echoAfter(20 * ms), counts{received: 3}},
		{"echo, largest", maxPayload4, 2, echoAfter(20 * ms), counts{received: 2}},
		{"silence", 56, 3, nil, counts{lost: 3}},
		{"in the nick of time", 56, 1, echoAfter(200*ms - 1), counts{received: 1}},
		{"after the timeout", 56, 2, echoAfter(230 * ms), counts{lost: 2, late: 1}}, // the last too late to be seen
		{"three times", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{5 * ms, echoed(m)}, {6 * ms, echoed(m)}, {7 * ms, echoed(m)}}
		}, counts{received: 2, duplicates: 2}},
		{"late and twice", 56, 3, func(n int, m Message) []delayed {
			if n == 0 {
				return []delayed{{210 * ms, echoed(m)}, {220 * ms, echoed(m)}}
			}
			return []delayed{{150 * ms, echoed(m)}}
		}, counts{received: 2, lost: 1, late: 1, duplicates: 1}},
		{"first after second", 56, 3, func(n int, m Message) []delayed {
			if n == 0 {
				return []delayed{{130 * ms, echoed(m)}}
			}
			return []delayed{{5 * ms, echoed(m)}}
		}, counts{received: 3, reordered: 1}},
		{"other source", 56, 2, twist(func(m *Message) { m.Addr = other }), counts{lost: 2, stray: 2}},
		{"other cookie", 56, 2, twist(func(m *Message) { m.Data[headerLen] ^= 1 }), counts{lost: 2, stray: 2}},
		{"other payload", 56, 2, twist(func(m *Message) { m.Data[40] ^= 1 }), counts{lost: 2, corrupted: 2}},
		{"other code", 56, 2, twist(func(m *Message) { m.Data[1] = 5 }), counts{lost: 2, corrupted: 2}},
		{"cut short", 56, 2, twist(func(m *Message) { m.Data = m.Data[:40] }), counts{lost: 2, corrupted: 2}},
		{"longer", 56, 2, twist(func(m *Message) { m.Data = append(m.Data, 64) }), counts{lost: 2, corrupted: 2}},
		{"other sequence number", 56, 2, twist(func(m *Message) { m.Data[6] ^= 0x80 }), counts{lost: 2}},
		{"the request itself", 56, 2, func(_ int, m Message) []delayed { return []delayed{{ms, m}} }, counts{lost: 2}},
		{"corrupted, then true", 56, 2, func(_ int, m Message) []delayed {
			bad := echoed(m)
			bad.Data[50] ^= 0xff
			return []delayed{{5 * ms, bad}, {6 * ms, echoed(m)}}
		}, counts{received: 2, corrupted: 2}},
		{"no message at all", 56, 2, func(int, Message) []delayed {
			return []delayed{{ms, Message{}}, {ms, Message{Addr: other}}, {ms, Message{Data: make([]byte, 64)}}}
		}, counts{lost: 2}},
		{"refused", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, errors: 2}},
		{"refused, 8 bytes quoted", 56, 2, func(_ int, m Message) []delayed {
			m.Data = m.Data[:8]
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 11, 0)}}
		}, counts{lost: 2, errors: 2}},
		{"refused, then answered", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}, {6 * ms, echoed(m)}}
		}, counts{lost: 2, errors: 2, late: 1}},
		{"answered, then refused", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{5 * ms, echoed(m)}, {6 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{received: 2}},
		{"given up, then refused", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{210 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2}},
		{"refusal of another destination", 56, 2, func(_ int, m Message) []delayed {
			m.Addr = other
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, stray: 2}},
		{"refusal of another cookie", 56, 2, func(_ int, m Message) []delayed {
			m.Data[headerLen+7]++
			return []delayed{{5 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, counts{lost: 2, stray: 2}},
		{"redirected, then answered", 56, 2, func(_ int, m Message) []delayed {
			return []delayed{{ms, refusal(m, "192.0.2.254", 5, 1)}, {2 * ms, refusal(m, "192.0.2.254", 4, 0)}, {5 * ms, echoed(m)}}
		}, counts{received: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakePinger(t, newFake(c.answer))
				s, err := p.PingN(t.Context(), target, c.n, WithTimeout(200*ms), WithInterval(100*ms), WithSize(c.size))
				if err != nil {
					t.Fatal(err)
				}
				// What a duplicate of the last probe is counted as, only the next call would see.
				got := counts{s.Received, s.Lost, s.Errors, s.Late, s.Duplicates, s.Reordered, s.Corrupted, s.Stray}
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if s.Sent != c.n || s.Received+s.Lost != s.Sent || len(s.Replies) != c.n {
					t.Errorf("%d sent, %d received, %d lost, %d replies, want %d", s.Sent, s.Received, s.Lost, len(s.Replies), c.n)
				}
				for i, r := range s.Replies {
					if r.Seq != i || (r.Err == nil) != (r.From == s.Target) {
						t.Errorf("reply %d is %+v", i, r)
					}
				}
			})
		})
	}
}

func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		start := time.Now()
		for _, host := range []string{target, "2001:db8::1"} {
			r, err := p.Ping(t.Context(), host, WithSize(100))
			want := Reply{From: netip.MustParseAddr(host), RTT: 20 * ms, TTL: 64, Size: 108, Sent: r.Sent, Received: r.Received, Clock: ClockKernel}
			if err != nil || r != want || r.Received.Sub(r.Sent) != r.RTT || r.Sent.Before(start) {
				t.Errorf("got %+v, %v, want %+v", r, err, want)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		start := time.Now()
		r, err := p.Ping(t.Context(), target, WithTimeout(200*ms))
		if d := time.Since(start); d != 200*ms {
			t.Errorf("given up after %v", d)
		}
		var netError net.Error
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &netError) || !netError.Timeout() {
			t.Errorf("error is %#v", err)
		}
		if !errors.Is(r.Err, ErrTimeout) || r.RTT != 0 || r.From.IsValid() || !r.Received.IsZero() || !r.Sent.Equal(start) {
			t.Errorf("reply is %+v", r)
		}
		if !strings.Contains(err.Error(), target) {
			t.Errorf("%q does not name the target", err)
		}
	})
}

// Each probe has its own timeout, and one that is long holds up none that is short.
func TestTimeoutsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { p.Ping(ctx, target, WithTimeout(math.MaxInt64)) })
		time.Sleep(time.Nanosecond)
		start := time.Now()
		for _, timeout := range []time.Duration{time.Hour, 3 * time.Second, 10 * ms, 2 * time.Second, time.Nanosecond, time.Minute} {
			wg.Go(func() {
				_, err := p.Ping(t.Context(), target, WithTimeout(timeout))
				if d := time.Since(start); !errors.Is(err, ErrTimeout) || d != timeout {
					t.Errorf("timeout %v: %v after %v", timeout, err, d)
				}
			})
			synctest.Wait()
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestICMPErrorOfPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m Message) []delayed {
			return []delayed{{7 * ms, refusal(m, "192.0.2.254", 3, 1)}}
		}))
		start := time.Now()
		r, err := p.Ping(t.Context(), target)
		var icmpError *ICMPError
		if !errors.As(err, &icmpError) || icmpError.Type != 3 || icmpError.Code != 1 {
			t.Fatalf("error is %v", err)
		}
		if time.Since(start) != 7*ms || r.RTT != 7*ms || r.From != netip.MustParseAddr("192.0.2.254") || r.TTL != 63 {
			t.Errorf("after %v: %+v", time.Since(start), r)
		}
		if want := "ping 192.0.2.1: destination host unreachable, from 192.0.2.254"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}

// The interval runs from probe to probe: it does not drift with the time that answers or the caller take, and
// probes that a slow caller missed are not made up for.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		rtt      time.Duration
		consumer []time.Duration
		want     []time.Duration
	}{
		{"quick", 100 * ms, 20 * ms, []time.Duration{0, 0, 0, 0}, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
		{"slow network", 100 * ms, 450 * ms, []time.Duration{0, 0, 0, 0}, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
		{"busy caller", 100 * ms, 20 * ms, []time.Duration{70 * ms, 0, 70 * ms, 0}, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
		{"slow caller", 100 * ms, 20 * ms, []time.Duration{230 * ms, 0, 0, 0}, []time.Duration{0, 250 * ms, 300 * ms, 400 * ms}},
		{"no interval", 0, 20 * ms, []time.Duration{0, 0, 5 * ms, 0}, []time.Duration{0, 20 * ms, 40 * ms, 65 * ms}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(echoAfter(c.rtt))
				p := newFakePinger(t, f)
				start := time.Now()
				n := 0
				for r, err := range p.Stream(t.Context(), target, WithInterval(c.interval), WithCount(len(c.want))) {
					if err != nil || r.Err != nil || r.RTT != c.rtt {
						t.Errorf("got %+v, %v", r, err)
					}
					time.Sleep(c.consumer[n])
					n++
				}
				if got := f.departures(start); !slices.Equal(got, c.want) || n != len(c.want) {
					t.Errorf("%d replies, probes left at %v, want %v", n, got, c.want)
				}
			})
		})
	}
}

// A run of PingN ends with its last reply, not with the last interval.
func TestPingNEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		start := time.Now()
		if _, err := p.PingN(t.Context(), target, 5, WithInterval(100*ms)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 420*ms {
			t.Errorf("took %v", d)
		}
	})
}

func TestCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)))
		ctx, cancel := context.WithTimeout(t.Context(), 250*ms)
		defer cancel()
		s, err := p.PingN(ctx, target, 100, WithInterval(100*ms))
		if !errors.Is(err, context.DeadlineExceeded) || s == nil || s.Sent != 3 || s.Received != 3 || len(s.Replies) != 3 {
			t.Errorf("got %v, %v", s, err)
		}

		// The probe that was in flight when ctx ended is neither sent nor lost.
		ctx, cancel = context.WithTimeout(t.Context(), 210*ms)
		defer cancel()
		s, err = p.PingN(ctx, target, 100, WithInterval(100*ms))
		if !errors.Is(err, context.DeadlineExceeded) || s.Sent != 2 || s.Lost != 0 {
			t.Errorf("got %v, %v", s, err)
		}

		start := time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		r, err := p.Ping(ctx, target)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(r.Err, err) || time.Since(start) != 10*ms {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if _, err := p.Ping(ctx, target); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a ctx that has ended: %v", err)
		}
	})
}

// A call's ctx ends that call alone.
func TestContextIsTheCallsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(100*ms)))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Ping(ctx, target); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := p.Ping(t.Context(), target); err != nil {
				t.Errorf("not cancelled: %v", err)
			}
		})
		time.Sleep(50 * ms)
		cancel()
		wg.Wait()
		if c := p.Counters(); c.Sent != 2 || c.Received != 1 || c.Abandoned != 1 || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m Message) []delayed {
			if n == 1 {
				return nil
			}
			return []delayed{{20 * ms, echoed(m)}}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 450*ms)
		defer cancel()
		var order []int
		var last error
		for r, err := range p.Stream(ctx, target, WithInterval(100*ms), WithTimeout(150*ms)) {
			if last != nil {
				t.Error("the error did not come last")
			}
			if last = err; err != nil {
				continue
			}
			order = append(order, r.Seq)
			if (r.Seq == 1) != errors.Is(r.Err, ErrTimeout) {
				t.Errorf("probe %d: %v", r.Seq, r.Err)
			}
		}
		if !errors.Is(last, context.DeadlineExceeded) || !slices.Equal(order, []int{0, 2, 1, 3, 4}) {
			t.Errorf("replies %v, then %v", order, last)
		}

		for range p.Stream(t.Context(), target) {
			break
		}
		if c := p.Counters(); c.InFlight != 0 {
			t.Errorf("%d in flight after the loop broke", c.InFlight)
		}
		for _, err := range p.Stream(t.Context(), "") {
			if err == nil {
				t.Error("a stream to no host")
			}
		}
	})
}

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  func(n int, m Message) []delayed
		opts    []ProbeOption
		want    error
		after   time.Duration
		probes  int
		refusal bool
	}{
		{name: "at once", answer: echoAfter(20 * ms), after: 20 * ms, probes: 1},
		{name: "at the third", answer: func(n int, m Message) []delayed {
			if n < 2 {
				return nil
			}
			return []delayed{{20 * ms, echoed(m)}}
		}, after: 220 * ms, probes: 3},
		{name: "never", want: ErrTimeout, after: 500 * ms, probes: 3},
		{name: "never of 5", opts: []ProbeOption{WithCount(5)}, want: ErrTimeout, after: 700 * ms, probes: 5},
		{name: "refused once", answer: func(n int, m Message) []delayed {
			if n != 1 {
				return nil
			}
			return []delayed{{20 * ms, refusal(m, "192.0.2.254", 3, 13)}}
		}, after: 500 * ms, probes: 3, refusal: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(c.answer)
				p := newFakePinger(t, f)
				start := time.Now()
				err := p.Reachable(t.Context(), target, append(c.opts, WithInterval(100*ms), WithTimeout(300*ms))...)
				var icmpError *ICMPError
				if !c.refusal && !errors.Is(err, c.want) || errors.As(err, &icmpError) != c.refusal {
					t.Errorf("got %v", err)
				}
				if d, n := time.Since(start), len(f.departures(start)); d != c.after || n != c.probes {
					t.Errorf("%d probes in %v, want %d in %v", n, d, c.probes, c.after)
				}
			})
		})
	}
}

// A send error ends its probe at once, and the run goes on.
func TestSendErrors(t *testing.T) {
	for _, errno := range []error{errors.New("no route"), os.ErrPermission} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(echoAfter(20 * ms))
			calls := 0
			f.refuse = func(int, Message) error {
				if calls++; calls == 2 {
					return errno
				}
				return nil
			}
			p := newFakePinger(t, f)
			s, err := p.PingN(t.Context(), target, 3, WithInterval(100*ms))
			if err != nil || s.Sent != 2 || s.Received != 2 || s.SendErrors != 1 || !errors.Is(s.Replies[1].Err, errno) {
				t.Errorf("got %v, %v", s, err)
			}
			if calls != 3 {
				t.Errorf("%d attempts to send 3 probes", calls)
			}
		})
	}
}

// Where the transport has no room a probe waits for it, within ctx.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(20 * ms))
		busy := 3
		f.refuse = func(int, Message) error {
			if busy--; busy >= 0 {
				return fmt.Errorf("queue: %w", ErrNoRoom)
			}
			return nil
		}
		p := newFakePinger(t, f)
		start := time.Now()
		r, err := p.Ping(t.Context(), target)
		if err != nil || r.RTT != 20*ms || time.Since(start) != 3*retryAfter+20*ms {
			t.Errorf("got %v, %v after %v", r, err, time.Since(start))
		}

		busy = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		var wg sync.WaitGroup
		for range 20 { // more than a batch
			wg.Go(func() {
				if _, err := p.Ping(ctx, target); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		start = time.Now()
		if _, err := p.Ping(t.Context(), target); !errors.Is(err, ErrNoRoom) || time.Since(start).Round(10*ms) != time.Second {
			t.Errorf("no room for as long as the timeout: %v after %v", err, time.Since(start))
		}
		wg.Go(func() {
			if _, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed while waiting for room: %v", err)
			}
		})
		synctest.Wait()
		p.Close()
		wg.Wait()
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(nil))
		var wg sync.WaitGroup
		wg.Go(func() {
			if r, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) || !errors.Is(r.Err, net.ErrClosed) {
				t.Errorf("Ping: %v", err)
			}
		})
		wg.Go(func() {
			if s, err := p.PingN(t.Context(), target, 5, WithInterval(ms)); !errors.Is(err, net.ErrClosed) || s.Sent != 0 {
				t.Errorf("PingN: %v, %v", s, err)
			}
		})
		wg.Go(func() {
			if err := p.Reachable(t.Context(), target); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Reachable: %v", err)
			}
		})
		wg.Go(func() {
			for _, err := range p.Stream(t.Context(), target) {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Stream: %v", err)
				}
			}
		})
		time.Sleep(10 * ms)
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if _, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Close ends its own Pinger, and no other.
func TestTwoPingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFakePinger(t, newFake(echoAfter(ms))), newFakePinger(t, newFake(echoAfter(ms)))
		one.Close()
		if _, err := two.Ping(t.Context(), target); err != nil {
			t.Error(err)
		}
	})
}

// The clock is set while a probe is in flight: its RTT stays true.
func TestClockStep(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 10 * ms, -10 * ms} {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(func(_ int, m Message) []delayed {
				m = echoed(m)
				m.Time = time.Now().Round(0).Add(20*ms + step)
				return []delayed{{20 * ms, m}}
			}))
			r, err := p.Ping(t.Context(), target, WithTimeout(time.Second))
			if err != nil || r.RTT < 0 || r.RTT > 20*ms {
				t.Errorf("step %v: got %v, %v", step, r.RTT, err)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	p := newFakePinger(t, newFake(nil))
	for _, c := range []struct {
		host string
		opts []ProbeOption
		want string
	}{
		{"", nil, "empty host name"},
		{"::ffff:192.0.2.1", nil, "use 192.0.2.1"},
		{"0.0.0.0", nil, "0.0.0.0 is no host's address"},
		{"::", nil, ":: is no host's address"},
		{"224.0.0.1", nil, "224.0.0.1 is a multicast or broadcast address"},
		{"ff02::1%lo", nil, "is a multicast or broadcast address"},
		{"255.255.255.255", nil, "255.255.255.255 is a multicast or broadcast address"},
		{"2001:db8::1%lo", nil, "2001:db8::1%lo has a zone"},
		{target, []ProbeOption{WithNetwork("ip6")}, `192.0.2.1 is not an address for WithNetwork("ip6")`},
		{"2001:db8::1", []ProbeOption{WithNetwork("ip4")}, `2001:db8::1 is not an address for WithNetwork("ip4")`},
		{target, []ProbeOption{WithNetwork("udp")}, `WithNetwork("udp"): want "ip", "ip4" or "ip6"`},
		{target, []ProbeOption{WithTimeout(0)}, "WithTimeout(0s): want more than 0"},
		{target, []ProbeOption{WithTimeout(-1)}, "WithTimeout(-1ns): want more than 0"},
		{target, []ProbeOption{WithInterval(-1)}, "WithInterval(-1ns): want 0 or more"},
		{target, []ProbeOption{WithSize(-1)}, "WithSize(-1): want 0 to 65527"},
		{target, []ProbeOption{WithSize(65528)}, "WithSize(65528): want 0 to 65527"},
		{target, []ProbeOption{WithSize(65508)}, "WithSize(65508): IPv4 takes 0 to 65507"},
		{target, []ProbeOption{WithTTL(0)}, "WithTTL(0): want 1 to 255"},
		{target, []ProbeOption{WithTTL(256)}, "WithTTL(256): want 1 to 255"},
		{target, []ProbeOption{WithTrafficClass(-1)}, "WithTrafficClass(-1): want 0 to 255"},
		{target, []ProbeOption{WithTrafficClass(256)}, "WithTrafficClass(256): want 0 to 255"},
		{target, []ProbeOption{WithCount(0)}, "WithCount(0): want 1 to 2147483647"},
		{target, []ProbeOption{WithMaxHops(0)}, "WithMaxHops(0): want 1 to 255"},
		{target, []ProbeOption{WithFlow(0)}, "WithFlow(0): want 1 to 65535"},
		{target, []ProbeOption{WithFlow(65536)}, "WithFlow(65536): want 1 to 65535"},
		{target, []ProbeOption{WithFlow(1), WithSize(7)}, "WithFlow(1) with WithSize(7): want a size of 8 or more"},
		{target, []ProbeOption{nil}, "option 0 is nil"},
	} {
		_, err := p.Ping(t.Context(), c.host, c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Ping(%q): got %v, want %q", c.host, err, c.want)
		}
		if s, err := p.PingN(t.Context(), c.host, 1, c.opts...); err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("PingN(%q): got %v, want %q", c.host, err, c.want)
		}
		if err := p.Reachable(t.Context(), c.host, c.opts...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Reachable(%q): got %v, want %q", c.host, err, c.want)
		}
	}
	for _, n := range []int{0, -1} {
		if s, err := p.PingN(t.Context(), target, n); err == nil || s != nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("PingN of %d: %v, %v", n, s, err)
		}
	}
	if c := p.Counters(); c != (Counters{}) {
		t.Errorf("something was sent: %+v", c)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		opt  Option
		want string
	}{
		{WithTTL(300), "WithTTL(300)"},
		{WithSource(netip.Addr{}), "WithSource(invalid IP)"},
		{WithSource(netip.MustParseAddr("::ffff:127.0.0.1")), "WithSource(::ffff:127.0.0.1)"},
		{WithSource(netip.MustParseAddr("0.0.0.0")), "WithSource(0.0.0.0)"},
		{WithSource(netip.MustParseAddr("224.0.0.1")), "WithSource(224.0.0.1)"},
		{WithInterface(""), `WithInterface("")`},
		{WithMark(-1), "WithMark(-1)"},
		{WithSocket(9), "WithSocket(SocketKind(9))"},
		{WithSocket(-1), "WithSocket(SocketKind(-1))"},
		{WithResolver(nil), "WithResolver(nil)"},
		{WithLogger(nil), "WithLogger(nil)"},
		{WithTransport(nil), "WithTransport(nil)"},
		{nil, "option 0 is nil"},
	} {
		if p, err := New(c.opt); err == nil || p != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New with %s: got %v", c.want, err)
		}
	}
}

type resolverFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

func TestResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notFound := &net.DNSError{Err: "no such host", Name: "nosuch", IsNotFound: true}
		p := newFakePinger(t, newFake(echoAfter(20*ms)), WithResolver(resolverFunc(
			func(ctx context.Context, network, host string) ([]netip.Addr, error) {
				switch host {
				case "slow":
					<-ctx.Done()
					return nil, ctx.Err()
				case "late":
					time.Sleep(5 * time.Second)
					return []netip.Addr{netip.MustParseAddr(target)}, nil
				case "both":
					return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}, nil
				case "none":
					return nil, nil
				case "everyone":
					return []netip.Addr{netip.MustParseAddr("224.0.0.1")}, nil
				}
				return nil, notFound
			})))
		for _, c := range []struct{ network, want string }{{"ip", "2001:db8::1"}, {"ip6", "2001:db8::1"}, {"ip4", target}} {
			if r, err := p.Ping(t.Context(), "both", WithNetwork(c.network)); err != nil || r.From != netip.MustParseAddr(c.want) {
				t.Errorf("%s: got %v, %v", c.network, r.From, err)
			}
		}
		// The lookup is no part of the RTT, nor of the timeout.
		if r, err := p.Ping(t.Context(), "late"); err != nil || r.RTT != 20*ms {
			t.Errorf("got %v, %v", r, err)
		}
		var dnsError *net.DNSError
		if _, err := p.Ping(t.Context(), "nosuch"); !errors.As(err, &dnsError) || dnsError != notFound {
			t.Errorf("got %v", err)
		}
		if _, err := p.Ping(t.Context(), "none"); !errors.As(err, &dnsError) {
			t.Errorf("got %v", err)
		}
		if _, err := p.Ping(t.Context(), "everyone"); err == nil || !strings.Contains(err.Error(), "224.0.0.1") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Ping(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// More probes than the table has slots wait for one; none is mixed up with another.
func TestTableFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(100 * ms))
		p := newFakePinger(t, f)
		start := time.Now()
		const extra = 1000
		s, err := p.PingN(t.Context(), target, maxInFlight+extra, WithInterval(time.Nanosecond))
		if err != nil || s.Received != maxInFlight+extra || s.Min != 100*ms || s.Max != 100*ms {
			t.Fatalf("got %v, %v", s, err)
		}
		for i, at := range f.departures(start) {
			if late := i >= maxInFlight; late != (at >= 100*ms) {
				t.Fatalf("probe %d left at %v", i, at)
			}
		}

		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		s, err = p.PingN(ctx, target, maxInFlight+1, WithInterval(time.Nanosecond))
		if !errors.Is(err, context.DeadlineExceeded) || s.Sent != 0 {
			t.Errorf("one too many: %v, %v", s, err)
		}
		if c := p.Counters(); c.Abandoned != maxInFlight || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// One destination that there is no room for holds up no other.
func TestNoRoomForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		f.refuse = func(_ int, m Message) error {
			if m.Addr == netip.MustParseAddr("192.0.2.66") {
				return ErrNoRoom
			}
			return nil
		}
		p := newFakePinger(t, f)
		var wg sync.WaitGroup
		for range 3 * batchSize {
			wg.Go(func() {
				if _, err := p.Ping(t.Context(), "192.0.2.66", WithTimeout(time.Second)); !errors.Is(err, ErrNoRoom) {
					t.Errorf("the one: %v", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for range 10 {
			if _, err := p.Ping(t.Context(), target); err != nil {
				t.Errorf("another: %v", err)
			}
		}
		if d := time.Since(start); d > 10*3*ms {
			t.Errorf("ten pings of another took %v", d)
		}
		wg.Wait()
		if c := p.Counters(); c.SendErrors != 3*batchSize || c.InFlight != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// What has to wait until others are sent, for longer than its timeout even, has not been refused: it is sent.
func TestSlowSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		f.refuse = func(int, Message) error {
			time.Sleep(ms)
			return nil
		}
		p := newFakePinger(t, f)
		var wg sync.WaitGroup
		const calls = 4 * turnBatches * batchSize
		for range calls {
			wg.Go(func() {
				if _, err := p.Ping(t.Context(), target, WithTimeout(100*ms)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if c := p.Counters(); c.Received != calls || c.SendErrors != 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// Those who wait for a slot are told when cancelled probes give theirs back unsent.
func TestRoomOfCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		var room atomic.Bool
		f.refuse = func(int, Message) error {
			if !room.Load() {
				return ErrNoRoom
			}
			return nil
		}
		p := newFakePinger(t, f)
		c := p.lines[0].Load().conn
		in := newInbox()
		c.register(in)
		for range maxInFlight {
			if err := c.launch(t.Context(), in, request{dst: testAddr, template: testTemplate, timeout: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		done := make(chan error)
		go func() {
			_, err := p.Ping(t.Context(), target)
			done <- err
		}()
		synctest.Wait()
		c.release(in)
		room.Store(true)
		if err := <-done; err != nil || time.Since(start) > 10*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A transport that breaks its contract breaks nothing else.
func TestLazyTransport(t *testing.T) {
	p, err := New(WithTransport(lazy{newFake(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Ping(t.Context(), target); !errors.Is(err, errNotTaken) {
		t.Errorf("got %v", err)
	}
}

type lazy struct{ *fake }

func (lazy) Send([]Message) (int, error) { return 0, nil }

func TestReachableErrors(t *testing.T) {
	noRoute := errors.New("no route")
	for _, c := range []struct {
		name   string
		refuse int // which probe is not sent
		answer func(int, Message) []delayed
		want   string
	}{
		{"timeouts, then not sent", 2, nil, "no reply in time"},
		{"not sent, then refusals", 0, func(_ int, m Message) []delayed {
			return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, "destination host unreachable, from 192.0.2.254"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(c.answer)
			n := -1
			f.refuse = func(int, Message) error {
				if n++; n == c.refuse {
					return noRoute
				}
				return nil
			}
			p := newFakePinger(t, f)
			err := p.Reachable(t.Context(), target)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			var netError net.Error
			if errors.As(err, &netError); netError == nil || netError.Timeout() != errors.Is(err, ErrTimeout) {
				t.Errorf("%s: Timeout of %v", c.name, err)
			}
		})
	}
}

// The same host under two names, and two calls to one host, have nothing to do with each other.
func TestCallsAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(20*ms)), WithResolver(resolverFunc(
			func(context.Context, string, string) ([]netip.Addr, error) { return []netip.Addr{testAddr}, nil })))
		var wg sync.WaitGroup
		for _, host := range []string{"one", "two", target, target} {
			wg.Go(func() {
				if s, err := p.PingN(t.Context(), host, 10, WithInterval(ms)); err != nil || s.Received != 10 || s.Min != 20*ms || s.Max != 20*ms {
					t.Errorf("%s: %v, %v", host, s, err)
				}
			})
		}
		wg.Wait()
	})
}

// What is returned is the caller's own.
func TestResultsAreOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(ms)))
		one, err1 := p.PingN(t.Context(), target, 3, WithInterval(ms))
		kept := slices.Clone(one.Replies)
		two, err2 := p.PingN(t.Context(), target, 3, WithInterval(ms))
		slices.Reverse(two.Replies)
		if err1 != nil || err2 != nil || !slices.Equal(kept, one.Replies) {
			t.Errorf("%v, %v: %v became %v", err1, err2, kept, one.Replies)
		}
	})
}

// Whatever happens, the counters add up, at any moment.
func TestCountersAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m Message) []delayed {
			if n%3 == 0 {
				return nil
			}
			return []delayed{{time.Duration(n%250) * ms, echoed(m)}}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { p.PingN(ctx, target, 1000, WithInterval(7*ms), WithTimeout(200*ms)) })
		}
		for range 100 {
			time.Sleep(33 * ms)
			if c := p.Counters(); c.Sent != c.Received+c.Lost+c.Abandoned+c.InFlight || c.InFlight > 20*200/7+20 {
				t.Errorf("counters are %+v", c)
			}
		}
		wg.Wait()
		if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned || c.Sent == 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}
