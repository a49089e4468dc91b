package pingtest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/icmpsock/ping"
)

const (
	usualTTL  = 64  // of requests that ask for none, and of answers
	headerLen = 8   // of an echo message: type, code, checksum, identifier, sequence number
	cookieLen = 8   // the secret that a Pinger puts in front of the payload
	pathLimit = 256 // one more host than any TTL reaches: so long is a routing loop
)

// A journey is that of one echo request, and of what comes back.
type journey struct {
	transport *transport
	request   *ping.Message
	now       time.Time
	target    *Host
	distance  int // how many hosts the answer has to pass
	counts    *Counts
	record    *Record // nil: none is kept
}

// travel decides what becomes of a request: it puts the answers on their way, and counts. An error is that of
// sending. The caller holds the network's mutex, as for all that follows.
func (n *Network) travel(t *transport, m *ping.Message, now time.Time) error {
	to := m.Addr.WithZone("")
	j := journey{transport: t, request: m, now: now, target: n.hosts[to], counts: &n.unknown}
	if j.target != nil {
		j.counts = &j.target.counts
	}
	if n.log.limit > 0 {
		j.record = n.log.add(Record{
			Sent:         now.Round(0),
			ID:           t.id,
			Seq:          binary.BigEndian.Uint16(m.Data[6:]),
			To:           to,
			Size:         len(m.Data),
			TTL:          m.TTL,
			TrafficClass: m.TrafficClass,
			FlowLabel:    m.FlowLabel,
			DontFragment: m.DontFragment,
		})
	}
	fate := j.fate(n)
	j.counts.add(fate)
	if j.record != nil {
		j.record.Fate = fate
	}
	if fate == NotSent {
		return j.target.sendError
	}
	return nil
}

// fate leads the request from host to host.
func (j *journey) fate(n *Network) Fate {
	if j.target == nil {
		return Swallowed
	}
	j.target.advance(j.now)
	if j.target.sendError != nil {
		return NotSent
	}
	ttl, size := j.request.TTL, len(j.request.Data)+20
	if ttl == 0 {
		ttl = usualTTL
	}
	if j.target.addr.Is6() {
		size += 20
	}
	path := n.pathTo(j.target, j.now)
	for i, hop := range path {
		j.distance = i
		switch {
		case hop.down:
			return Swallowed
		case i+1 == ttl && i+1 < len(path):
			return j.refuse(hop, hop.icmpError(hop.addr, timeExceeded))
		case hop.mtu > 0 && size > hop.mtu && j.request.DontFragment:
			if hop.blackHole {
				return Swallowed
			}
			return j.refuse(hop, hop.icmpError(hop.addr, tooBig))
		case hop.refuses():
			return j.refuse(hop, hop.refuse())
		}
	}
	return j.answer()
}

// pathTo lists the hosts on the way to one, which is the last.
func (n *Network) pathTo(h *Host, now time.Time) []*Host {
	n.path = append(n.path[:0], h)
	for h.router != nil && len(n.path) < pathLimit {
		h = h.router
		h.advance(now)
		n.path = append(n.path, h)
	}
	slices.Reverse(n.path)
	return n.path
}

// refuse has a host answer with an ICMP error.
func (j *journey) refuse(by *Host, e *ping.ICMPError) Fate {
	if by.silent {
		return Swallowed
	}
	if by.loses() {
		return Lost
	}
	j.send(by.delay(), e.From, e)
	return Refused
}

// answer has the target answer.
func (j *journey) answer() Fate {
	h := j.target
	if h.silent {
		return Swallowed
	}
	if h.loses() {
		return Lost
	}
	delay := h.delay()
	if h.drawn(h.reordering) {
		delay += h.reorderBy
		j.counts.Reordered++
	}
	if h.drawn(h.forgeries) {
		j.counts.Forgeries++
		forge(j.reply(delay))
	}
	fate := Answered
	reply := j.reply(delay)
	if h.truncation > 0 {
		reply.Data = reply.Data[:min(len(reply.Data), headerLen+h.truncation)]
	}
	if h.drawn(h.corruption) {
		fate = Corrupted
		spoil(reply, h)
	}
	if h.drawn(h.duplicates) {
		j.counts.Duplicates++
		twin := j.reply(delay)
		twin.Data = append(twin.Data[:0], reply.Data...)
	}
	return fate
}

// reply puts the target's echo reply on its way back, as send does.
func (j *journey) reply(delay time.Duration) *ping.Message {
	h := j.target
	if !h.source.IsValid() {
		return j.send(delay, h.addr, nil)
	}
	m := j.send(delay, h.source, nil)
	m.Addr = h.source
	return m
}

// send puts a message on its way back: an echo reply, or an ICMP error that quotes the request. It returns the
// message, whose Data may still be changed until the next one is sent.
func (j *journey) send(delay time.Duration, from netip.Addr, e *ping.ICMPError) *ping.Message {
	at := j.now.Add(delay)
	m := j.transport.arrivals.add(at, j.request.Data)
	m.Addr, m.TTL, m.Err = j.request.Addr, usualTTL-j.distance%usualTTL, e
	m.Time = at.Round(0) // no monotonic reading: as the kernel stamps
	if e == nil {
		m.Data[0] = echoReply(j.target.addr)
	}
	if j.record != nil {
		j.record.Answers = append(j.record.Answers, Answer{m.Time, from, clone(e)}) // e becomes the Pinger's
	}
	return m
}

// echoReply is the type of the reply to an address (RFC 792, RFC 4443 section 4.2).
func echoReply(addr netip.Addr) byte {
	if addr.Is4() {
		return 0
	}
	return 129
}

// forge changes the secret of an echo reply, or makes it too long for a request that has none.
func forge(m *ping.Message) {
	if len(m.Data) > headerLen {
		m.Data[headerLen] ^= 0xff
	} else {
		m.Data = append(m.Data, 0)
	}
}

// spoil changes a byte of an echo reply, after the secret, or adds one.
func spoil(m *ping.Message, h *Host) {
	if room := len(m.Data) - headerLen - cookieLen; room > 0 {
		m.Data[headerLen+cookieLen+h.rand.IntN(room)] ^= 0x10
	} else {
		m.Data = append(m.Data, 0)
	}
}
