package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A hunt is an MTU on its way, in time of its own.
type hunt struct {
	mtu *MTU
	now int64
	// answer says what becomes of a packet, the nth of its size, from 0, and how long that takes.
	answer func(size, nth int) (o Outcome, named int, after int64)
	sent   map[int][]int64 // by size: when
	fatal  bool
}

// run goes on to the end, or to a refusal to send.
func (h *hunt) run(t testing.TB) {
	t.Helper()
	type settlement struct {
		tag     int64
		outcome Outcome
		named   int
		at      int64
	}
	var inFlight []settlement
	h.sent = map[int][]int64{}
	for turn := 0; !h.fatal && !h.mtu.Done(); turn++ {
		first := -1
		for i := range inFlight {
			if first < 0 || inFlight[i].at < inFlight[first].at {
				first = i
			}
		}
		size, tag, at, ok := h.mtu.Next(h.now)
		switch {
		case turn > 1_000_000:
			t.Fatal("it does not end")
		case ok && (first < 0 || at < inFlight[first].at):
			h.now = max(h.now, at)
			h.mtu.Sent(h.now)
			o, named, after := h.answer(size, len(h.sent[size]))
			h.sent[size] = append(h.sent[size], h.now)
			inFlight = append(inFlight, settlement{tag, o, named, h.now + after})
		case first >= 0:
			s := inFlight[first]
			inFlight = slices.Delete(inFlight, first, first+1)
			h.now = max(h.now, s.at)
			h.fatal = h.mtu.Settled(s.tag, s.outcome, s.named)
		default:
			t.Fatal("it hangs")
		}
	}
}

// A thousand paths are measured exactly, whatever their routers say, and though they lose all tries of a size but one.
func TestMTUPaths(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		v6 := random.IntN(2) == 0
		least, most, tries := MinPacket4, MaxPacket4, 1+random.IntN(5)
		if v6 {
			least, most = MinPacket6, MaxPacket6
		}
		mtu := least + random.IntN(most-least+2)
		if random.IntN(2) == 0 {
			mtu = least + random.IntN(10_000-least)
		}
		rtt, word := 1+random.Int64N(300*ms), random.IntN(8)
		lossy := random.IntN(2) == 0
		h := hunt{mtu: NewMTU(v6, tries, time.Duration(timeout))}
		h.answer = func(size, nth int) (Outcome, int, int64) {
			if size < least || size > most {
				t.Fatalf("seed %d: a packet of %d bytes", seed, size)
			}
			after := 1 + random.Int64N(rtt)
			if size <= mtu {
				if lossy && nth < tries-1 {
					return Silent, 0, timeout
				}
				return Answered, 0, after
			}
			switch word {
			case 0:
				return TooBig, mtu, after
			case 1:
				return TooBig, 0, after
			case 2:
				return TooBig, random.IntN(70_000) - 1000, after
			case 3:
				return TooBigHere, 0, after
			case 4:
				return Refused, 0, after
			case 5: // another each time, and MTUs of all sizes
				words := []Outcome{Silent, InTransit, TooBig, Refused, TooBigHere}
				return words[random.IntN(len(words))], random.IntN(size), after
			}
			return Silent, 0, timeout
		}
		h.run(t)
		if want := min(mtu, most); h.mtu.Found() != want || h.fatal {
			t.Fatalf("seed %d: found %d, want %d; fatal %v", seed, h.mtu.Found(), want, h.fatal)
		}
	}
}

// The tries of a size lie within one timeout, and no two rounds take more than two, where all is silence.
func TestMTUTries(t *testing.T) {
	for _, tries := range []int{1, 2, 5, 100} {
		h := hunt{mtu: NewMTU(false, tries, time.Duration(timeout))}
		h.answer = func(size, _ int) (Outcome, int, int64) {
			if size <= 1400 {
				return Answered, 0, 20 * ms
			}
			return Silent, 0, timeout
		}
		h.run(t)
		if h.mtu.Found() != 1400 {
			t.Errorf("%d tries: found %d", tries, h.mtu.Found())
		}
		apart := timeout / int64(tries)
		for size, at := range h.sent {
			if size > 1400 && len(at)%tries != 0 {
				t.Errorf("%d bytes were tried %d times, want %d", size, len(at), tries)
			}
			for i, a := range at {
				if size <= 1400 {
					continue
				}
				if k := i % tries; a-at[i-k] != int64(k)*apart {
					t.Errorf("%d tries: %d bytes leave at %v", tries, size, at)
					break
				}
			}
		}
		// A usual size takes at most two silent rounds, of two timeouts less what the tries are apart.
		if most := 2*(2*timeout-apart) + 100*ms; h.now > most {
			t.Errorf("%d tries took %v, more than %v", tries, time.Duration(h.now), time.Duration(most))
		}
	}
}

// What this host's link takes is known from the first packet that is too big for it: no more than one byte more is
// refused beside. Where the path carries as much, few packets leave, and the search takes few round trips.
func TestMTULink(t *testing.T) {
	const rtt = 20 * ms
	for _, c := range []struct {
		v6    bool
		link  int
		few   string // what is tried where each answer is there at once
		trips int64  // elsewhere
	}{
		{false, 68, "[68 9000 69 68]", 2},
		{false, 576, "[68 9000 576 577 576]", 3},
		{false, 1420, "[68 9000 1420 1421 1420]", 3},
		{false, 1433, "[68 9000 1420 1434 1433 1433]", 4},
		{false, 1500, "[68 9000 1500 1501 1500]", 3},
		{false, 9000, "[68 9000 65535 9001 9000]", 3},
		{true, 1280, "[1280 9000 1281 1280]", 2},
		{true, 1500, "[1280 9000 1500 1501 1500]", 3},
	} {
		for _, after := range []int64{0, rtt} {
			h := hunt{mtu: NewMTU(c.v6, 5, time.Duration(timeout))}
			tried, refused := []int{}, 0
			h.answer = func(size, _ int) (Outcome, int, int64) {
				tried = append(tried, size)
				if size > c.link {
					refused++
					return TooBigHere, c.link, 0
				}
				return Answered, 0, after
			}
			h.run(t)
			if h.mtu.Found() != c.link || h.mtu.Bound() || h.fatal {
				t.Errorf("a link of %d: found %d, bound %v, fatal %v", c.link, h.mtu.Found(), h.mtu.Bound(), h.fatal)
			}
			if got := fmt.Sprint(tried); after == 0 && got != c.few {
				t.Errorf("a link of %d: %s are tried, want %s", c.link, got, c.few)
			}
			if refused != 2 || h.now != c.trips*after || len(tried) > 14 {
				t.Errorf("a link of %d, RTT %v: %v are tried, %d are refused, and it takes %v",
					c.link, time.Duration(after), tried, refused, time.Duration(h.now))
			}
		}
	}
}

// What each outcome of a probe makes of the search.
func TestMTUSettled(t *testing.T) {
	type row struct {
		size int // of the probe that is settled
		o    Outcome
		mtu  int
		want bool // fatal
	}
	for _, c := range []struct {
		name  string
		tries int
		rows  []row
		found int
		done  bool
	}{
		{"the smallest unanswered", 2, []row{{68, Silent, 0, false}, {68, Silent, 0, false}}, 0, true},
		{"the smallest once", 2, []row{{68, Silent, 0, false}}, 0, false},
		{"the smallest refused", 5, []row{{68, Refused, 0, false}}, 0, true},
		{"the smallest ends on the way", 5, []row{{68, InTransit, 0, false}}, 0, true},
		{"the smallest too big", 5, []row{{68, TooBig, 40, false}}, 0, true},
		{"the smallest too big here", 5, []row{{68, TooBigHere, 0, false}}, 0, true},
		{"no room", 5, []row{{68, NoRoom, 0, true}}, 0, false},
		{"no room for a large one", 5, []row{{68, Answered, 0, false}, {9000, NoRoom, 0, true}}, 68, false},
		{"unsent", 2, []row{{68, Unsent, 0, false}}, 0, false},
		{"unsent at last", 2, []row{{68, Unsent, 0, false}, {68, Unsent, 0, true}}, 0, false},
		{"unsent first", 2, []row{{68, Unsent, 0, false}, {68, Silent, 0, false}}, 0, true},
		{
			"unsent, but known by then", 1,
			[]row{{68, Answered, 0, false}, {1500, Answered, 0, false}, {1492, Unsent, 0, false}}, 1500, false,
		},
		{
			"a refusal is one try", 1,
			[]row{{68, Answered, 0, false}, {1500, Answered, 0, false}, {9000, Refused, 0, false}}, 1500, false,
		},
		{"answered", 5, []row{{68, Answered, 0, false}, {576, Answered, 0, false}, {9000, Answered, 0, false}}, 9000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMTU(false, c.tries, time.Duration(timeout))
			tags := map[int]int64{}
			for i, r := range c.rows {
				now := int64(i) * timeout // each size is tried again
				for size, tag, at, ok := m.Next(now); ok && at <= now; size, tag, at, ok = m.Next(now) {
					if tag < 0 {
						t.Fatalf("tag %d", tag)
					}
					tags[size] = tag
					m.Sent(now)
				}
				if got := m.Settled(tags[r.size], r.o, r.mtu); got != r.want {
					t.Fatalf("row %d: fatal %v", i, got)
				}
			}
			if m.Found() != c.found || m.Done() != c.done {
				t.Errorf("found %d, done %v, want %d, %v", m.Found(), m.Done(), c.found, c.done)
			}
		})
	}
}

// The outcome of a probe of the round before is no try of this one, but what it proves counts.
func TestMTURoundBefore(t *testing.T) {
	m := NewMTU(false, 1, time.Duration(timeout))
	tags := map[int]int64{}
	send := func() (sizes []int) {
		for size, tag, at, ok := m.Next(7); ok && at == 7; size, tag, at, ok = m.Next(7) {
			m.Sent(7)
			tags[size] = tag
			sizes = append(sizes, size)
		}
		return sizes
	}
	if got := send(); !slices.Equal(got, []int{68}) {
		t.Fatalf("begins with %v", got)
	}
	m.Settled(tags[68], Answered, 0)
	if got := fmt.Sprint(send()); got != "[9000 1500 1492 1480 1460 1450 1420 1400 1280 576]" {
		t.Fatalf("goes on with %v", got)
	}
	m.Settled(tags[1420], TooBig, 1410)
	m.Settled(tags[1400], Answered, 0)
	old := tags[1460]
	if got := send(); !slices.Equal(got, []int{1411, 1410}) {
		t.Fatalf("and with %v", got)
	}
	m.Settled(old, Silent, 0)
	m.Settled(old, Unsent, 0)
	if m.Found() != 1400 || m.Done() {
		t.Errorf("an old silence makes it %d, %v", m.Found(), m.Done())
	}
	m.Settled(old, Answered, 0)
	if m.Found() != 1460 || m.Done() {
		t.Errorf("an old answer makes it %d, %v", m.Found(), m.Done())
	}
	old = tags[1480]
	if got := fmt.Sprint(send()); got != "[65535 9000 1500 1492 1480 1461]" {
		t.Fatalf("and with %v", got)
	}
	m.Settled(old, Silent, 0)
	if !m.search.open(1480) {
		t.Error("an old silence settles a size that is tried again")
	}
	m.Settled(tags[1480], Silent, 0)
	if !m.search.open(1480) {
		t.Error("a new silence settles a size though nothing that left later was answered")
	}
	m.Settled(tags[1461], Answered, 0)
	if m.search.open(1480) {
		t.Error("a new one does not")
	}
}

// A timeout that never ends is a number all the same.
func TestMTULongestTimeout(t *testing.T) {
	m := NewMTU(false, 1, math.MaxInt64)
	m.Next(0)
	m.Sent(int64(time.Hour))
	if m.start+m.apart < maxInterval || m.left+2*m.pause < maxInterval {
		t.Errorf("the next wave is due after %d, or %d", m.apart, m.pause)
	}
}
