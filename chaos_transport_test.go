package ping_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

var (
	errOwn   = errors.New("the transport's own")
	errEnded = errors.New("the transport has come to its end")
)

// A moody transport refuses, panics and ends as it likes.
type moody struct {
	ping.Transport
	s     *storm
	moody netip.Addr // over whose messages it panics
	mad   atomic.Bool
	end   atomic.Bool

	mu sync.Mutex
	r  *rand.Rand
}

func (m *moody) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.r.IntN(n)
}

func (m *moody) Send(messages []ping.Message) (int, error) {
	for i := range messages {
		if messages[i].Addr == m.moody && recovers() {
			panic(errMood)
		}
	}
	if !m.mad.Load() {
		return m.Transport.Send(messages)
	}
	switch m.draw(40) {
	case 0:
		m.s.saw("Send has no room")
		return 0, fmt.Errorf("%w, today", ping.ErrNoRoom)
	case 1:
		m.s.saw("Send fails")
		return 0, errOwn
	case 2:
		n := m.draw(len(messages))
		m.s.saw("Send takes a part")
		if n > 0 {
			var err error
			if n, err = m.Transport.Send(messages[:n]); err != nil {
				return n, err
			}
		}
		return n, errOwn
	}
	return m.Transport.Send(messages)
}

func (m *moody) Receive(messages []ping.Message) (int, error) {
	n, err := m.Transport.Receive(messages)
	if err != nil && m.end.Load() {
		return n, errEnded
	}
	return n, err
}

// fail has Receive return an error of its own.
func (m *moody) fail() {
	m.s.saw("Receive ends with an error")
	m.end.Store(true)
	m.Transport.Close()
}

// recovers reports whether a panic here meets guarded, which recovers: it would end the process on a goroutine that is
// not the caller's.
func recovers() bool {
	pc := make([]uintptr, 200)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, ".(*actor).guarded") {
			return true
		}
		if !more {
			return false
		}
	}
}

// Callers do anything, over a Transport that does anything: each call ends, and each probe is counted once.
func TestChaosTransport(t *testing.T) {
	s := newStorm(t, *chaos, 600*ms, 2*time.Second)
	s.expected = []error{errOwn}
	start := time.Now()
	for n := 0; time.Since(start) < s.length; n++ {
		s.transportRound(n, min(s.length/4, time.Second))
	}
	s.finish("answered", "timed out", "ICMP error", "no room", "closed", "cut short", "not sent: "+errOwn.Error(),
		errMood.Error(), errIterator.Error(), errBody.Error(), "Send has no room", "Send fails", "Send takes a part",
		"Receive ends with an error", "Close by a log handler")
}

// transportRound is a round over a new network. In every third, the transports come to their end before Close.
func (s *storm) transportRound(n int, length time.Duration) {
	s.Helper()
	before := runtime.NumGoroutine()
	r := s.chance()
	network := pingtest.NewNetwork().Seed(s.seed + uint64(n))
	f := &field{silent: netip.MustParseAddr("192.0.2.3"), moody: netip.MustParseAddr("203.0.113.9")}
	for _, host := range chaosHosts(network) {
		f.hosts = append(f.hosts, host.Addr())
	}
	f.healthy = f.hosts[:2]
	f.swept = f.healthy

	var transports []*moody
	logs := &handler{s: s}
	for _, opts := range [][]ping.Option{nil, {ping.WithRate(5000), ping.WithLogger(slog.New(logs))}} {
		m := &moody{Transport: network.Transport(), s: s, moody: f.moody, r: s.chance()}
		p, err := ping.New(append(opts, ping.WithTransport(m), ping.WithResolver(network))...)
		if err != nil {
			s.Fatal(err)
		}
		transports = append(transports, m)
		f.pingers = append(f.pingers, p)
	}
	logs.pinger.Store(f.pingers[1])

	mad := func(on bool) {
		for _, m := range transports {
			m.mad.Store(on)
		}
	}
	early := n%3 == 1
	f.fault = func() { mad(r.IntN(3) > 0) }
	f.calm = func() {
		mad(false)
		if early && !transports[0].end.Load() {
			for _, m := range transports {
				m.fail()
			}
		}
	}
	f.ended = func() bool { return early }
	f.last = func() {
		logs.closes.Store(true)
		if n%3 == 2 {
			transports[1].fail()
		}
	}
	s.round(f, length)
	s.ended(before)
}

// chaosHosts are hosts of all kinds, two that are healthy first.
func chaosHosts(n *pingtest.Network) []*pingtest.Host {
	router := n.Host("198.51.100.1", pingtest.RTTBetween(0, 3*ms), pingtest.MTU(1400))
	second := n.Host("198.51.100.2", pingtest.Behind(router), pingtest.Loss(0.3), pingtest.MTU(1300))
	interfaces := pingtest.AnswersAbout(pingtest.Interface{Index: 1, Active: true})
	unreachable := ping.ICMPError{Type: 3, Code: 1, From: netip.MustParseAddr("198.51.100.1")}
	return []*pingtest.Host{
		n.Host("192.0.2.1", interfaces),
		n.Host("2001:db8::1", pingtest.RTTBetween(0, 2*ms)),
		n.Host("192.0.2.3", pingtest.Down()),
		n.Host("192.0.2.4", pingtest.Refuse(unreachable)),
		n.Host("192.0.2.5", pingtest.SendError(errOwn)),
		n.Host("192.0.2.6", pingtest.SendError(ping.ErrNoRoom)),
		n.Host("192.0.2.7", pingtest.Behind(second), pingtest.RTTBetween(0, 20*ms)),
		n.Host("192.0.2.8", pingtest.BlackHole(600), pingtest.Loss(0.2)),
		n.Host("192.0.2.2", pingtest.RTTBetween(0, 20*ms), pingtest.Loss(0.2), pingtest.Duplicates(0.2), interfaces,
			pingtest.Reordering(0.2, 5*ms), pingtest.Corruption(0.1), pingtest.Forgeries(0.1)),
		n.Host("2001:db8::2", pingtest.RTTBetween(0, 90*ms), pingtest.Loss(0.2), pingtest.Duplicates(0.2),
			pingtest.Forgeries(0.2), interfaces),
	}
}
