package pingtest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

// A Fate is what became of an echo request.
type Fate uint8

const (
	Answered  Fate = iota // a good echo reply was sent back
	Corrupted             // the echo reply was spoilt (Corruption)
	Refused               // an ICMP error was sent back
	Lost                  // the answer got lost by chance (Loss, LoseNext, LossBehind)
	Swallowed             // nobody answered: no such host, Down, Silent, BlackHole, or a limit (ErrorLimit, ReplyLimit)
	NotSent               // it could not be sent (SendError, LinkMTU, or an IPv6 link-local address without a zone)
	Dropped               // the answer came, and was dropped by the host that pings (LocalDrops)

	fates = iota
)

// String returns "answered", "corrupted", "refused", "lost", "swallowed", "not sent" or "dropped".
func (f Fate) String() string {
	if f < fates {
		return [fates]string{"answered", "corrupted", "refused", "lost", "swallowed", "not sent", "dropped"}[f]
	}
	return fmt.Sprintf("Fate(%d)", uint8(f))
}

// Counts says what became of a number of echo requests.
type Counts struct {
	Requests int // the sum of the seven that follow, which are as Fate has them

	Answered, Corrupted, Refused, Lost, Swallowed, NotSent, Dropped int

	Duplicates int // echo replies sent a second time
	Reordered  int // echo replies held back
	Forgeries  int // forged echo replies sent
}

func (c *Counts) add(f Fate) {
	c.Requests++
	switch f {
	case Answered:
		c.Answered++
	case Corrupted:
		c.Corrupted++
	case Refused:
		c.Refused++
	case Lost:
		c.Lost++
	case Swallowed:
		c.Swallowed++
	case NotSent:
		c.NotSent++
	case Dropped:
		c.Dropped++
	}
}

// Counts says what became of the echo requests to the host's address, whoever answered them.
func (h *Host) Counts() Counts {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	return h.counts
}

// Counts says what became of all echo requests, those to unknown addresses too.
func (n *Network) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.unknown
	for _, h := range n.order {
		c := h.counts
		sum.Requests += c.Requests
		sum.Answered += c.Answered
		sum.Corrupted += c.Corrupted
		sum.Refused += c.Refused
		sum.Lost += c.Lost
		sum.Swallowed += c.Swallowed
		sum.NotSent += c.NotSent
		sum.Dropped += c.Dropped
		sum.Duplicates += c.Duplicates
		sum.Reordered += c.Reordered
		sum.Forgeries += c.Forgeries
	}
	return sum
}

// A Record is one echo request, and what came of it.
type Record struct {
	Sent         time.Time  // when
	ID           uint16     // whose: the identifier on the wire, 1 for the network's first transport, and so on
	Seq          uint16     // the sequence number on the wire, which all calls of a Pinger share
	To           netip.Addr // the destination
	Size         int        // bytes of the ICMP message: the payload and 8
	TTL          int        // as asked for, 0 if it was not
	TrafficClass int
	FlowLabel    int
	DontFragment bool
	Fate         Fate
	Answers      []Answer // what is sent back, in order of arrival; most often one, or none
}

// An Answer is one message back.
type Answer struct {
	Received time.Time       // when it arrives
	From     netip.Addr      // who sent it
	Err      *ping.ICMPError // nil: an echo reply
}

// A log keeps the latest records. The network's mutex guards it.
type log struct {
	limit   int
	records []Record // a ring, once it is full
	next    int      // the oldest of them, which is overwritten next
}

// add makes a record, for the caller to fill in: nil if none are kept.
func (l *log) add(r Record) *Record {
	if l.limit == 0 {
		return nil
	}
	if len(l.records) < l.limit {
		l.records = append(l.records, r)
		return &l.records[len(l.records)-1]
	}
	old := &l.records[l.next]
	l.next = (l.next + 1) % l.limit
	r.Answers = old.Answers[:0]
	*old = r
	return old
}

// list copies the records, the oldest first.
func (l *log) list(keep func(*Record) bool) (list []Record) {
	for i := range l.records {
		r := &l.records[(l.next+i)%len(l.records)]
		if keep(r) {
			own := *r
			own.Answers = slices.Clone(r.Answers)
			for i := range own.Answers {
				own.Answers[i].Err = clone(own.Answers[i].Err)
			}
			list = append(list, own)
		}
	}
	return list
}

// clone copies an error, if there is one, with its labels and the like.
func clone(e *ping.ICMPError) *ping.ICMPError {
	if e == nil {
		return nil
	}
	own := *e
	own.MPLS, own.Interfaces = slices.Clone(e.MPLS), slices.Clone(e.Interfaces)
	own.Objects = slices.Clone(e.Objects)
	return &own
}

// KeepRecords sets how many records are kept: the latest 1,000 by default, 0 for none. It drops those that there are,
// and returns n.
func (n *Network) KeepRecords(limit int) *Network {
	if limit < 0 {
		panic(fmt.Sprintf("pingtest: KeepRecords(%d): want 0 or more", limit))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = log{limit: limit}
	return n
}

// Records returns the latest echo requests, in the order in which they were sent, with what came of each. They belong
// to the caller.
func (n *Network) Records() []Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.list(func(*Record) bool { return true })
}

// Records returns those of [Network.Records] that went to the host's address.
func (h *Host) Records() []Record {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	return h.network.log.list(func(r *Record) bool { return r.To == h.addr })
}
