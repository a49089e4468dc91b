package engine

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/wire"
)

// turnBatches is how many batches one goroutine sends in a row before others get their turn.
const turnBatches = 64

// dispatch sends probes that the table has taken, or leaves that to another who is at it. It reports whether some may
// have left by now: if not, there are no answers to look for.
func (c *Conn) dispatch(probes []flight.Probe) (left bool) {
	for i := range probes {
		c.expect(int64(probes[i].Shape.Size() + spareRoom))
	}
	if c.out.sending.TryLock() {
		if c.out.queue.some.Load() {
			c.push(probes)
			left = true
		} else {
			left = c.transmit(probes)
		}
		c.flush()
		return left
	}
	c.push(probes)
	if c.out.sending.TryLock() { // who was at it may have seen nothing
		c.flush()
	}
	return true
}

// push queues probes to be sent.
func (c *Conn) push(probes []flight.Probe) {
	q := &c.out.queue
	q.Lock()
	q.fresh.push(probes...)
	q.some.Store(true)
	q.Unlock()
}

// pop takes a batch of what is queued. Once the link has ended, what was refused counts as queued: it is to fail. The
// caller holds out.sending.
func (c *Conn) pop() (n int) {
	q := &c.out.queue
	if q.some.Load() {
		q.Lock()
		n = q.fresh.pop(c.out.batch)
		q.some.Store(q.fresh.len() > 0)
		q.Unlock()
	}
	if n == 0 && c.ended.Load() {
		n = c.out.refused.pop(c.out.batch)
	}
	return n
}

// flush sends what is queued, and what others queue meanwhile, and lets go of out.sending. After its turn, or where the
// timekeeper has asked for it, out.sending is handed over to that.
func (c *Conn) flush() {
	for {
		for batches := 0; batches < turnBatches || c.ended.Load(); batches++ {
			n := c.pop()
			if n == 0 {
				break
			}
			c.transmit(c.out.batch[:n])
		}
		if (c.out.queue.some.Load() || c.out.wanted.Load()) && c.handOver() {
			return
		}
		if !c.letGo() {
			return
		}
	}
}

// letGo lets go of out.sending, and reports whether it holds it again, because there is something to be sent that
// others, who do not wait for it, have left to the caller. The caller holds out.sending.
func (c *Conn) letGo() (again bool) {
	refused := c.out.refused.len() > 0 // which is to fail once the link has ended, and nobody else may be left
	c.out.sending.Unlock()
	return (c.out.queue.some.Load() || refused && c.ended.Load()) && c.out.sending.TryLock()
}

// handOver gives out.sending to the timekeeper. It reports false, and does not, if that has ended.
func (c *Conn) handOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.handed = true
	c.arm(0)
	return true
}

// clearUp makes room in the receive buffer, where strays may have come while nobody was listening, and takes note of
// what has been dropped before the next probe leaves, which has nothing to do with that. Whoever is about to send after
// a pause calls it.
func (c *Conn) clearUp(now int64) {
	if !c.idle.Load() || now-c.noted.Load() < int64(restful) {
		return
	}
	if !c.listening.Load() {
		c.glance(readBatches)
	}
	c.noteDrops()
}

// restful is for how long what comes while nothing is in flight will not fill the receive buffer.
const restful = time.Millisecond

// together is how many of the first probes leave with one system call. There, one leaves after another, at instants
// that are but estimated, and a thread that loses its processor spoils the RTTs of all of them. So only bulk shares
// one.
func together(batch []flight.Probe) int {
	n := 0
	for n < min(len(batch), BatchSize) && batch[n].Shape.Bulk {
		n++
	}
	return max(n, 1)
}

// transmit sends a batch, and reports whether some of it left. What the link has no room for it adds to out.refused.
// Should the link panic, what it was to send has failed, and others go on sending. The caller holds out.sending.
func (c *Conn) transmit(batch []flight.Probe) (left bool) {
	sending := 0
	defer func() {
		if sending > 0 {
			c.abort(batch[:sending], batch[sending:])
		}
	}()
	for len(batch) > 0 {
		if c.ended.Load() {
			c.fail(batch)
			return left
		}
		group := batch[:together(batch)]
		packets := c.out.packets[:len(group)]
		for i := range group {
			c.pack(&packets[i], &group[i])
		}
		sending = len(group)
		n, err := c.link.Send(packets)
		sending = 0
		if errors.Is(err, wire.ErrEnded) {
			c.end(fmt.Errorf("%w: %w", net.ErrClosed, err))
		}
		c.mu.Lock()
		if n > 0 {
			left = true
			c.depart(group[:n], packets)
		}
		if c.cause != nil { // and what is in flight has been ended
			c.table.Drain(c.cause)
		}
		batch = batch[n:]
		if n < len(group) && c.cause == nil {
			if errors.Is(err, wire.ErrNoRoom) {
				c.refuse(batch[0], err)
			} else {
				c.table.Failed(&batch[0], err)
			}
			batch = batch[1:]
		}
		c.makeRoom()
		c.mu.Unlock()
	}
	return left
}

// fail ends probes that cannot be sent, because the link has ended.
func (c *Conn) fail(batch []flight.Probe) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range batch {
		c.table.Failed(&batch[i], c.cause)
	}
	c.makeRoom()
}

// pack makes a packet of a probe.
func (c *Conn) pack(packet *wire.Packet, p *flight.Probe) {
	s, data := p.Shape, packet.Data[:0]
	if s.Extension > 0 {
		data = wire.AppendExtendedEcho(data, s.Template, int(s.Extension), p.Seq, p.Cookie)
	} else {
		data = wire.AppendEcho(data, s.Template, p.Seq, p.Cookie)
	}
	*packet = wire.Packet{
		Addr:         p.Dst,
		Data:         data,
		TTL:          s.TTL,
		TrafficClass: s.TrafficClass,
		DontFragment: s.DontFragment,
		FlowLabel:    s.FlowLabel,
	}
	if c.link.Departures() {
		packet.Key = p.Key()
	}
}

// depart tells the table when packets left. The caller holds mu.
func (c *Conn) depart(batch []flight.Probe, packets []wire.Packet) {
	first := packets[0].Time
	at := c.steady(flight.StampOf(first, c.epoch))
	for i := range batch {
		lag := int64(0)
		if i > 0 {
			lag = int64(packets[i].Time.Sub(first))
		}
		c.table.Sent(&batch[i], at, lag)
	}
	c.armNext()
	if c.table.Unstamped() {
		c.arm(at.Mono) // the timekeeper reads the reports
	}
}
