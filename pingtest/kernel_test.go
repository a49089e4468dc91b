package pingtest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// became is what became of a probe, in a word.
func became(err error) string {
	var e *ping.ICMPError
	switch {
	case err == nil:
		return "answered"
	case errors.As(err, &e) && e.MTU > 0:
		return fmt.Sprint("too big for ", e.MTU)
	case errors.As(err, &e):
		return e.Reason()
	case errors.Is(err, syscall.EMSGSIZE):
		return "too big to leave"
	}
	return ping.ErrorKind(err)
}

// outcomes is what became of n probes, one after another.
func outcomes(t *testing.T, p *ping.Pinger, host string, n int, opts ...ping.ProbeOption) string {
	var list []string
	for range n {
		_, err := p.Ping(t.Context(), host, opts...)
		list = append(list, became(err))
	}
	return strings.Join(list, ", ")
}

// Over IPv6 what is too big is refused, also where it may be fragmented. When the error has come the sender's kernel
// sends to that host in fragments, for 10 minutes, for all Pingers, but for those that may not.
func TestPathMTURemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		router := n.Host("2001:db8::fe", pingtest.MTU(1300), pingtest.RTT(100*ms))
		n.Host(six, pingtest.Behind(router))
		n.Host("2001:db8::2", pingtest.Behind(router))
		p, other := n.Pinger(t, ping.WithSize(1400)), n.Pinger(t, ping.WithSize(1400))
		step := func(name string, p *ping.Pinger, host string, probes int, want string, opts ...ping.ProbeOption) {
			t.Helper()
			if got := outcomes(t, p, host, probes, opts...); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		router.Set(pingtest.LoseNext(1))
		step("the error is lost", p, six, 1, "timeout")
		s, err := p.PingN(t.Context(), six, 2, ping.WithInterval(50*ms))
		if err != nil || s.Errors != 2 {
			t.Errorf("the error is under way: %v, %v", s, err)
		}
		step("it has come", p, six, 2, "answered, answered")
		step("to another Pinger too", other, six, 1, "answered")
		step("not to be fragmented", p, six, 2, "too big for 1300, too big for 1300", ping.WithDontFragment(true))
		step("to another host", p, "2001:db8::2", 2, "too big for 1300, answered")
		time.Sleep(10*time.Minute - 2*time.Second)
		step("for 10 minutes", other, six, 1, "answered")
		time.Sleep(2 * time.Second)
		step("and no longer", other, six, 2, "too big for 1300, answered")
		router.Set(pingtest.MTU(1280))
		step("narrower", p, six, 2, "too big for 1280, answered")
		router.Set(pingtest.MTU(1000))
		step("less than IPv6 allows", p, six, 2, "too big for 1000, too big for 1000")
		router.Set(pingtest.BlackHole(1000))
		step("a black hole", p, six, 1, "timeout")
		router.Set(pingtest.MTU(1500))
		step("wide again", p, six, 1, "answered")
	})
}

// Over IPv4 the way fragments what may be, and the kernel, told not to, heeds no MTU that it has learned.
func TestFragments4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host(four, pingtest.MTU(1300))
		p := n.Pinger(t, ping.WithSize(1400))
		for _, c := range []struct {
			whole bool
			want  string
		}{{false, "answered"}, {true, "too big for 1300"}, {false, "answered"}, {true, "too big for 1300"}} {
			if got := outcomes(t, p, four, 1, ping.WithDontFragment(c.whole)); got != c.want {
				t.Errorf("whole %v: %q, want %q", c.whole, got, c.want)
			}
		}
	})
}

func TestLinkMTU(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr)
		if n.LinkMTU(1400) != n {
			t.Error("another network")
		}
		p := n.Pinger(t)
		overhead := map[string]int{four: 28, six: 48}[addr]
		whole := ping.WithDontFragment(true)
		for _, c := range []struct {
			size int
			opts []ping.ProbeOption
			want string
		}{
			{1400, []ping.ProbeOption{whole}, "answered"},
			{1401, []ping.ProbeOption{whole}, "too big to leave"},
			{1401, nil, "answered"},
		} {
			if got := outcomes(t, p, addr, 1, append(c.opts, ping.WithSize(c.size-overhead))...); got != c.want {
				t.Errorf("%d bytes: %q, want %q", c.size, got, c.want)
			}
		}
		if c := h.Counts(); c.NotSent != 1 || c.Answered != 2 {
			t.Errorf("counts %+v", c)
		}
		// Its own fragments are what a narrower link meets.
		h.Set(pingtest.MTU(1400))
		if got := outcomes(t, p, addr, 2, ping.WithSize(2000)); got != "answered, answered" {
			t.Errorf("a link as wide: %q", got)
		}
		if mtu, err := p.PathMTU(t.Context(), addr); mtu != 1400 || err != nil {
			t.Errorf("path MTU %d, %v, want 1400", mtu, err)
		}
		n.LinkMTU(0)
		h.Set(pingtest.MTU(0))
		if got := outcomes(t, p, addr, 1, ping.WithSize(9000), whole); got != "answered" {
			t.Errorf("without a limit: %q", got)
		}
	})
}

func TestLinkLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		h := n.Host("fe80::1")
		p := n.Pinger(t)
		if r, err := p.Ping(t.Context(), "fe80::1%eth0"); err != nil || r.From.WithZone("") != h.Addr() {
			t.Errorf("with a zone: %+v, %v", r, err)
		}
		_, err := p.Ping(t.Context(), "fe80::1")
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "fe80::1 is link-local and needs a zone") {
			t.Errorf("without: %v", err)
		}
		if c := h.Counts(); c.Answered != 1 || c.NotSent != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

// A redirect redirects, and what is redirected goes on, past whatever else there is.
func TestRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		router := n.Host("192.0.2.254", pingtest.Refuse(ping.ICMPError{Type: 5, Code: 1}), pingtest.RTT(3*ms))
		h := n.Host(four, pingtest.Behind(router), pingtest.RTT(20*ms))
		p := n.Pinger(t)
		if r, err := p.Ping(t.Context(), four); err != nil || r.RTT != 20*ms || p.Counters().Advice != 1 {
			t.Errorf("%+v, %v, %+v", r, err, p.Counters())
		}
		answers := h.Records()[0].Answers
		if len(answers) != 2 || answers[0].From != router.Addr() || answers[0].Err == nil || answers[1].Err != nil {
			t.Errorf("answers %+v", answers)
		}
		router.Set(pingtest.LoseNext(1))
		if got := outcomes(t, p, four, 1); got != "answered" || p.Counters().Advice != 1 {
			t.Errorf("a redirect that gets lost: %s", got)
		}
		h.Set(pingtest.Refuse(ping.ICMPError{Type: 3, Code: 10}))
		if got := outcomes(t, p, four, 1); got != "destination host administratively prohibited" {
			t.Errorf("refused beyond: %s", got)
		}
		h.Set(pingtest.Refuse(ping.ICMPError{Type: 5}))
		if got := outcomes(t, p, four, 1); got != "answered" {
			t.Errorf("redirected by the host itself: %s", got)
		}
		if c := h.Counts(); c.Answered != 3 || c.Refused != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

// A neighbour that is missing is asked for its address for 3 s: all requests of these end together. What is behind a
// router, or has an RTT, is refused as soon as that has it.
func TestUnreachableNeighbour(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		router := n.Host(map[string]string{four: "192.0.2.254", six: "2001:db8::ffff"}[addr])
		h := n.Host(addr, pingtest.Unreachable(router.String()))
		p := n.Pinger(t, ping.WithTimeout(10*time.Second))
		rtts := func(count int) (list []time.Duration) {
			s, err := p.PingN(t.Context(), addr, count)
			if err != nil || s.Errors != count {
				t.Fatalf("%v, %v", s, err)
			}
			for _, r := range s.Replies {
				list = append(list, r.RTT)
			}
			return list
		}
		want := []time.Duration{3 * time.Second, 2 * time.Second, time.Second, 3 * time.Second, 2 * time.Second}
		if got := rtts(5); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := outcomes(t, p, addr, 1, ping.WithTimeout(time.Second)); got != "timeout" {
			t.Errorf("in a second: %s", got)
		}
		time.Sleep(time.Minute)
		h.Set(pingtest.Behind(router))
		if got := rtts(1); got[0] != ms {
			t.Errorf("behind a router: %v", got)
		}
		h.Set(pingtest.Behind(nil), pingtest.RTT(40*ms))
		if got := rtts(2); got[0] != 40*ms || got[1] != 40*ms {
			t.Errorf("with an RTT of 40 ms: %v", got)
		}
	})
}

// What the own host drops is no loss of the network's.
func TestLocalDrops(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		h := n.Host(addr, pingtest.LocalDrops(1), pingtest.Duplicates(1), pingtest.RTT(30*ms))
		p := n.Pinger(t)
		r, err := p.Ping(t.Context(), addr)
		if !errors.Is(err, ping.ErrLocalDrop) || r.Sent.IsZero() {
			t.Errorf("%+v, %v", r, err)
		}
		if c := p.Counters(); c.LocalDrops != 1 {
			t.Errorf("%+v", c)
		}
		h.Set(pingtest.LocalDrops(0.5), pingtest.Duplicates(0))
		s, err := p.PingN(t.Context(), addr, 1000, ping.WithInterval(10*ms))
		if err != nil || s.LocalDrops < 400 || s.LocalDrops > 600 || s.Lost != s.LocalDrops || s.Loss() != 0 {
			t.Errorf("half of them: %v, %d dropped, %v", s, s.LocalDrops, err)
		}
		h.Set(pingtest.LocalDrops(1), pingtest.Refuse(ping.ICMPError{Type: 1, Code: 1}))
		if _, err := p.Ping(t.Context(), addr); !errors.Is(err, ping.ErrLocalDrop) {
			t.Errorf("an ICMP error: %v", err)
		}
		if c := h.Counts(); c.Requests != 1002 || c.Dropped != s.LocalDrops+2 || c.Dropped+c.Answered != 1002 {
			t.Errorf("counts %+v", c)
		}
		if fate := h.Records()[0].Fate; fate != pingtest.Answered && fate.String() != "dropped" {
			t.Errorf("fate %v", fate)
		}
	})
}

// Names may fail for a while.
func TestLookupError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		down := &net.DNSError{Err: "server misbehaving", Name: "gw", IsTemporary: true}
		h := n.Host(four, pingtest.Names("gw"))
		n.Host(six, pingtest.Names("gw", "other"))
		h.At(10*time.Second, pingtest.LookupError(down)).At(20*time.Second, pingtest.LookupError(nil))
		p := n.Pinger(t)
		look := func() error {
			_, err := p.Ping(t.Context(), "gw")
			return err
		}
		if err := look(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if err := look(); !errors.Is(err, down) || ping.ErrorKind(err) != "name" {
			t.Errorf("while it fails: %v", err)
		}
		if _, err := p.Ping(t.Context(), "other"); err != nil {
			t.Errorf("another name: %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := look(); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// Where sockets cannot be opened New is refused, and Reopen, which leaves the Pinger as it was; else it has another
// identifier, and what is in flight settles.
func TestOpening(t *testing.T) {
	inBubble(t, func(t *testing.T, n *pingtest.Network, addr string) {
		n.Host(addr, pingtest.RTT(100*ms))
		n.OpenError(ping.ErrNotPermitted)
		if _, err := ping.New(n.Options()...); !errors.Is(err, fs.ErrPermission) || ping.ErrorKind(err) != "not_permitted" {
			t.Errorf("New: %v", err)
		}
		n.OpenError(nil)
		p := n.Pinger(t)
		var calls sync.WaitGroup
		calls.Go(func() {
			if s, err := p.PingN(t.Context(), addr, 20, ping.WithInterval(30*ms)); err != nil || s.Received != 20 {
				t.Errorf("across: %v, %v", s, err)
			}
		})
		time.Sleep(250 * ms)
		n.OpenError(syscall.EMFILE)
		if err := p.Reopen(); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("Reopen: %v", err)
		}
		n.OpenError(nil)
		if err := p.Reopen(); err != nil {
			t.Error(err)
		}
		calls.Wait()
		ids := map[uint16]int{}
		for _, r := range n.Records() {
			ids[r.ID]++
		}
		if len(ids) != 2 || ids[1] < 8 || ids[1] > 10 || ids[1]+ids[2] != 20 {
			t.Errorf("requests by identifier: %v", ids)
		}
		if c := p.Counters(); c.Sent != 20 || c.Received != 20 {
			t.Errorf("counters %+v", c)
		}
		for range 3 {
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
		if got := outcomes(t, p, addr, 1); got != "answered" || p.Counters().Sent != 21 {
			t.Errorf("after more: %s, %+v", got, p.Counters())
		}
		p.Close()
		if err := p.Reopen(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Two Pingers of one list of options do not share what they have.
func TestOptionsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		n.Host(four)
		opts := n.Options()
		first, err := ping.New(opts...)
		if err != nil {
			t.Fatal(err)
		}
		second, err := ping.New(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		first.Close()
		if _, err := second.Ping(context.Background(), four); err != nil {
			t.Error(err)
		}
	})
}
