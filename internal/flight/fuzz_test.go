package flight

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

var (
	modelAddrs = []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1"),
	}
	modelTimeouts = []time.Duration{1, time.Millisecond, 20 * time.Millisecond, time.Second, math.MaxInt64}
	modelMoments  = []int64{0, 1, 1000, 200_000, 3e6, 7e6, 30e6, 1e9}
	modelSteps    = []int64{1, 400_000, 10e6, 3600e9, -400_000, -10e6, -3600e9}
	modelSizes    = []int{56, 8, 4, 0, 300}
	modelFroms    = []netip.Addr{netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::fe")}
)

var modelTemplates = func() (list [][2][]byte) {
	for _, size := range modelSizes {
		four, _ := wire.NewTemplate(false, size)
		six, _ := wire.NewTemplate(true, size)
		list = append(list, [2][]byte{four, six})
	}
	return list
}()

// A script is bytes that decide what happens.
type script []byte

func (s *script) next() int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b)
}

func pick[T any](s *script, from []T) (v T) {
	if len(from) > 0 {
		v = from[s.next()%len(from)]
	}
	return v
}

// FuzzFlight has anything happen to the table of probes, in any order, and holds it against the model after each
// step: every probe ends once, by its own answer or none, the counters add up, and what the table remembers hangs
// together.
func FuzzFlight(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	for i := range 12 {
		f.Add(randomScript(r, i, 60*(i+1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		runModel(t, b)
	})
}

func runModel(t *testing.T, b []byte) {
	s := script(b)
	config := s.next()
	limit := 0
	if config&2 != 0 {
		limit = 12 * MessageCost(56)
	}
	table := New(limit, config&1 != 0, rand.New(rand.NewPCG(1, 2)).Uint64)
	m := &model{T: t, table: table, now: Stamp{Wall: 1e18, Mono: 1}, holders: map[uint16]*modelProbe{}}
	m.incurious = config&4 != 0
	if config&8 != 0 {
		m.flow = 7
	}
	for len(s) > 0 && !t.Failed() {
		m.step(&s)
		m.check()
	}
	m.end()
}

// step lets one thing happen.
func (m *model) step(s *script) {
	f := m.table
	switch op := s.next() % 22; op {
	case 0:
		m.pass(pick(s, modelMoments))
	case 1:
		m.now.Wall += pick(s, modelSteps)
		m.steps++
	case 2:
		if len(m.inboxes) < 6 {
			in := &modelInbox{Inbox: newInbox()}
			in.Anomalies = !m.incurious && m.registered%2 == 0
			m.registered++
			f.Register(in.Inbox)
			m.inboxes = append(m.inboxes, in)
		}
	case 3, 4, 5:
		m.take(s)
	case 6, 7:
		if p := pick(s, m.sending()); p != nil {
			m.sent(p)
		}
	case 8:
		if p := pick(s, m.sending()); p != nil {
			m.failed(p, errRefused)
		}
	case 9:
		if p := pick(s, m.sending()); p != nil {
			m.forget(p)
		}
	case 10, 11, 12:
		if p := pick(s, m.probes); p != nil {
			m.accept(m.reply(s, p))
		}
	case 13:
		if p := pick(s, m.probes); p != nil {
			m.accept(m.refusal(s, p))
		}
	case 14:
		if p := pick(s, m.probes); p != nil {
			m.report(s, p)
		}
	case 15:
		f.SettleUnstamped()
		for _, p := range m.probes {
			if p.state != sending {
				m.arriveHeld(p)
			}
		}
	case 16:
		f.Expire(m.now.Mono)
		m.expire()
	case 17:
		m.drops += uint64(s.next() % 4)
		m.noteDrops()
		m.drained()
	case 18:
		if n := s.next(); n%8 == 0 {
			f.Drain(errDrained)
			m.drain()
		} else if len(m.inboxes) > 0 {
			m.release(n % len(m.inboxes))
		}
	case 19:
		if p := pick(s, m.probes); p != nil { // the numbers have gone round
			f.next = p.Seq
		}
	case 20:
		m.collect()
	case 21:
		if p := pick(s, m.probes); p != nil { // a flood
			reply, truth := m.reply(s, p)
			for range s.next() % 128 {
				again := *reply
				m.accept(&again, truth)
			}
		}
	}
}

var (
	errDrained = errors.New("drained")
	errRefused = errors.New("refused")
)

// reply makes something like a reply to a probe, which may be over by now.
func (m *model) reply(s *script, p *modelProbe) (*wire.Packet, int64) {
	msg := echoed(wire.Packet{Addr: p.Dst, Data: wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie)})
	switch what := s.next(); what % 16 {
	case 0:
		msg.Addr = pick(s, modelAddrs)
	case 1:
		i := s.next() % len(msg.Data)
		msg.Data[i] ^= byte(1 + s.next())
	case 2:
		msg.Data = msg.Data[:s.next()%len(msg.Data)]
	case 3:
		msg.Data = append(msg.Data, byte(s.next()))
	case 4:
		msg.Data[1]++ // the code
	case 5:
		msg.Data[0] = byte(s.next())
	case 6:
		msg.Data[7] ^= byte(1 + s.next())
	case 7:
		msg.Addr = netip.Addr{}
	case 8:
		msg.Addr = modelFroms[family(p.Dst)]
	case 9:
		msg.Addr = modelFroms[family(p.Dst)]
		msg.Data = msg.Data[:s.next()%len(msg.Data)]
	}
	return &msg, m.stamp(s, p, &msg)
}

// refusal makes something like an ICMP error about a probe.
func (m *model) refusal(s *script, p *modelProbe) (*wire.Packet, int64) {
	msg := wire.Packet{Addr: p.Dst, Data: wire.AppendEcho(nil, p.Shape.Template, p.Seq, p.Cookie), TTL: 63}
	from := modelFroms[family(p.Dst)]
	msg.Err = &wire.Error{Type: wire.Unreachable4, Code: 1, From: from}
	switch what := s.next(); what % 8 {
	case 0:
		msg.Addr = pick(s, modelAddrs)
	case 1:
		msg.Data = msg.Data[:min(8+s.next()%16, len(msg.Data))]
	case 2:
		i := s.next() % len(msg.Data)
		msg.Data[i] ^= byte(1 + s.next())
	case 3:
		msg.Err.Type = pick(s, []int{wire.Redirect4, wire.SourceQuench4, wire.TimeExceeded4})
	}
	return &msg, m.stamp(s, p, &msg)
}

// stamp says when a message came. It returns the truth, or 0 if the stamp is none or a false one.
func (m *model) stamp(s *script, p *modelProbe, msg *wire.Packet) int64 {
	left := p.launched.Mono + p.lag
	switch what := s.next(); what % 8 {
	case 0: // none
	case 1:
		msg.Time = time.Unix(0, pick(s, []int64{0, 1, math.MinInt64, math.MaxInt64, m.now.Wall + 5, m.now.Wall - 3600e9}))
	default:
		at := min(left+pick(s, modelMoments), m.now.Mono)
		msg.Time = time.Unix(0, m.now.Wall-(m.now.Mono-at))
		if at >= left {
			return at
		}
	}
	return 0
}

// report tells when a probe left, or something like it.
func (m *model) report(s *script, p *modelProbe) {
	left := p.launched.Add(p.lag)
	msg := &wire.Packet{Departed: true, Key: departureKey(p.Seq, p.Cookie), Time: time.Unix(0, left.Wall)}
	switch what := s.next(); what % 8 {
	case 0:
		msg.Key ^= 1 << (s.next() % 32)
	case 1:
		msg.Time = time.Time{}
	case 2:
		msg.Time = time.Unix(0, pick(s, []int64{0, math.MinInt64, math.MaxInt64, m.now.Wall + 1}))
	}
	m.table.Accept(msg, m.now)
	if !m.table.reports {
		return // it has not asked for one
	}
	for _, p := range m.probes {
		if (p.state == sending || p.state == waiting) && departureKey(p.Seq, p.Cookie) == msg.Key {
			p.departed = msg.Time.UnixNano()
			if p.state == waiting {
				m.arriveHeld(p)
			}
		}
	}
}

// Long scripts of chance, the same each time, get further than a fuzzer does in a moment.
func TestFlightAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range skipped.AtLength(t, 400, 2000) {
		b := randomScript(r, i, 40+r.IntN(1200))
		if runModel(t, b); t.Failed() {
			t.Fatalf("script %d: %q", i, b)
		}
	}
}

// randomScript begins with how the table is set up, and with a call.
func randomScript(r *rand.Rand, config, length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0], b[1] = byte(config), 2
	return b
}
