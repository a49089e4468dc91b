package pingtest

import (
	"encoding/binary"
	"net/netip"
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
	size      int     // of the packet, or of the largest of its fragments
	err       error   // why it cannot be sent
	payload   int     // where that of the request begins

	extended     bool // it is an extended echo request
	code, status byte // of the reply to one
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
		return j.err
	}
	return nil
}

// fate leads the request from host to host.
func (j *journey) fate(n *Network) Fate {
	if j.target != nil {
		j.target.advance(j.now)
		j.err = j.target.sendError
	}
	if j.err == nil {
		j.size, j.err = j.sendable(n)
	}
	switch {
	case j.err != nil:
		return NotSent
	case j.target == nil:
		return Swallowed
	}
	path := n.pathTo(j.target, j.request, j.now)
	for i, hop := range path {
		j.distance = i
		if fate, ends := j.meet(hop, i+1 < len(path)); ends {
			return fate
		}
	}
	return j.answer()
}

// meet has the request meet a host on its way, and go further or not. It may end there.
func (j *journey) meet(h *Host, further bool) (fate Fate, ends bool) {
	ttl := j.request.TTL
	if ttl == 0 {
		ttl = usualTTL
	}
	switch {
	case h.down:
		return Swallowed, true
	case j.distance+1 == ttl && further:
		return j.refuse(h, h.icmpError(h.addr, timeExceeded)), true
	case h.mtu > 0 && j.size > h.mtu && (j.request.DontFragment || j.target.addr.Is6()):
		if h.blackHole {
			return Swallowed, true
		}
		return j.tooBig(h), true
	case isRedirect(h.refusal, h.addr):
		j.refuse(h, h.refuse())
	case h.refuses():
		return j.refuse(h, h.refuse()), true
	}
	if further && h.drawn(h.lossBehind) {
		return Lost, true
	}
	return 0, false
}

// refuse has a host answer with an ICMP error, as far as it may.
func (j *journey) refuse(by *Host, e *ping.ICMPError) Fate {
	limited := !isRedirect(e, by.addr)
	switch {
	case by.silent, limited && !by.errors.take(by.errorLimit, j.now):
		return Swallowed
	case by.loses():
		return Lost
	}
	delay := by.delay()
	if by.unreachable.IsValid() && by.routers == nil && !by.rttTold && e.From == by.unreachable {
		delay = by.neighbour.fails(j.now).Sub(j.now)
	}
	return j.tell(by, delay, e)
}

// tooBig has a host answer that the packet is too big for the next link. The kernel of those that ping remembers it.
func (j *journey) tooBig(by *Host) Fate {
	switch {
	case by.silent:
		return Swallowed
	case by.loses():
		return Lost
	}
	delay := by.delay()
	if j.target.addr.Is6() {
		j.target.route.learn(by.mtu, j.now.Add(delay))
	}
	return j.tell(by, delay, by.icmpError(by.addr, tooBig))
}

// tell puts an ICMP error on its way back.
func (j *journey) tell(by *Host, delay time.Duration, e *ping.ICMPError) Fate {
	drop := by.drawn(by.localDrops)
	j.send(delay, e.From, e, drop)
	if drop {
		return Dropped
	}
	return Refused
}

// answer has the target answer.
func (j *journey) answer() Fate {
	h := j.target
	switch {
	case h.silent, !j.understand(), !h.replies.take(h.replyLimit, j.now):
		return Swallowed
	case h.loses():
		return Lost
	}
	delay := h.delay()
	if h.drawn(h.localDrops) {
		j.send(delay, h.addr, nil, true)
		return Dropped
	}
	if h.drawn(h.reordering) {
		delay += h.reorderBy
		j.counts.Reordered++
	}
	if h.drawn(h.forgeries) {
		j.counts.Forgeries++
		forge(j.reply(delay), j.payload)
	}
	fate := Answered
	reply := j.reply(delay)
	if h.truncation > 0 {
		reply.Data = reply.Data[:min(len(reply.Data), j.payload+h.truncation)]
	}
	if h.drawn(h.corruption) {
		fate = Corrupted
		spoil(reply, j.payload, h)
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
		return j.send(delay, h.addr, nil, false)
	}
	m := j.send(delay, h.source, nil, false)
	m.Addr = h.source
	return m
}

// send puts a message on its way back: an echo reply, or an ICMP error that quotes the request. It returns the
// message, whose Data may still be changed until the next one is sent. It may be dropped when it arrives.
func (j *journey) send(delay time.Duration, from netip.Addr, e *ping.ICMPError, drop bool) *ping.Message {
	at := j.now.Add(delay)
	m := j.transport.arrivals.add(at, j.request.Data, drop)
	m.Addr, m.TTL, m.Err = j.request.Addr, usualTTL-j.distance%usualTTL, e
	m.Time = at.Round(0) // no monotonic reading: as the kernel stamps
	switch {
	case e != nil:
	case j.extended:
		m.Data[0], m.Data[1], m.Data[7] = m.Data[0]+1, j.code, j.status
	default:
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
func forge(m *ping.Message, payload int) {
	if len(m.Data) > payload {
		m.Data[payload] ^= 0xff
	} else {
		m.Data = append(m.Data, 0)
	}
}

// spoil changes a byte of an echo reply, after the secret, or adds one.
func spoil(m *ping.Message, payload int, h *Host) {
	if room := len(m.Data) - payload - cookieLen; room > 0 {
		m.Data[payload+cookieLen+h.rand.IntN(room)] ^= 0x10
	} else {
		m.Data = append(m.Data, 0)
	}
}
