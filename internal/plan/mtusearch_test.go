package plan

import (
	"fmt"
	"slices"
	"testing"
)

// A link is what a search meets: what is larger than mtu does not pass, and named is the MTU that is given for the
// reason, 0 for silence.
type link struct {
	mtu   int
	named func(size int) int
}

// search runs a search over a link to its end. It returns what was found, in how many rounds, and in how many of them
// something vanished without a word.
func (l link) search(t *testing.T, v6 bool) (found, rounds, silent int) {
	t.Helper()
	s := newMTUSearch(v6)
	for ; rounds < 64; rounds++ {
		sizes := s.next()
		if len(sizes) == 0 {
			return s.low, rounds, silent
		}
		quiet := false
		for _, size := range sizes {
			switch {
			case !s.open(size):
			case size <= l.mtu:
				s.passed(size)
			case l.named == nil:
				quiet = true
				s.failed(size, 0)
			default:
				s.failed(size, l.named(size))
			}
		}
		if quiet {
			silent++
		}
	}
	t.Fatalf("MTU %d: no end after %d rounds", l.mtu, rounds)
	return 0, 0, 0
}

// Every MTU is found exactly, whatever the routers say about it, and within few rounds.
func TestMTUSearch(t *testing.T) {
	for _, c := range []struct {
		name   string
		named  func(mtu, size int) int
		rounds int // at most
		usual  int // the same, for a plateau up to 9,000
	}{
		{"silence", nil, 9, 3},
		{"the MTU", func(mtu, _ int) int { return mtu }, 4, 3},
		{"0", func(int, int) int { return 0 }, 9, 3},
		{"10", func(int, int) int { return 10 }, 9, 3},
		{"what was sent", func(_, size int) int { return size }, 9, 3},
		{"more than was sent", func(_, size int) int { return size + 8 }, 9, 3},
		{"one less than was sent", func(_, size int) int { return size - 1 }, 9 + mtuHints, 3 + mtuHints},
		{"too little", func(mtu, _ int) int { return mtu - 20 }, 11, 5},
		{"too much", func(mtu, _ int) int { return mtu + 20 }, 11, 5},
		{"the least", func(int, int) int { return MinPacket6 }, 10, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, v6 := range []bool{false, true} {
				limits := newMTUSearch(v6)
				for mtu := limits.least; mtu <= limits.most+1; mtu++ {
					if mtu > 9100 && mtu%97 != 0 && mtu < limits.most-100 && mtu != 65536 {
						continue // enough is enough
					}
					l := link{mtu: mtu}
					if c.named != nil {
						l.named = func(size int) int { return c.named(mtu, size) }
					}
					found, rounds, _ := l.search(t, v6)
					if want := min(mtu, limits.most); found != want {
						t.Fatalf("found %d, want %d", found, want)
					}
					most := c.rounds
					if slices.Contains(plateaus, mtu) && mtu <= jumbo {
						most = c.usual
					}
					if rounds > most {
						t.Fatalf("%d took %d rounds, want %d at most", mtu, rounds, most)
					}
				}
			}
		})
	}
}

// In a black hole each round may cost up to two timeouts, so they are few.
func TestMTUSearchSilentRounds(t *testing.T) {
	worst := map[bool]int{}
	for mtu := MinPacket4; mtu <= MaxPacket4; mtu++ {
		usual := slices.Contains(plateaus, mtu) && mtu <= jumbo
		_, _, silent := link{mtu: mtu}.search(t, false)
		worst[usual] = max(worst[usual], silent)
	}
	if worst[true] > 2 || worst[false] > 7 {
		t.Errorf("up to %d silent rounds for a usual size, %d for another, want 2 and 7", worst[true], worst[false])
	}
}

// An MTU that makes no sense does not displace one that does.
func TestMTUSearchHint(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		s := newMTUSearch(v6)
		s.passed(1280)
		s.next()
		s.failed(1500, 1400)
		for _, mtu := range []int{-1, 0, 10, 67, 1480, 1481, 1500, 1 << 30} {
			s.failed(1480, mtu)
			if s.hint != 1400 {
				t.Fatalf("after an MTU of %d the hint is %d, want 1400", mtu, s.hint)
			}
		}
		if got := s.next(); !slices.Equal(got, []int{1400, 1401}) {
			t.Errorf("tries %v", got)
		}
	}
}

// What passed overrules what did not: a router that lied, or three losses in a row.
func TestMTUSearchContradiction(t *testing.T) {
	s := newMTUSearch(false)
	s.failed(1400, 1300)
	s.failed(1500, 0)
	s.passed(1450)
	if s.low != 1450 || s.high != 1500 || s.open(1400) || !s.open(1451) {
		t.Errorf("got %+v", s)
	}
	s.passed(9000)
	if s.low != 9000 || s.high != MaxPacket4+1 {
		t.Errorf("got %+v", s)
	}
	s.failed(9000, 8000)
	s.failed(576, 68)
	if s.low != 9000 || s.high != MaxPacket4+1 {
		t.Errorf("after the failure of what passed: %+v", s)
	}
}

// Over a network that does as it likes, a search still finds nothing that did not pass, tries nothing twice in a
// round, and comes to an end soon.
func FuzzMTUSearch(f *testing.F) {
	f.Add(false, []byte{0, 0, 0, 0})
	f.Add(true, []byte{1, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Add(false, []byte{0, 2, 3, 4, 5, 6, 7, 0, 0, 1, 1, 2, 2})
	f.Add(true, []byte("a path that treats no two packets alike"))
	f.Fuzz(func(t *testing.T, v6 bool, script []byte) {
		s := newMTUSearch(v6)
		passed := map[int]bool{}
		for round := 0; len(script) > 0; round++ {
			sizes := s.next()
			if len(sizes) == 0 {
				break
			}
			before := fmt.Sprint(s.low, s.high)
			seen := map[int]bool{}
			for _, size := range sizes {
				if seen[size] || size < s.least || size > s.most {
					t.Fatalf("round %d: tries %v", round, sizes)
				}
				seen[size] = true
				act := byte(2)
				if len(script) > 0 {
					act, script = script[0], script[1:]
				}
				switch act % 8 {
				case 0, 1:
					s.passed(size)
					passed[size] = true
				case 2:
					s.failed(size, 0)
				case 3:
					s.failed(size, size-1)
				case 4:
					s.failed(size, size+1)
				case 5:
					s.failed(size, size*int(act)/256)
				case 6:
					s.failed(size, -1)
				case 7:
					s.failed(size, 1<<31-1)
				}
			}
			if fmt.Sprint(s.low, s.high) == before || round == 40 {
				t.Fatalf("round %d of %v got nowhere: %+v", round, sizes, s)
			}
			if s.low >= s.high || s.low >= s.least && !passed[s.low] {
				t.Fatalf("round %d: %+v", round, s)
			}
		}
	})
}
