//go:build linux

package netlab

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A pinger is an ICMP datagram socket with errors enabled.
type pinger struct {
	t   testing.TB
	fd  int
	is4 bool
	buf []byte
}

// reply is an echo reply, or an error with what it quotes.
type reply struct {
	from, offender netip.Addr
	typ, code      byte
	info           uint32
	seq            uint16
	payload        []byte
}

func newPinger(t testing.TB, dst netip.Addr) *pinger {
	t.Helper()
	Require(t)
	p := &pinger{t: t, is4: dst.Is4(), buf: make([]byte, 1<<16)}
	domain, protocol := unix.AF_INET6, unix.IPPROTO_ICMPV6
	if p.is4 {
		domain, protocol = unix.AF_INET, unix.IPPROTO_ICMP
	}
	var err error
	if p.fd, err = unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol); err != nil {
		t.Fatal("socket:", err)
	}
	t.Cleanup(func() { unix.Close(p.fd) })
	if p.is4 {
		p.set(unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	} else {
		p.set(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}
	timeout := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		t.Fatal("setsockopt:", err)
	}
	return p
}

func (p *pinger) set(level, option, value int) {
	p.t.Helper()
	if err := unix.SetsockoptInt(p.fd, level, option, value); err != nil {
		p.t.Fatal("setsockopt:", err)
	}
}

func (p *pinger) setTTL(ttl int) {
	p.t.Helper()
	if p.is4 {
		p.set(unix.IPPROTO_IP, unix.IP_TTL, ttl)
	} else {
		p.set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
	}
}

func (p *pinger) send(dst netip.Addr, seq uint16, payload []byte) error {
	message := make([]byte, 8, 8+len(payload))
	message[0] = 128
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: dst.As16()}
	if p.is4 {
		message[0] = 8
		to = &unix.SockaddrInet4{Addr: dst.As4()}
	}
	binary.BigEndian.PutUint16(message[6:], seq)
	return unix.Sendto(p.fd, append(message, payload...), 0, to)
}

// receive waits for the next reply.
func (p *pinger) receive() reply {
	p.t.Helper()
	for {
		n, from, err := unix.Recvfrom(p.fd, p.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			p.t.Fatal("recvfrom:", err)
		}
		return reply{from: addrOf(from), typ: p.buf[0], code: p.buf[1],
			seq: binary.BigEndian.Uint16(p.buf[6:]), payload: clone(p.buf[8:n])}
	}
}

// receiveError waits for the next ICMP error.
func (p *pinger) receiveError() reply {
	p.t.Helper()
	oob := make([]byte, 1024)
	for {
		events := []unix.PollFd{{Fd: int32(p.fd)}}
		if n, err := unix.Poll(events, int(patience.Milliseconds())); n == 0 {
			p.t.Fatal("no ICMP error:", err)
		}
		n, oobn, _, to, err := unix.Recvmsg(p.fd, p.buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			p.t.Fatal("recvmsg:", err)
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			p.t.Fatalf("control messages: %v, %v", messages, err)
		}
		// A struct sock_extended_err and the sockaddr of the offender.
		e := messages[0].Data
		got := reply{from: addrOf(to), typ: e[5], code: e[6], info: binary.NativeEndian.Uint32(e[8:]),
			seq: binary.BigEndian.Uint16(p.buf[6:]), payload: clone(p.buf[8:n])}
		if p.is4 {
			got.offender = netip.AddrFrom4([4]byte(e[16+4:]))
		} else {
			got.offender = netip.AddrFrom16([16]byte(e[16+8:]))
		}
		return got
	}
}

func addrOf(sa unix.Sockaddr) netip.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr)
	}
	return netip.Addr{}
}
