package ping_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/pingtest"
)

// A limited is a Transport over a link of an MTU, at whose end no more than some packets a second get on.
type limited struct {
	ping.Transport
	local int
	every time.Duration          // for one packet; 0: no limit
	burst int                    // packets
	to    func(size int) bool    // which packets the limit is for
	lost  func(n, size int) bool // what else gets lost; nil: nothing

	full time.Time // when all of the burst may pass again
	sent int
}

func (l *limited) Send(messages []ping.Message) (int, error) {
	for i := range messages {
		m := &messages[i]
		size := packetSize(*m)
		if size > l.local {
			return i, ping.ErrTooBig
		}
		l.sent++
		if l.limit(size) || l.lost != nil && l.lost(l.sent, size) {
			m.Time = time.Now()
			continue
		}
		if _, err := l.Transport.Send(messages[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

// limit reports whether the limit drops a packet.
func (l *limited) limit(size int) bool {
	if l.every == 0 || !l.to(size) {
		return false
	}
	now := time.Now()
	if l.full.Before(now) {
		l.full = now
	}
	if l.full.Add(l.every).Sub(now) > time.Duration(l.burst)*l.every {
		return true
	}
	l.full = l.full.Add(l.every)
	return false
}

// A randomPath is a path of a random MTU, and of random faults.
type randomPath struct {
	seed         uint64
	v6           bool
	mtu, local   int
	blackHole    bool
	rtt          time.Duration
	loss         float64
	outage, back time.Duration // from, to; 0: none
	every        time.Duration // of a limit; 0: none
	burst        int
	here         bool // the limit is before the narrow link, else behind it
}

func newRandomPath(seed uint64) randomPath {
	r := rand.New(rand.NewPCG(seed, 1))
	p := randomPath{seed: seed, v6: r.IntN(2) == 0, blackHole: r.IntN(2) == 0,
		rtt: time.Duration(1 + r.Int64N(int64(200*ms)))}
	least := 68
	if p.v6 {
		least = 1280
	}
	switch r.IntN(3) {
	case 0:
		p.mtu = []int{1280, 1400, 1420, 1450, 1480, 1492, 1500, 9000}[r.IntN(8)]
	case 1:
		p.mtu = max(least, 500) + r.IntN(1500-max(least, 500))
	default:
		p.mtu = least + r.IntN(9001-least)
	}
	if p.local = 1500; p.mtu > 1500 || r.IntN(4) == 0 {
		p.local = 9000
	}
	if r.IntN(2) == 0 {
		p.loss = r.Float64() / 5
	}
	if r.IntN(2) == 0 {
		p.outage = time.Duration(r.Int64N(int64(3 * time.Second)))
		p.back = p.outage + time.Duration(r.Int64N(int64(2*time.Second)))
	}
	if r.IntN(2) == 0 {
		p.every = time.Second / time.Duration(1+r.IntN(20))
		p.burst = 1 + r.IntN(5)
		p.here = r.IntN(3) == 0
	}
	return p
}

// find measures the path.
func (p randomPath) find(t *testing.T) (mtu, sent int, took time.Duration, err error) {
	synctest.Test(t, func(t *testing.T) {
		host, router := "192.0.2.1", "192.0.2.254"
		if p.v6 {
			host, router = "2001:db8::1", "2001:db8::fe"
		}
		n := pingtest.NewNetwork().Seed(p.seed)
		limit := pingtest.MTU(p.mtu)
		if p.blackHole {
			limit = pingtest.BlackHole(p.mtu)
		}
		way := n.Host(router, pingtest.RTT(p.rtt/2), limit, pingtest.Loss(p.loss))
		if p.back > p.outage {
			way.At(p.outage, pingtest.Down()).At(p.back, pingtest.Up())
		}
		n.Host(host, pingtest.Behind(way), pingtest.RTT(p.rtt), pingtest.Loss(p.loss))
		transport := &limited{
			Transport: n.Transport(), local: p.local, every: p.every, burst: p.burst,
			to: func(size int) bool { return p.here || size <= p.mtu },
		}
		pinger := mustNew(t, ping.WithTransport(transport))
		start := time.Now()
		mtu, err = pinger.PathMTU(t.Context(), host)
		took, sent = time.Since(start), transport.sent
	})
	return mtu, sent, took, err
}

// Whatever befalls a path, its MTU is found exactly, or the error says that what was found is a bound.
func TestPathMTURandom(t *testing.T) {
	paths := skipped.AtLength(t, 300, 10_000)
	bounds := map[string]int{}
	var longest time.Duration
	most := 0
	for seed := range uint64(paths) {
		p := newRandomPath(seed)
		mtu, sent, took, err := p.find(t)
		longest, most = max(longest, took), max(most, sent)
		var refused *ping.ICMPError
		switch {
		case err == nil && mtu != p.mtu:
			t.Errorf("path %d, %+v: found %d after %d packets and %v", seed, p, mtu, sent, took)
		case err != nil && !errors.Is(err, ping.ErrTimeout) && !errors.As(err, &refused):
			t.Errorf("path %d, %+v: %v", seed, p, err)
		case mtu > p.mtu:
			t.Errorf("path %d, %+v: found %d with %v", seed, p, mtu, err)
		case err != nil:
			bounds[fmt.Sprint("of none: ", mtu == 0, ", limit here: ", p.here)]++
		}
	}
	t.Logf("bounds: %v of %d; longest %v, %d packets at most", bounds, paths, longest, most)
}
