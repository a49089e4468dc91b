package icmpsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/wire"
)

const (
	// longestSend is how long a message of a batch takes at most to send. More means that the thread was stopped, at a
	// moment that nobody knows: then all are said to have left at the start, which makes no RTT too short.
	longestSend = 100 * time.Microsecond
	// pendingTries is how often other messages' errors may keep one from being sent, before it is tried again later.
	pendingTries = 16
)

// errNoBuffers is what a message meets whose neighbour has no place in the table (net/core/neighbour.c, neigh_alloc),
// or which has none in a queue (net/ipv4/ip_output.c, ip_send_skb). On IPv6's datagram sockets it meets nothing, and
// is lost (net/ipv6/ping.c, ping_v6_sendmsg).
var errNoBuffers = fmt.Errorf("%w: this host's neighbour table (gc_thresh3, arp(7)) or a device's queue is full",
	os.NewSyscallError("sendmmsg", unix.ENOBUFS))

// Send sends the packets in order, each a whole echo request, sets the Time of each that leaves to when it did, and
// returns how many left. Fewer than all: the error is why the next one did not leave, and the ones after that were not
// tried. It wraps [wire.ErrNoRoom] where that one may leave in a moment, [wire.ErrEnded] where the socket is none any
// more, and EMSGSIZE where it is too large to leave in one piece, in a [wire.TooBigError] if the kernel says what would
// have fit.
//
// Send writes identifiers and checksums into the packets' Data where the kernel does not. It does not block.
func (s *Socket) Send(packets []wire.Packet) (sent int, err error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	s.followDevice()
	for sent < len(packets) && err == nil {
		var n int
		n, err = s.sendBatch(packets[sent:min(sent+len(s.sending.headers), len(packets))])
		sent += n
	}
	return sent, err
}

// sendBatch is Send for a batch of packets. The caller holds sending's lock.
//
// An error may be the message's own, or one that was pending because of another message: an ICMP error fails the next
// call on the socket, whichever that is, and the message is not sent. The error queue holds it too, so nothing is lost
// by trying again.
func (s *Socket) sendBatch(packets []wire.Packet) (int, error) {
	var bad error // why one cannot be sent
	for i := range packets {
		if bad = s.prepare(i, &packets[i]); bad != nil {
			packets = packets[:i]
			break
		}
	}
	b := &s.sending.batch
	for sent, tries := 0, 0; sent < len(packets); {
		b.first, b.last = sent, len(packets)
		if s.byOptions {
			n, err := s.setHeader(packets[sent:])
			if err != nil {
				return sent, err
			}
			b.last = sent + n
		}
		b.send(s.fd)
		own := false
		if b.n == 0 && b.errno != unix.EINTR {
			own = s.isOwn(b.errno, tries)
		}
		if b.n > 0 { // isOwn may have sent it
			b.stamp(packets[sent:])
			sent += b.n
			tries = 0
			continue
		}
		err := os.NewSyscallError("sendmmsg", b.errno)
		if b.errno == unix.ENOBUFS {
			err = errNoBuffers
		}
		switch tries++; {
		case b.errno == unix.EBADF, b.errno == unix.ENOTSOCK:
			return sent, fmt.Errorf("%w: %w", wire.ErrEnded, err)
		case b.errno == unix.EAGAIN, b.errno == unix.ENOBUFS, !own && tries > pendingTries:
			return sent, fmt.Errorf("%w: %w", wire.ErrNoRoom, err)
		case own && s.sending.fits == largest6 && s.config.limits6(): // by our own IPV6_MTU, and not by the device
			return sent, fmt.Errorf("an IPv6 packet of over %d bytes: %w: %w",
				largest6, kernel().lacks(sums6), errors.ErrUnsupported)
		case own:
			return sent, s.explain(err, &packets[sent])
		}
	}
	return len(packets), bad
}

// prepare lays out packet i for sendmmsg.
func (s *Socket) prepare(i int, p *wire.Packet) error {
	if s.id != 0 {
		binary.BigEndian.PutUint16(p.Data[4:], s.id)
		if !s.v6 { // the kernel does ICMPv6 checksums
			p.Data[2], p.Data[3] = 0, 0
			binary.BigEndian.PutUint16(p.Data[2:], wire.Checksum(p.Data))
		}
	}
	if p.FlowLabel != 0 && s.v6 && s.noLabels != nil {
		return fmt.Errorf("an IPv6 flow label: %w: %w", s.noLabels, errors.ErrUnsupported)
	}
	if t := p.Data[0]; t == wire.ExtendedRequest4 || t == wire.ExtendedRequest6 {
		if !s.Raw() && !kernel().since(questions) {
			return fmt.Errorf("an extended echo request: %w: %w", kernel().lacks(questions), errors.ErrUnsupported)
		}
	}
	scope := 0
	if zone := p.Addr.Zone(); zone != "" {
		var err error
		if scope, err = s.zone(zone); err != nil {
			return err
		}
	}
	if s.byOptions {
		bare := *p
		bare.TTL, bare.TrafficClass = 0, 0 // are setHeader's
		p = &bare
	}
	s.sending.set(i, p, scope, s.v6)
	return nil
}

// explain adds to the error of a packet, which is the first of the batch, what the kernel's number does not say. The
// caller holds sending's lock.
func (s *Socket) explain(err error, p *wire.Packet) error {
	switch {
	case s.sending.lost != nil:
		return fmt.Errorf("%w; %w", err, s.sending.lost)
	case s.sending.fits > 0:
		return &wire.TooBigError{MTU: s.sending.fits, Err: err}
	case !s.v6 && s.sending.errno == unix.EACCES && s.isBroadcast():
		return fmt.Errorf("%v is a broadcast address, want one host's: %w", p.Addr, err)
	}
	return err
}

// stamp says when the packets left that the last call has sent.
func (b *batch) stamp(packets []wire.Packet) {
	each := b.took / time.Duration(b.n)
	if each > longestSend {
		each = 0
	}
	for i := range b.n {
		packets[i].Time = b.before.Add(time.Duration(i) * each)
	}
}
