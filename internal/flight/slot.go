package flight

import "net/netip"

const (
	minSlots = 1 << 12
	maxSlots = 1 << 16
	// maxInFlight leaves some slots at rest, so that a free one is found soon, and the late and duplicate
	// answers to the last few thousand probes are known for what they are.
	maxInFlight = maxSlots - minSlots
	// bulkInFlight leaves some room to the others.
	bulkInFlight = maxInFlight - maxInFlight/16
	// maxUnsent is how many probes may wait to be sent, 16 batches of 8, before no more are taken of those that can
	// wait elsewhere.
	maxUnsent = 16 * 8
)

// A state is where the probe that a slot was last taken for has got to.
type state uint8

const (
	vacant   state = iota // the slot was never taken, or its probe was not sent
	sending               // taken, its time of departure not yet known
	waiting               // sent, and among the deadlines
	answered              // by an echo reply
	expired               // given up, or ended by an ICMP error: a reply may yet come
)

// A slot is what the table knows of the last probe that had it, but for its inbox (owners), its deadline (deadlines),
// and when the kernel says it left (Table.departures): those are kept apart, so that a slot is one cache line of 64
// bytes, and is not touched by what becomes of other probes. It has no pointers, so that the garbage collector need
// not look at 65,536 of them.
type slot struct {
	dst    [16]byte // as netip.Addr.As16; a zone does not matter
	cookie uint64
	tag    int64
	sent   Stamp  // in sending, Mono is what Table.Shorten makes of the timeout, ns; 0: nothing
	lag    uint32 // how long after sent it left, ns: an estimate, for the later messages of a batch
	slice  uint32 // of the window
	seq    uint16
	size   uint16 // of what follows the header, bytes
	state  state
	held   state // where the answer in early or unstamped takes the probe; vacant: there is none

	extension uint8 // bytes of size before the payload; 0: it is no extended echo request
}

func (s *slot) inFlight() bool { return s.state == sending || s.state == waiting }

// isV6 reports whether the probe went to an IPv6 address.
func (s *slot) isV6() bool { return !netip.AddrFrom16(s.dst).Is4In6() }

// left is when the probe left, as far as the program knows.
func (s *slot) left() Stamp { return s.sent.Add(int64(s.lag)) }

// index is where the slot of a sequence number is, and what there is of it in departures.
func (t *Table) index(seq uint16) int { return int(seq) & (len(t.slots) - 1) }

// at returns the slot of a sequence number, which may be another's.
func (t *Table) at(seq uint16) *slot { return &t.slots[t.index(seq)] }

// find returns the slot of the last probe with the sequence number, nil if it has been taken for another since.
func (t *Table) find(seq uint16) *slot {
	if len(t.slots) == 0 {
		return nil
	}
	if s := t.at(seq); s.state != vacant && s.seq == seq {
		return s
	}
	return nil
}

// grow doubles the table.
func (t *Table) grow() {
	old, claims, departures := t.slots, t.owners.claims, t.departures
	n := max(2*len(old), minSlots)
	t.slots = make([]slot, n)
	t.owners.claims = make([]claim, n)
	t.deadlines.resize(n)
	if t.reports {
		t.departures = make([]int64, n)
	}
	for i := range old {
		if old[i].state == vacant {
			continue
		}
		seq := old[i].seq
		*t.at(seq) = old[i]
		*t.owners.claim(seq) = claims[i]
		if t.reports {
			t.departures[t.index(seq)] = departures[i]
		}
	}
}
