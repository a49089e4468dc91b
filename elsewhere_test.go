package ping_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// An IPv6 address that another one answers for, as a router does for its subnets' anycast addresses, is pinged as any
// other is, and From says who answered.
func TestAnycast(t *testing.T) {
	const anycast, unicast = "2001:db8::", "2001:db8::1"
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		near := n.Host("2001:db8:1::1")
		n.Host(anycast, pingtest.Behind(near), pingtest.RTT(5*ms), pingtest.AnswersFrom(unicast), pingtest.MTU(1400))
		p := n.Pinger(t)
		from := netip.MustParseAddr(unicast)
		check := func(call string, r ping.Reply) {
			t.Helper()
			if r.Err != nil || r.From != from || r.RTT != 5*ms || r.Size != 64 || r.Truncated {
				t.Errorf("%s: %+v", call, r)
			}
		}
		r, _ := p.Ping(t.Context(), anycast)
		check("Ping", r)
		s, err := p.PingN(t.Context(), anycast, 3)
		if err != nil || s.Received != 3 || s.Stray != 0 || s.Target.String() != anycast {
			t.Errorf("PingN: %+v, %v", s, err)
		}
		check("PingN", s.Replies[1])
		if err := p.Reachable(t.Context(), anycast); err != nil {
			t.Error("Reachable:", err)
		}
		for addr, r := range p.Sweep(t.Context(), addrsOf(anycast)) {
			if check("Sweep", r); addr.String() != anycast {
				t.Errorf("Sweep yields %v", addr)
			}
		}
		w := newWatcher(t, p)
		add(t, w, 7, anycast)
		for id, r := range w.Replies(t.Context()) {
			if check("Watcher", r); id != 7 {
				t.Errorf("Watcher yields %d", id)
			}
			break
		}
		var hops []netip.Addr
		for h, err := range p.Trace(t.Context(), anycast) {
			if err != nil || h.Reached() != (h.Distance == 2) {
				t.Errorf("Trace: %v, %v", h, err)
			}
			hops = append(hops, h.Addrs()...)
		}
		if !slices.Equal(hops, []netip.Addr{near.Addr(), from}) {
			t.Errorf("Trace goes by %v", hops)
		}
		if mtu, err := p.PathMTU(t.Context(), anycast); mtu != 1400 || err != nil {
			t.Errorf("PathMTU: %d, %v", mtu, err)
		}
		if c := p.Counters(); c.Stray != 0 || c.InFlight != 0 {
			t.Errorf("counters %+v", c)
		}
		// Without the whole secret in it, it would prove nothing.
		r, err = p.Ping(t.Context(), anycast, ping.WithSize(7))
		if r.From.IsValid() || !errors.Is(err, ping.ErrTimeout) || errors.As(err, new(*ping.ElsewhereError)) {
			t.Errorf("7 bytes: %+v", r)
		}
	})
}

// Several who answer for one address are duplicates, each told with its own.
func TestAnycastSeveral(t *testing.T) {
	const anycast = "2001:db8::"
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			one, two := echoed(m), echoed(m)
			one.Addr = one.Addr.Next()
			two.Addr = one.Addr.Next()
			return []delayed{{ms, one}, {2 * ms, two}, {3 * ms, echoed(m)}}
		}))
		var got []string
		for r, err := range p.Stream(t.Context(), anycast, ping.WithCount(2), ping.WithAnomalies(true)) {
			if err != nil || r.Err != nil && r.Err != ping.ErrDuplicate || (r.Err == nil) != (r.RTT == ms) {
				t.Errorf("%+v, %v", r, err)
			}
			got = append(got, r.From.String())
		}
		if want := []string{"2001:db8::1", "2001:db8::2", anycast, "2001:db8::1"}; !slices.Equal(got, want) {
			t.Errorf("answers from %v, want %v", got, want)
		}
	})
}

// Over IPv4 an answer from another address is none; but the timeout says whose it was.
func TestAnsweredElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		h := n.Host(target, pingtest.AnswersFrom("192.0.2.9"))
		p := n.Pinger(t)
		_, err := p.Ping(t.Context(), target)
		var other *ping.ElsewhereError
		var timeout net.Error
		if !errors.As(err, &other) || other.From.String() != "192.0.2.9" || !errors.Is(err, ping.ErrTimeout) ||
			!errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
		if want := "ping 192.0.2.1: no reply in time: answered from 192.0.2.9"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		s, err := p.PingN(t.Context(), target, 2)
		if err != nil || s.Lost != 2 || s.Stray != 2 || s.Sent != 2 || s.SendErrors != 0 || s.Replies[1].From.IsValid() {
			t.Errorf("PingN: %+v, %v", s, err)
		}
		for _, err := range []error{p.Reachable(t.Context(), target), last(p.PathMTU(t.Context(), target))} {
			if !errors.As(err, &other) {
				t.Errorf("got %v", err)
			}
		}
		for h, err := range p.Trace(t.Context(), target, ping.WithMaxHops(1)) {
			if err != nil || h.Reached() || len(h.Addrs()) > 0 || !errors.As(h.Replies[0].Err, &other) {
				t.Errorf("Trace: %v, %v", h, err)
			}
		}
		if _, err := p.Ping(t.Context(), target, ping.WithSize(7)); errors.As(err, &other) {
			t.Errorf("7 bytes prove nothing: %v", err)
		}
		// It ends with the host's own answers.
		h.Set(pingtest.AnswersFrom(""))
		if r, err := p.Ping(t.Context(), target); err != nil || r.From != h.Addr() {
			t.Errorf("%+v, %v", r, err)
		}
		h.Set(pingtest.Down())
		if _, err := p.Ping(t.Context(), target); errors.As(err, &other) || !errors.Is(err, ping.ErrTimeout) {
			t.Errorf("silence: %v", err)
		}
	})
}

func last(_ int, err error) error { return err }

// An answer from elsewhere, and then the target's own, is an answer and a stray.
func TestElsewhereThenTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(_ int, m ping.Message) []delayed {
			stray := echoed(m)
			stray.Addr = stray.Addr.Next()
			return []delayed{{ms, stray}, {2 * ms, echoed(m)}}
		}))
		s, err := p.PingN(t.Context(), target, 2)
		if err != nil || s.Received != 2 || s.Stray != 2 || s.Replies[0].From != s.Target || s.Max != 2*ms {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// Whatever comes from a link-local address has the zone that the caller gave, not the kernel's number for it.
func TestZoneOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const host = "fe80::1%eth0"
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			own, other := echoed(m), echoed(m)
			own.Addr = netip.MustParseAddr("fe80::1%2")
			other.Addr = netip.MustParseAddr("fe80::2%2")
			if n == 1 {
				return []delayed{{ms, refusal(m, "fe80::fe%2", 1, 3)}}
			}
			return []delayed{{ms, other}, {2 * ms, own}, {1200 * ms, echoed(m)}}
		}))
		want := []string{"fe80::2%eth0", host, "fe80::fe%eth0", host, "fe80::2%eth0"}
		i := 0
		for r, err := range p.Stream(t.Context(), host, ping.WithCount(3), ping.WithAnomalies(true)) {
			if err != nil || i == len(want) || r.From.String() != want[i] {
				t.Errorf("reply %d: %+v, %v", i, r, err)
			}
			var refused *ping.ICMPError
			if errors.As(r.Err, &refused) && refused.From != r.From {
				t.Errorf("reply %d: from %v, and %v", i, r.From, refused)
			}
			i++
		}
	})
}
