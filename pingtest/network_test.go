package pingtest_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

const (
	ms = time.Millisecond

	four = "192.0.2.1" // RFC 5737
	six  = "2001:db8::1"
)

// inBubble runs a test within testing/synctest, once for each IP version.
func inBubble(t *testing.T, test func(t *testing.T, n *pingtest.Network, addr string)) {
	for _, addr := range []string{four, six} {
		t.Run(addr, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, pingtest.NewNetwork(), addr) })
		})
	}
}

func TestHost(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr)
		if h.Addr() != netip.MustParseAddr(addr) || h.String() != addr || n.Host(addr) != h {
			t.Errorf("host %v, at %v, and then %p, want %p", h, h.Addr(), n.Host(addr), h)
		}
		p := n.Pinger(t)
		for _, rtt := range []time.Duration{ms, 0, 20 * ms} { // 1 ms is the default
			if rtt != ms {
				h.Set(pingtest.RTT(rtt))
			}
			start := time.Now()
			r, err := p.Ping(t.Context(), addr, ping.WithSize(100))
			want := ping.Reply{
				Target: h.Addr(), From: h.Addr(), RTT: rtt, TTL: 64, Size: 108,
				Sent: start.Round(0), Received: start.Round(0).Add(rtt), Clock: ping.ClockKernel,
			}
			r.Sent, r.Received = r.Sent.UTC(), r.Received.UTC()
			want.Sent, want.Received = want.Sent.UTC(), want.Received.UTC()
			if err != nil || r != want || time.Since(start) != rtt {
				t.Errorf("got %+v, %v, after %v, want %+v", r, err, time.Since(start), want)
			}
		}
	})
}

func TestUnknownAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		if _, err := n.Pinger(t).Ping(t.Context(), addr); !errors.Is(err, ping.ErrTimeout) {
			t.Error(err)
		}
		if got, want := n.Counts(), (pingtest.Counts{Requests: 1, Swallowed: 1}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	})
}

// Each fault shows in the Pinger's figures as often as the network has made it, and that is about as often as asked.
func TestFaults(t *testing.T) {
	const n, share = 2000, 0.25
	for _, c := range []struct {
		name    string
		setting pingtest.Setting
		size    int
		counted func(pingtest.Counts) int
		shown   func(*ping.Statistics) int
		total   func(ping.Counters) uint64
	}{
		{"loss", pingtest.Loss(share), 56,
			func(c pingtest.Counts) int { return c.Lost },
			func(s *ping.Statistics) int { return s.Lost },
			func(c ping.Counters) uint64 { return c.Lost }},
		{"duplicates", pingtest.Duplicates(share), 56,
			func(c pingtest.Counts) int { return c.Duplicates },
			func(s *ping.Statistics) int { return s.Duplicates },
			func(c ping.Counters) uint64 { return c.Duplicates }},
		{"corruption", pingtest.Corruption(share), 56,
			func(c pingtest.Counts) int { return c.Corrupted },
			func(s *ping.Statistics) int { return s.Corrupted },
			func(c ping.Counters) uint64 { return c.Corrupted }},
		{"corruption of a secret alone", pingtest.Corruption(share), 8,
			func(c pingtest.Counts) int { return c.Corrupted },
			func(s *ping.Statistics) int { return s.Corrupted },
			func(c ping.Counters) uint64 { return c.Corrupted }},
		{"corruption of nothing", pingtest.Corruption(share), 0,
			func(c pingtest.Counts) int { return c.Corrupted },
			func(s *ping.Statistics) int { return s.Corrupted },
			func(c ping.Counters) uint64 { return c.Corrupted }},
		{"forgeries", pingtest.Forgeries(share), 56,
			func(c pingtest.Counts) int { return c.Forgeries },
			func(s *ping.Statistics) int { return s.Stray },
			func(c ping.Counters) uint64 { return c.Stray }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, network *pingtest.Network, addr string) {
				h := network.Host(addr, c.setting)
				p := network.Pinger(t, ping.WithInterval(10*ms), ping.WithSize(c.size))
				s, err := p.PingN(t.Context(), addr, n, ping.WithTimeout(50*ms))
				if err != nil {
					t.Fatal(err)
				}
				// What comes right after the answer to the last request, PingN does not wait for; the Pinger does.
				synctest.Wait()
				truth := h.Counts()
				made := c.counted(truth)
				if made < n/4-100 || made > n/4+100 {
					t.Errorf("the network made %d of %d", made, n)
				}
				if got := c.shown(s); got != made && got != made-1 {
					t.Errorf("Statistics shows %d of %d", got, made)
				}
				if got := c.total(p.Counters()); got != uint64(made) {
					t.Errorf("Counters shows %d of %d", got, made)
				}
				if s.Sent != n || truth.Requests != n || s.Received != truth.Answered ||
					s.Lost != truth.Lost+truth.Corrupted {
					t.Errorf("%+v and %+v do not agree", s, truth)
				}
			})
		})
	}
}

func TestReordering(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.RTT(5*ms), pingtest.Reordering(0.1, 15*ms))
		s, err := n.Pinger(t).PingN(t.Context(), addr, 1000, ping.WithInterval(10*ms))
		if err != nil || s.Received != 1000 {
			t.Fatal(s, err)
		}
		late, overtaken := 0, 0
		for i, r := range s.Replies {
			if r.RTT == 20*ms {
				late++
				// The next one overtakes it by 5 ms, unless that is held back as well, as the last has no next.
				if i+1 < len(s.Replies) && s.Replies[i+1].RTT == 5*ms {
					overtaken++
				}
			} else if r.RTT != 5*ms {
				t.Errorf("RTT %v", r.RTT)
			}
		}
		made := h.Counts().Reordered
		if late != made || late < 50 || late > 150 || s.Reordered != overtaken || overtaken == 0 {
			t.Errorf("%d late, %d made so, %d overtaken, %d shown as reordered", late, made, overtaken, s.Reordered)
		}
	})
}

// What is on its way holds up nothing that comes sooner.
func TestOvertaking(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.RTT(50*ms))
		p := n.Pinger(t)
		done := make(chan error)
		go func() {
			_, err := p.Ping(t.Context(), addr)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		h.Set(pingtest.RTT(5 * ms))
		if _, err := p.Ping(t.Context(), addr); err != nil || time.Since(start) != 5*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := <-done; err != nil || time.Since(start) != 50*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLoseNext(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.LoseNext(2))
		s, err := n.Pinger(t).PingN(t.Context(), addr, 5)
		if err != nil || s.Lost != 2 || s.Replies[0].Err == nil || s.Replies[1].Err == nil || h.Counts().Lost != 2 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestRTTs(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.RTTBetween(10*ms, 30*ms))
		p := n.Pinger(t, ping.WithInterval(0))
		s, err := p.PingN(t.Context(), addr, 1000)
		within := func(d, low, high time.Duration) bool { return d >= low && d <= high }
		if err != nil || !within(s.Min, 10*ms, 11*ms) || !within(s.Mean, 19*ms, 21*ms) || !within(s.Max, 29*ms, 30*ms) {
			t.Errorf("evenly: %v, %v", s, err)
		}
		h.Set(pingtest.RTTFrom(func(r *rand.Rand) time.Duration {
			return 50*ms + time.Duration(r.NormFloat64()*float64(5*ms))
		}))
		s, err = p.PingN(t.Context(), addr, 1000)
		if err != nil || !within(s.Mean, 49*ms, 51*ms) || !within(s.StdDev, 4500*time.Microsecond, 5500*time.Microsecond) {
			t.Errorf("normal: %v, %v", s, err)
		}
		h.Set(pingtest.RTTFrom(func(*rand.Rand) time.Duration { return -ms }))
		if r, err := p.Ping(t.Context(), addr); err != nil || r.RTT != 0 || r.Clock != ping.ClockKernel {
			t.Errorf("negative: %+v, %v", r, err)
		}
		h.Set(pingtest.RTT(7 * ms))
		if r, err := p.Ping(t.Context(), addr); err != nil || r.RTT != 7*ms {
			t.Errorf("fixed again: %v, %v", r.RTT, err)
		}
	})
}

// What a host does when, to requests that leave a second apart from the start.
func TestSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		router := n.Host(map[string]string{four: "192.0.2.254", six: "2001:db8::ffff"}[addr])
		h := n.Host(addr, pingtest.Behind(router))
		h.At(7*time.Second, pingtest.RTT(40*ms)) // in no order
		h.At(2*time.Second, pingtest.Down()).At(4*time.Second, pingtest.Up())
		h.At(4*time.Second, pingtest.Unreachable(router.String())).At(6*time.Second, pingtest.Up())
		router.At(9*time.Second, pingtest.Down()).At(11*time.Second, pingtest.Up(), pingtest.RTT(5*ms))
		h.At(12*time.Second, pingtest.Silent())
		want := strings.Fields("1ms 1ms timeout timeout unreachable unreachable 1ms 40ms 40ms timeout timeout 40ms timeout")
		var got []string
		p := n.Pinger(t, ping.WithTimeout(500*ms))
		for r, err := range p.Stream(t.Context(), addr, ping.WithCount(len(want))) {
			var e *ping.ICMPError
			switch {
			case err != nil:
				t.Fatal(err)
			case r.Err == nil:
				got = append(got, r.RTT.String())
			case errors.Is(r.Err, ping.ErrTimeout):
				got = append(got, "timeout")
			case errors.As(r.Err, &e) && strings.Contains(e.Reason(), "unreachable") && r.From == router.Addr():
				got = append(got, "unreachable")
			default:
				got = append(got, r.Err.Error())
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		// What is past is set at once, and does not undo what was set later.
		h.At(time.Second, pingtest.RTT(90*ms)).Set(pingtest.Up())
		if r, err := p.Ping(t.Context(), addr); err != nil || r.RTT != 90*ms {
			t.Errorf("after the past was put down: %v, %v", r.RTT, err)
		}
		h.At(time.Since(h.Records()[0].Sent), pingtest.RTT(80*ms)).Set(pingtest.RTT(70 * ms))
		if r, err := p.Ping(t.Context(), addr); err != nil || r.RTT != 70*ms {
			t.Errorf("set after what was due: %v, %v", r.RTT, err)
		}
	})
}

// Changes while Pingers run over the network: the race detector looks on.
func TestChangesWhileRunning(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr)
		var running sync.WaitGroup
		for range 3 {
			p := n.Pinger(t, ping.WithInterval(ms), ping.WithTimeout(20*ms))
			running.Go(func() {
				if s, err := p.PingN(t.Context(), addr, 500); err != nil || s.Sent != 500 {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		running.Go(func() {
			time.Sleep(ms / 2)
			for i := range 200 {
				h.Set(pingtest.Down(), pingtest.Names("a"))
				h.At(time.Duration(i+1)*ms+ms/4, pingtest.Up(), pingtest.Loss(0.5))
				n.Seed(uint64(i))
				n.Host(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
				n.LookupNetIP(t.Context(), "ip", "a")
				h.Counts()
				n.Counts()
				n.Records()
				h.Records()
				if i == 100 {
					n.KeepRecords(10)
				}
				time.Sleep(ms)
			}
		})
		running.Wait()
		if c := h.Counts(); c.Requests != 1500 || c.Swallowed == 0 || c.Lost == 0 || c.Answered == 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestRefuse(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.RTT(3*ms))
		p := n.Pinger(t)
		label := ping.MPLSLabel{Label: 16, TTL: 1}
		for _, c := range []ping.ICMPError{
			{Type: 3, Code: 13},
			{Type: 1, Code: 1, From: h.Addr().Next()},
			{Type: 11, Code: 1, MPLS: []ping.MPLSLabel{label}},
		} {
			h.Set(pingtest.Refuse(c))
			r, err := p.Ping(t.Context(), addr)
			if !c.From.IsValid() {
				c.From = h.Addr()
			}
			var e *ping.ICMPError
			if !errors.As(err, &e) || !reflect.DeepEqual(*e, c) || r.From != c.From || r.RTT != 3*ms || r.TTL != 64 {
				t.Errorf("got %+v, %v, want %+v", r, err, c)
			}
		}
		// The last word counts, and it does not end what others were told.
		h.Set(pingtest.Unreachable(h.String()), pingtest.Refuse(ping.ICMPError{Type: 3, Code: 9}))
		var e *ping.ICMPError
		if _, err := p.Ping(t.Context(), addr); !errors.As(err, &e) || e.Code != 9 {
			t.Errorf("refused after unreachable: %v", err)
		}
		e.Code = 77
		if records := h.Records(); records[len(records)-1].Answers[0].Err.Code != 9 {
			t.Error("the record changes with the Reply's error")
		}
		h.Set(pingtest.Unreachable(h.String()))
		_, err := p.Ping(t.Context(), addr)
		if want := map[string]int{four: 1, six: 3}[addr]; !errors.As(err, &e) || e.Code != want {
			t.Errorf("unreachable after refused: %v", err)
		}
		h.Set(pingtest.Loss(1))
		if _, err := p.Ping(t.Context(), addr); !errors.Is(err, ping.ErrTimeout) {
			t.Errorf("a refusal that got lost: %v", err)
		}
		if c := h.Counts(); c.Refused != 5 || c.Lost != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestSendError(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.SendError(io.ErrClosedPipe))
		p := n.Pinger(t)
		s, err := p.PingN(t.Context(), addr, 3)
		if err != nil || s.SendErrors != 3 || s.Sent != 0 || !errors.Is(s.Replies[0].Err, io.ErrClosedPipe) {
			t.Errorf("%+v, %v", s, err)
		}
		h.Set(pingtest.SendError(ping.ErrNoRoom)).At(time.Since(h.Records()[0].Sent)+50*ms, pingtest.SendError(nil))
		start := time.Now()
		if r, err := p.Ping(t.Context(), addr); err != nil || r.Sent.Sub(start) != 50*ms {
			t.Errorf("sent %v after the first try, %v", r.Sent.Sub(start), err)
		}
		if c := h.Counts(); c.NotSent < 4 || c.Answered != 1 || c.Requests != c.NotSent+1 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		first := n.Host(four, pingtest.Names("db.example", "old.example"))
		n.Host("192.0.2.2", pingtest.Names("DB.example."))
		n.Host(six, pingtest.Names("db.example"))
		p := n.Pinger(t)
		addrs := func(list ...string) (addrs []netip.Addr) {
			for _, s := range list {
				addrs = append(addrs, netip.MustParseAddr(s))
			}
			return addrs
		}
		for _, c := range []struct {
			network, name string
			want          []netip.Addr
		}{
			{"ip", "db.example", addrs(four, "192.0.2.2", six)},
			{"ip4", "Db.Example", addrs(four, "192.0.2.2")},
			{"ip6", "db.example.", addrs(six)},
			{"ip", "old.example", addrs(four)},
		} {
			if got, err := n.LookupNetIP(t.Context(), c.network, c.name); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %s: %v, %v, want %v", c.network, c.name, got, err, c.want)
			}
		}
		r, err := p.Ping(t.Context(), "db.example", ping.WithNetwork("ip6"))
		if err != nil || r.From != netip.MustParseAddr(six) {
			t.Errorf("by name: %+v, %v", r, err)
		}
		first.At(10*time.Second, pingtest.Names())
		time.Sleep(10 * time.Second)
		if r, err := p.Ping(t.Context(), "db.example"); err != nil || r.From != netip.MustParseAddr("192.0.2.2") {
			t.Errorf("after the name has moved: %+v, %v", r, err)
		}
		var e *net.DNSError
		if _, err := p.Ping(t.Context(), "old.example"); !errors.As(err, &e) || !e.IsNotFound || e.Name != "old.example" {
			t.Errorf("a name that no host has: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := n.LookupNetIP(ctx, "ip", "db.example"); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// Two Pingers share a network: each gets its own answers, and the records tell whose is what.
func TestTwoPingers(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		n.Host(addr, pingtest.RTT(20*ms), pingtest.LoseNext(1))
		p, q := n.Pinger(t), n.Pinger(t)
		if _, err := p.Ping(t.Context(), addr); !errors.Is(err, ping.ErrTimeout) {
			t.Error(err)
		}
		var both sync.WaitGroup
		for _, p := range []*ping.Pinger{p, q} {
			both.Go(func() {
				if s, err := p.PingN(t.Context(), addr, 10); err != nil || s.Received != 10 || s.Max != 20*ms {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		both.Wait()
		var count [3]int
		for _, r := range n.Records() {
			count[r.ID]++
		}
		if count != [3]int{0, 11, 10} {
			t.Errorf("requests by identifier: %v", count)
		}
		if c := p.Counters(); c.Sent != 11 || c.Received != 10 || c.Stray+c.Duplicates+c.Late != 0 {
			t.Errorf("counters %+v", c)
		}
		p.Close()
		if _, err := p.Ping(t.Context(), addr); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := q.Ping(t.Context(), addr); err != nil {
			t.Errorf("after the other's Close: %v", err)
		}
	})
}

// The same seed gives the same replies, another one others; what other hosts do makes no difference.
func TestDeterminism(t *testing.T) {
	run := func(t *testing.T, addr string, seed uint64, others int) (replies []ping.Reply, counts pingtest.Counts) {
		synctest.Test(t, func(t *testing.T) {
			n := pingtest.NewNetwork().Seed(seed)
			h := n.Host(addr, pingtest.RTTBetween(ms, 90*ms), pingtest.Loss(0.2), pingtest.Duplicates(0.2),
				pingtest.Corruption(0.1), pingtest.Forgeries(0.1), pingtest.Reordering(0.3, 20*ms))
			p := n.Pinger(t, ping.WithInterval(30*ms), ping.WithTimeout(100*ms))
			var all sync.WaitGroup
			for i := range others {
				other := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()
				n.Host(other, pingtest.RTTBetween(0, 50*ms))
				all.Go(func() { p.PingN(t.Context(), other, 300) })
			}
			s, err := p.PingN(t.Context(), addr, 300)
			if err != nil {
				t.Fatal(err)
			}
			all.Wait()
			replies, counts = s.Replies, h.Counts()
		})
		return replies, counts
	}
	for _, addr := range []string{four, six} {
		t.Run(addr, func(t *testing.T) {
			replies, counts := run(t, addr, 1, 0)
			for _, others := range []int{0, 5} {
				again, countsAgain := run(t, addr, 1, others)
				if !reflect.DeepEqual(replies, again) || counts != countsAgain {
					t.Errorf("beside %d others: %+v, want %+v", others, countsAgain, counts)
				}
			}
			if other, _ := run(t, addr, 2, 0); reflect.DeepEqual(replies, other) {
				t.Error("another seed makes no difference")
			}
		})
	}
}

// What makes no sense panics with a text that says what would.
func TestPanics(t *testing.T) {
	n := pingtest.NewNetwork()
	h, v6, other := n.Host(four), n.Host(six), pingtest.NewNetwork().Host(four)
	refusal := ping.ICMPError{From: h.Addr()}
	const (
		oneHost = "want the IPv4 or IPv6 address of one host, without a zone"
		version = "want an address of the same IP version"
	)
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { n.Host("nowhere") }, `Host("nowhere"): ` + oneHost},
		{func() { n.Host("fe80::1%eth0") }, `Host("fe80::1%eth0"): ` + oneHost},
		{func() { pingtest.Unreachable("224.0.0.1") }, `Unreachable("224.0.0.1"): ` + oneHost},
		{func() { pingtest.Loss(2) }, `Loss(2): want a share, from 0 to 1`},
		{func() { pingtest.Duplicates(-1) }, `Duplicates(-1): want a share, from 0 to 1`},
		{func() { pingtest.RTT(-1) }, `RTT(-1ns): want 0 or more`},
		{func() { pingtest.RTTBetween(2, 1) }, `RTTBetween(2ns, 1ns): want 0 or more, and the greater one last`},
		{func() { pingtest.RTTFrom(nil) }, `RTTFrom(nil): want a function`},
		{func() { pingtest.LoseNext(-1) }, `LoseNext(-1): want 0 or more`},
		{func() { pingtest.Reordering(0.5, -1) }, `Reordering(0.5, -1ns): want 0 or more`},
		{func() { pingtest.MTU(67) }, `MTU(67): want 0 or 68 or more`},
		{func() { pingtest.BlackHole(-1) }, `BlackHole(-1): want 0 or 68 or more`},
		{func() { pingtest.Truncation(7) }, `Truncation(7): want 0 or 8 or more`},
		{func() { pingtest.AnswersFrom("a") }, `AnswersFrom("a"): want the IPv4 or IPv6 address of one host, without a zone`},
		{func() { h.Set(pingtest.AnswersFrom("::1")) },
			`host 192.0.2.1: AnswersFrom(::1): want an address of the same IP version`},
		{func() { pingtest.LossBehind(-1) }, `LossBehind(-1): want a share, from 0 to 1`},
		{func() { pingtest.LocalDrops(2) }, `LocalDrops(2): want a share, from 0 to 1`},
		{func() { pingtest.ErrorLimit(0, 1) }, `ErrorLimit(0, 1ns): want 1 or more, and more than 0; or 0 and 0`},
		{func() { pingtest.ReplyLimit(6, 0) }, `ReplyLimit(6, 0s): want 1 or more, and more than 0; or 0 and 0`},
		{func() { pingtest.Behind(h, nil) }, `Behind([192.0.2.1 <nil>]): want routers, or a single nil`},
		{func() { h.Set(pingtest.Behind(h, v6)) }, `host 192.0.2.1: Behind(2001:db8::1): ` + version},
		{func() { n.LinkMTU(67) }, `LinkMTU(67): want 0 or 68 or more`},
		{func() { pingtest.Names("a", ".") }, `Names(["a" "."]): want names that are not empty`},
		{func() { pingtest.Neighbours(map[netip.Addr]ping.NeighbourState{h.Addr(): 7}) },
			`Neighbours(192.0.2.1: 7): want a state that has a name`},
		{func() { n.KeepRecords(-1) }, `KeepRecords(-1): want 0 or more`},
		{func() { h.Set(pingtest.Up(), nil) }, `host 192.0.2.1: setting 1 is nil`},
		{func() { h.Set(pingtest.Behind(v6)) }, `host 192.0.2.1: Behind(2001:db8::1): ` + version},
		{func() { h.Set(pingtest.Behind(other)) }, `host 192.0.2.1: Behind(192.0.2.1): want a host of the same network`},
		{func() { h.At(0, pingtest.Unreachable(six)) }, `host 192.0.2.1: Unreachable(2001:db8::1): ` + version},
		{func() { v6.Set(pingtest.Refuse(refusal)) }, `host 2001:db8::1: Refuse(192.0.2.1): ` + version},
	} {
		func() {
			defer func() {
				if got, want := recover(), "pingtest: "+c.want; got != want {
					t.Errorf("panics with %v, want %v", got, want)
				}
			}()
			c.f()
		}()
	}
}
