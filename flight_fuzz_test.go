package ping

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var (
	modelAddrs    = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")}
	modelTimeouts = []time.Duration{1, time.Millisecond, 20 * time.Millisecond, time.Second, math.MaxInt64}
	modelMoments  = []int64{0, 1, 1000, 200_000, 3e6, 7e6, 30e6, 1e9}
	modelSteps    = []int64{1, 400_000, 10e6, 3600e9, -400_000, -10e6, -3600e9}
	modelSizes    = []int{56, 8, 4, 0, 300}
	modelFroms    = []netip.Addr{netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::fe")}
)

var modelTemplates = func() (list [][2][]byte) {
	for _, size := range modelSizes {
		four, _ := newTemplate(false, size)
		six, _ := newTemplate(true, size)
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

// FuzzFlight has anything happen to the table of probes, in any order, and holds it against the model after each step:
// every probe ends once, by its own answer or none, the counters add up, and what the table remembers hangs together.
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
	fl := newTestFlight()
	fl.wire = config&1 != 0
	if config&2 != 0 {
		fl.window.limit = 12 * messageCost(56)
		fl.window.most = fl.window.limit
	}
	m := &model{T: t, flight: fl, now: stamp{wall: 1e18, mono: 1}, holders: map[uint16]*modelProbe{}}
	for len(s) > 0 && !t.Failed() {
		m.step(&s)
		m.check()
	}
	m.end()
}

// step lets one thing happen.
func (m *model) step(s *script) {
	f := m.flight
	switch op := s.next() % 20; op {
	case 0:
		m.pass(pick(s, modelMoments))
	case 1:
		m.now.wall += pick(s, modelSteps)
		m.steps++
	case 2:
		if len(m.inboxes) < 6 {
			in := &modelInbox{inbox: newInbox()}
			f.register(in.inbox)
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
			m.failed(p, errNotTaken)
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
		f.settleUnstamped(func(*arrival) bool { return true })
		for _, p := range m.probes {
			if p.state != sending {
				m.arriveHeld(p)
			}
		}
	case 16:
		f.expire(m.now.mono)
		m.expire()
	case 17:
		m.drops += uint64(s.next() % 4)
		m.noteDrops()
		m.drained()
	case 18:
		if n := s.next(); n%8 == 0 {
			f.drain(errDrained)
			m.drain()
		} else if len(m.inboxes) > 0 {
			m.release(n % len(m.inboxes))
		}
	case 19:
		if p := pick(s, m.probes); p != nil { // the numbers have gone round
			f.next = p.seq
		}
	}
}

var errDrained = errors.New("drained")

// reply makes something like a reply to a probe, which may be over by now.
func (m *model) reply(s *script, p *modelProbe) (*Message, int64) {
	msg := echoed(Message{Addr: p.dst, Data: appendEcho(nil, p.template, p.seq, p.cookie)})
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
	}
	return &msg, m.stamp(s, p, &msg)
}

// refusal makes something like an ICMP error about a probe.
func (m *model) refusal(s *script, p *modelProbe) (*Message, int64) {
	msg := Message{Addr: p.dst, Data: appendEcho(nil, p.template, p.seq, p.cookie), TTL: 63}
	from := modelFroms[family(p.dst.Is6())]
	msg.Err = &ICMPError{Type: icmpUnreachable, Code: 1, From: from}
	switch what := s.next(); what % 8 {
	case 0:
		msg.Addr = pick(s, modelAddrs)
	case 1:
		msg.Data = msg.Data[:min(8+s.next()%16, len(msg.Data))]
	case 2:
		i := s.next() % len(msg.Data)
		msg.Data[i] ^= byte(1 + s.next())
	case 3:
		msg.Err.Type = pick(s, []int{icmpRedirect, icmpSourceQuench, icmpTimeExceeded})
	}
	return &msg, m.stamp(s, p, &msg)
}

// stamp says when a message came. It returns the truth, or 0 if the stamp is none or a false one.
func (m *model) stamp(s *script, p *modelProbe, msg *Message) int64 {
	left := p.launched.mono + p.lag
	switch what := s.next(); what % 8 {
	case 0: // none
	case 1:
		msg.Time = time.Unix(0, pick(s, []int64{0, 1, math.MinInt64, math.MaxInt64, m.now.wall + 5, m.now.wall - 3600e9}))
	default:
		at := min(left+pick(s, modelMoments), m.now.mono)
		msg.Time = time.Unix(0, m.now.wall-(m.now.mono-at))
		if at >= left {
			return at
		}
	}
	return 0
}

// report tells when a probe left, or something like it.
func (m *model) report(s *script, p *modelProbe) {
	left := p.launched.add(p.lag)
	msg := &Message{departed: true, key: keyOf(p.seq, p.cookie), Time: time.Unix(0, left.wall)}
	switch what := s.next(); what % 8 {
	case 0:
		msg.key ^= 1 << (s.next() % 32)
	case 1:
		msg.Time = time.Time{}
	case 2:
		msg.Time = time.Unix(0, pick(s, []int64{0, math.MinInt64, math.MaxInt64, m.now.wall + 1}))
	}
	m.flight.accept(msg, m.now)
	for _, p := range m.probes {
		if (p.state == sending || p.state == waiting) && keyOf(p.seq, p.cookie) == msg.key {
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
	n := 2000
	if testing.Short() {
		n = 200
	}
	for i := range n {
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
