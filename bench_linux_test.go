package ping

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

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
	raw.Control(func(fd uintptr) { err = setOptions(int(fd), false, socketConfig{}) })
	if err != nil {
		b.Fatal(err)
	}
	request, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Data: make([]byte, 56)}}).Marshal(nil)
	if err != nil {
		b.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	var reply [2048]byte
	var control [controlRoom]byte
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
func BenchmarkPingWire(b *testing.B) { pingSerially(b, WithWireTimestamps(true)) }

func pingSerially(b *testing.B, opts ...Option) {
	p := newPinger(b, opts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Ping(b.Context(), "127.0.0.1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPingParallel is as many callers as there are processors, over one Pinger.
func BenchmarkPingParallel(b *testing.B) {
	p := newPinger(b)
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

// BenchmarkRTTError is how far the RTT is from the truth, in microseconds: over loopback, where the kernel answers
// within some five, so that the RTT is all but error; across a link, beside the stamps of the answering host's kernel.
func BenchmarkRTTError(b *testing.B) {
	for _, stamps := range []struct {
		name string
		wire bool
	}{{"receive", false}, {"wire", true}} {
		for _, load := range []struct {
			name string
			n    int
		}{{"idle", 0}, {"busy", 4}} {
			b.Run("loopback/"+load.name+"/"+stamps.name, func(b *testing.B) { loopbackError(b, load.n, stamps.wire) })
			b.Run("link/"+load.name+"/"+stamps.name, func(b *testing.B) { linkError(b, load.n, stamps.wire) })
		}
	}
}

// busy runs goroutines that compute and allocate, until the benchmark ends.
func busy(b *testing.B, n int) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			var keep [64][]byte
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				keep[i%len(keep)] = make([]byte, 1<<12)
				for j := range keep[i%len(keep)] {
					keep[i%len(keep)][j] = byte(i)
				}
			}
		})
	}
	b.Cleanup(func() { close(stop); wg.Wait() })
}

func loopbackError(b *testing.B, burden int, wire bool) {
	p := newPinger(b, WithWireTimestamps(wire))
	busy(b, burden)
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	const targets = 100
	b.ResetTimer()
	for i := range targets {
		wg.Go(func() {
			host := netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}).String()
			s, err := p.PingN(b.Context(), host, b.N/targets+1, WithInterval(20*time.Millisecond), WithTimeout(time.Minute))
			if err != nil || s.Lost > 0 {
				b.Errorf("%v, %v", s, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range s.Replies {
				all = append(all, r.RTT)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	reportPercentiles(b, all)
}

func linkError(b *testing.B, burden int, wire bool) {
	responder := newResponder(b, nil)
	p := newPinger(b, WithWireTimestamps(wire))
	busy(b, burden)
	b.ResetTimer()
	s, err := p.PingN(b.Context(), far4, b.N, WithInterval(time.Millisecond), WithTimeout(time.Minute))
	b.StopTimer()
	if err != nil || s.Lost > 0 {
		b.Fatalf("%v, %v", s, err)
	}
	var all []time.Duration
	for i, record := range responder.Records() {
		all = append(all, s.Replies[i].RTT-record.Sent[0].Sub(record.Received))
	}
	reportPercentiles(b, all)
}

func reportPercentiles(b *testing.B, list []time.Duration) {
	slices.Sort(list)
	at := func(q float64) float64 { return float64(list[int(q*float64(len(list)-1))]) / 1e3 }
	b.ReportMetric(at(0.5), "p50-us")
	b.ReportMetric(at(0.99), "p99-us")
	b.ReportMetric(at(1), "max-us")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSweep is a Sweep over loopback addresses.
func BenchmarkSweep(b *testing.B) {
	p := newPinger(b)
	b.ReportAllocs()
	b.ResetTimer()
	for addr, r := range p.Sweep(b.Context(), loopbackAddrs(b.N)) {
		if r.Err != nil {
			b.Fatalf("%v: %v", addr, r.Err)
		}
	}
}

// BenchmarkStream is one Stream without an interval.
func BenchmarkStream(b *testing.B) {
	p := newPinger(b)
	b.ReportAllocs()
	b.ResetTimer()
	for r, err := range p.Stream(b.Context(), "127.0.0.1", WithInterval(0), WithCount(b.N)) {
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
}

// BenchmarkSweepLimit is what Sweep can come near to: the same system calls on the same kind of socket, with as many
// messages each, and nothing done with them.
func BenchmarkSweepLimit(b *testing.B) {
	netlab.Require(b)
	t, err := openSocket(false, socketConfig{kind: SocketDatagram})
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	s := t.(*socket)
	out, in := make([]Message, batchSize), make([]Message, batchSize)
	for i := range out {
		out[i].Data = slices.Clone(testTemplate)
		in[i].Data = make([]byte, usualMessage)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		n := min(batchSize, b.N-sent)
		for i := range n {
			j := sent + i + 1
			out[i].Addr = netip.AddrFrom4([4]byte{127, byte(j >> 16), byte(j >> 8), byte(j)})
			if err := s.sending.set(i, &out[i], false); err != nil {
				b.Fatal(err)
			}
		}
		s.sending.first, s.sending.last = 0, n
		if s.sending.send(s.fd); s.sending.n != n {
			b.Fatal(s.sending.errno)
		}
		sent += n
		s.receive.prepare(in[:n], 0)
		if s.receive.recv(s.fd); s.receive.n != n {
			b.Fatal(s.receive.n, s.receive.errno)
		}
	}
}
