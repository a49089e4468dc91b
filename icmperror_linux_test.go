package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// An ICMP error comes as what it is, from whom it came, and with its own RTT.
func TestICMPErrors(t *testing.T) {
	responder := newResponder(t, nil)
	for _, c := range []struct {
		host      string
		typ, code byte
		info      uint32
		want      string
	}{
		{beyond4, 3, 0, 0, "destination network unreachable"},
		{beyond4, 3, 1, 0, "destination host unreachable"},
		{beyond4, 3, 2, 0, "destination protocol unreachable"},
		{beyond4, 3, 3, 0, "destination port unreachable"},
		{beyond4, 3, 9, 0, "destination network administratively prohibited"},
		{beyond4, 3, 10, 0, "destination host administratively prohibited"},
		{beyond4, 3, 13, 0, "communication administratively prohibited"},
		{beyond4, 11, 0, 0, "time to live exceeded"},
		{beyond4, 12, 0, 20 << 24, "parameter problem (code 0)"},
		{beyond6, 1, 0, 0, "no route to destination"},
		{beyond6, 1, 1, 0, "communication administratively prohibited"},
		{beyond6, 1, 3, 0, "destination address unreachable"},
		{beyond6, 1, 4, 0, "destination port unreachable"},
		{beyond6, 1, 6, 0, "route to destination rejected"},
		{beyond6, 2, 0, 1280, "packet too big (MTU 1280)"},
		{beyond6, 3, 0, 0, "hop limit exceeded"},
		{beyond6, 4, 1, 6, "parameter problem (code 1)"},
	} {
		t.Run(fmt.Sprintf("%s-%d-%d", c.host, c.typ, c.code), func(t *testing.T) {
			responder.SetScript(func(r *netlab.Request) []netlab.Answer {
				return []netlab.Answer{r.Error(router(r.Dst), c.typ, c.code, c.info, -1).Later(5 * ms)}
			})
			overEachKind(t, func(t *testing.T, kind ping.Option) {
				from := router(netip.MustParseAddr(c.host))
				r, err := openPinger(t, kind).Ping(t.Context(), c.host)
				var e *ping.ICMPError
				if !errors.As(err, &e) || e.Type != int(c.typ) || e.Code != int(c.code) || e.From != from {
					t.Fatalf("got %+v, %v", r, err)
				}
				if want := "ping " + c.host + ": " + c.want + ", from " + from.String(); err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
				if r.From != from || r.RTT < 5*ms || r.TTL != 64 {
					t.Errorf("reply is %+v", r)
				}
			})
		})
	}
}

// Redirect and source quench are advice: the probe goes on.
func TestAdvice(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		from := router(r.Dst)
		return []netlab.Answer{r.Error(from, 5, 1, 0, -1), r.Error(from, 4, 0, 0, -1), r.Echo().Later(5 * ms)}
	})
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		t.Run(kind.String(), func(t *testing.T) {
			p := openPinger(t, ping.WithSocket(kind))
			s, err := p.PingN(t.Context(), beyond4, 3, ping.WithInterval(10*ms))
			if err != nil || s.Received != 3 || s.Errors != 0 {
				t.Errorf("got %v, %v", s, err)
			}
			// Raw sockets are not told (net/ipv4/raw.c, raw_err).
			if c := p.Counters(); c.Advice != 6 && kind == ping.SocketDatagram {
				t.Errorf("counters are %+v", c)
			}
		})
	}
}

// The errors of one target cost another neither a probe nor an RTT.
func TestErrorsOfAnother(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.Dst.String() == far4 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{unreachable(r, r.Packet)}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), fmt.Sprintf("203.0.113.%d", 10+i), 500, ping.WithInterval(0))
				if err != nil || s.Errors != 500 || s.SendErrors != 0 {
					t.Errorf("the refused: %v, %v", s, err)
				}
			})
		}
		for range 4 {
			wg.Go(func() {
				s, err := p.PingN(t.Context(), far4, 500, ping.WithInterval(0))
				if err != nil || s.Received != 500 || s.SendErrors != 0 {
					t.Errorf("the healthy: %v, %v", s, err)
				}
			})
		}
		wg.Wait()
	})
}

// An ICMP error that comes while the send buffer is full of what waits for silent neighbours: epoll then reports an
// error alone, which the runtime's poller takes for the end of the descriptor.
func TestErrorWhileNotWritable(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{unreachable(r, r.Packet).Later(20 * ms)}
	})
	ns := netlab.Self(t)
	netlab.Link(t, ns, "void0", netlab.New(t), "void1")
	ns.Addr(t, "void0", netip.MustParsePrefix("192.0.2.1/24"))
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, fd := range icmpSockets(t) {
			// What most systems' net.core.wmem_max allows.
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 212992)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		const silent = 300
		for i := range silent {
			wg.Go(func() { p.Ping(ctx, fmt.Sprintf("192.0.2.%d", 2+i%250), ping.WithTimeout(time.Minute)) })
		}
		eventually(t, "most are sent", func() bool { return p.Counters().Sent > silent/2 })
		var e *ping.ICMPError
		for range 3 {
			if _, err := p.Ping(t.Context(), beyond4, ping.WithTimeout(10*time.Second)); !errors.As(err, &e) {
				t.Errorf("the refused: %v", err)
			}
			if _, err := p.Ping(t.Context(), "127.0.0.1", ping.WithTimeout(10*time.Second)); err != nil {
				t.Errorf("another: %v", err)
			}
		}
	})
}
