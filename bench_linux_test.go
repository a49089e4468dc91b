package ping_test

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"testing"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// BenchmarkBareLoop is the least a Go program can do: send, receive with the same control messages, send again, over
// the same kind of socket with the same options.
func BenchmarkBareLoop(b *testing.B) {
	netlab.Require(b)
	c, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	conn := c.IPv4PacketConn().PacketConn.(*net.UDPConn)
	raw, err := conn.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for _, o := range [][3]int{
			{unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 28}, {unix.SOL_SOCKET, unix.SO_SNDBUF, 1 << 28},
			{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
			{unix.IPPROTO_IP, unix.IP_RECVERR, 1}, {unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
			{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT},
		} {
			err = errors.Join(err, unix.SetsockoptInt(int(fd), o[0], o[1], o[2]))
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	request, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Data: make([]byte, 56)}}).Marshal(nil)
	if err != nil {
		b.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	var reply [2048]byte
	var control [256]byte
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := conn.WriteMsgUDPAddrPort(request, nil, to); err != nil {
			b.Fatal(err)
		}
		if _, _, _, _, err := conn.ReadMsgUDPAddrPort(reply[:], control[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPing is one Ping after another.
func BenchmarkPing(b *testing.B) { pingSerially(b) }

// BenchmarkPingWire is the same with the kernel's stamps of departure.
func BenchmarkPingWire(b *testing.B) { pingSerially(b, ping.WithWireTimestamps(true)) }

func pingSerially(b *testing.B, opts ...ping.Option) {
	p := openPinger(b, opts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Ping(b.Context(), "127.0.0.1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPingParallel is as many callers as there are processors, over one Pinger.
func BenchmarkPingParallel(b *testing.B) {
	p := openPinger(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Ping(b.Context(), "127.0.0.1"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkSweep is a Sweep over loopback addresses.
func BenchmarkSweep(b *testing.B) {
	p := openPinger(b)
	b.ReportAllocs()
	b.ResetTimer()
	for addr, r := range p.Sweep(b.Context(), ofLoopback(b.N)) {
		if r.Err != nil {
			b.Fatalf("%v: %v", addr, r.Err)
		}
	}
}

// BenchmarkStream is one Stream without an interval.
func BenchmarkStream(b *testing.B) {
	p := openPinger(b)
	b.ReportAllocs()
	b.ResetTimer()
	for r, err := range p.Stream(b.Context(), "127.0.0.1", ping.WithInterval(0), ping.WithCount(b.N)) {
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
}
