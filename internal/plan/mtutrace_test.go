package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A narrowing path is what an MTUTrace meets: what gets to each distance, from 0 on.
type narrowing struct {
	mtu     []int
	silent  []bool // who answers nothing there
	hole    []bool // who says nothing of what is too big, where it is less than before
	lossy   bool
	limited bool // each but the target answers six times, and then once a second
	random  *rand.Rand
	tokens  []int64 // when six more answers may come from there
}

// answer says what becomes of a packet.
func (p *narrowing) answer(now int64, size, ttl int) (o Outcome, named int, after int64) {
	last := len(p.mtu) - 1
	if size > p.mtu[0] {
		return TooBigHere, 0, 0
	}
	if p.lossy && p.random.IntN(10) == 0 {
		return Silent, 0, timeout
	}
	for d := 1; d <= min(ttl, last); d++ {
		if size > p.mtu[d] {
			if p.hole[d] {
				return Silent, 0, timeout
			}
			return TooBig, p.mtu[d], int64(d) * ms
		}
	}
	if ttl >= last {
		return Answered, 0, int64(last) * ms
	}
	if p.silent[ttl] {
		return Silent, 0, timeout
	}
	if p.limited {
		const second = 1000 * ms
		if p.tokens[ttl] = max(p.tokens[ttl], now-6*second); p.tokens[ttl]+second > now {
			return Silent, 0, timeout
		}
		p.tokens[ttl] += second
	}
	return InTransit, 0, int64(ttl) * ms
}

// run returns the steps, and how many packets left.
func (p *narrowing) run(t *testing.T, m *MTUTrace) (steps []MTUStep, sent int) {
	type settlement struct {
		tag   int64
		o     Outcome
		named int
		at    int64
	}
	var inFlight []settlement
	now := int64(10_000 * ms)
	for !m.Done() {
		size, ttl, tag, at, ok := m.Next(now)
		i := 0
		for k := range inFlight {
			if inFlight[k].at < inFlight[i].at {
				i = k
			}
		}
		switch {
		case ok && (len(inFlight) == 0 || at < inFlight[i].at):
			now = max(now, at)
			m.Sent(now)
			o, named, after := p.answer(now, size, ttl)
			if o != TooBigHere {
				sent++
			}
			if sent > 100_000 {
				t.Fatal("it does not end")
			}
			inFlight = append(inFlight, settlement{tag, o, named, now + after})
		case len(inFlight) > 0:
			s := inFlight[i]
			inFlight = slices.Delete(inFlight, i, i+1)
			now = max(now, s.at)
			if m.Settled(s.tag, s.o, s.named) {
				t.Fatal("it is fatal")
			}
		default:
			t.Fatal("it hangs")
		}
		for s, ok := m.Take(); ok; s, ok = m.Take() {
			steps = append(steps, s)
		}
	}
	return steps, sent
}

// What gets to each distance is found exactly, where somebody answers.
func TestMTUTracePaths(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 2))
		hops := 1 + random.IntN(8)
		p := narrowing{
			mtu: []int{1280 + random.IntN(8000)}, silent: make([]bool, hops+1), hole: make([]bool, hops+1),
			lossy: random.IntN(3) == 0, limited: random.IntN(3) == 0, random: random, tokens: make([]int64, hops+1),
		}
		want := []MTUStep{{MTU: p.mtu[0]}}
		for d := 1; d <= hops; d++ {
			mtu := p.mtu[d-1]
			if random.IntN(3) == 0 {
				mtu = 1280 + random.IntN(mtu-1279)
			}
			p.mtu = append(p.mtu, mtu)
			p.silent[d] = d < hops && random.IntN(5) == 0
			p.hole[d] = random.IntN(4) == 0
			s := MTUStep{Distance: d, MTU: mtu, Reached: d == hops}
			if p.silent[d] {
				s.MTU = 0
			}
			want = append(want, s)
		}
		got, _ := p.run(t, NewMTUTrace(false, 5, 30, 0, time.Duration(timeout)))
		if !slices.Equal(got, want) {
			t.Fatalf("path %d, %+v:\ngot  %+v\nwant %+v", seed, p, got, want)
		}
	}
}

// In a tidy path each distance takes three packets, this host's link one, and a narrowing two more: routers limit their
// answers.
func TestMTUTraceFew(t *testing.T) {
	p := narrowing{mtu: []int{1500, 1500, 1500, 1400, 1400}, silent: make([]bool, 5), hole: make([]bool, 5)}
	steps, sent := p.run(t, NewMTUTrace(false, 5, 30, 0, time.Duration(timeout)))
	if last := steps[len(steps)-1]; last != (MTUStep{Distance: 4, MTU: 1400, Reached: true}) || sent > 1+4*3+2 {
		t.Errorf("%d packets, last %+v", sent, last)
	}
}

// It ends where the path does, after a gap, and at the last distance.
func TestMTUTraceEnds(t *testing.T) {
	for name, c := range map[string]struct {
		outcome Outcome // of all beyond distance 2
		gap     int
		want    MTUStep // the last
	}{
		"refused":  {Refused, 0, MTUStep{Distance: 3, Refused: true}},
		"too big":  {TooBig, 0, MTUStep{Distance: 9}},
		"gap":      {Silent, 4, MTUStep{Distance: 6}},
		"distance": {Silent, 0, MTUStep{Distance: 9}},
	} {
		m := NewMTUTrace(false, 1, 9, c.gap, time.Duration(timeout))
		var last MTUStep
		for now := int64(0); !m.Done(); now += timeout {
			size, ttl, tag, _, ok := m.Next(now)
			if !ok {
				t.Fatalf("%s: it hangs", name)
			}
			m.Sent(now)
			o := InTransit
			switch {
			case size > 1500:
				o = TooBigHere
			case ttl > 2:
				o = c.outcome
			}
			m.Settled(tag, o, 0)
			for s, ok := m.Take(); ok; s, ok = m.Take() {
				last = s
			}
		}
		if last != c.want {
			t.Errorf("%s: ends with %+v, want %+v", name, last, c.want)
		}
	}
	if got := MTUTraceDistance(255<<mtuDistanceShift | 7<<32 | MaxPacket6); got != 255 {
		t.Errorf("distance %d, want 255", got)
	}
}
