package ping

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/icmpsock/ping/internal/netlab"
)

// BenchmarkBareLoop is the least a Go program can do: send, receive, send again, over the same kind of socket.
func BenchmarkBareLoop(b *testing.B) {
	netlab.Require(b)
	c, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	conn := c.IPv4PacketConn().PacketConn.(*net.UDPConn)
	request, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Data: make([]byte, 56)}}).Marshal(nil)
	if err != nil {
		b.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	var reply [2048]byte
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := conn.WriteMsgUDPAddrPort(request, nil, to); err != nil {
			b.Fatal(err)
		}
		if _, _, _, _, err := conn.ReadMsgUDPAddrPort(reply[:], nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPing is one Ping after another.
func BenchmarkPing(b *testing.B) {
	netlab.Require(b)
	p, err := New()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Ping(b.Context(), "127.0.0.1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPingParallel is as many callers as there are processors, over one Pinger.
func BenchmarkPingParallel(b *testing.B) {
	netlab.Require(b)
	p, err := New()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
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
