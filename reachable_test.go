package ping_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  func(n int, m ping.Message) []delayed
		opts    []ping.ProbeOption
		want    error
		after   time.Duration
		probes  int
		refusal bool
	}{
		{name: "at once", answer: echoAfter(20 * ms), after: 20 * ms, probes: 1},
		{name: "at the third", answer: func(n int, m ping.Message) []delayed {
			if n < 2 {
				return nil
			}
			return []delayed{{20 * ms, echoed(m)}}
		}, after: 220 * ms, probes: 3},
		{name: "never", want: ping.ErrTimeout, after: 500 * ms, probes: 3},
		{name: "never of 5", opts: []ping.ProbeOption{ping.WithCount(5)}, want: ping.ErrTimeout, after: 700 * ms, probes: 5},
		{name: "refused once", answer: func(n int, m ping.Message) []delayed {
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
				err := p.Reachable(t.Context(), target, append(c.opts, ping.WithInterval(100*ms), ping.WithTimeout(300*ms))...)
				var icmpError *ping.ICMPError
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

func TestReachableErrors(t *testing.T) {
	noRoute := errors.New("no route")
	for _, c := range []struct {
		name   string
		refuse int // which probe is not sent
		answer func(int, ping.Message) []delayed
		want   string
	}{
		{"timeouts, then not sent", 2, nil, "no reply in time"},
		{"not sent, then refusals", 0, func(_ int, m ping.Message) []delayed {
			return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, "destination host unreachable, from 192.0.2.254"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(c.answer)
			n := -1
			f.refuse = func(int, ping.Message) error {
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
			if errors.As(err, &netError); netError == nil || netError.Timeout() != errors.Is(err, ping.ErrTimeout) {
				t.Errorf("%s: Timeout of %v", c.name, err)
			}
		})
	}
}

// FirstReply returns the reply that Reachable waits for; without one, what the error is about.
func TestFirstReply(t *testing.T) {
	router := netip.MustParseAddr("192.0.2.254")
	for _, c := range []struct {
		name   string
		answer func(n int, m ping.Message) []delayed
		seq    int
		from   netip.Addr
		kind   string
	}{
		{"at the third", func(n int, m ping.Message) []delayed {
			if n < 2 {
				return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
			}
			return []delayed{{ms, echoed(m)}}
		}, 2, netip.MustParseAddr(target), ""},
		{"refused at the second", func(n int, m ping.Message) []delayed {
			if n != 1 {
				return nil
			}
			return []delayed{{ms, refusal(m, "192.0.2.254", 3, 1)}}
		}, 1, router, "icmp"},
		{"silence", nil, 2, netip.Addr{}, "timeout"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newFakePinger(t, newFake(c.answer))
			r, err := p.FirstReply(t.Context(), target)
			if r.Seq != c.seq || r.From != c.from || r.Err != err || ping.ErrorKind(err) != c.kind || r.Sent.IsZero() {
				t.Errorf("%s: got %v, %v", c.name, r, err)
			}
			again := newFakePinger(t, newFake(c.answer)).Reachable(t.Context(), target)
			if fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("%s: Reachable is %v, FirstReply %v", c.name, again, err)
			}
		})
	}
	p := newFakePinger(t, newFake(nil))
	p.Close()
	if r, err := p.FirstReply(t.Context(), target); !errors.Is(err, net.ErrClosed) || r.Err != err {
		t.Errorf("after Close: %v, %v", r, err)
	}
}
