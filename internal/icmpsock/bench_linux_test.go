package icmpsock

import (
	"net/netip"
	"testing"

	"github.com/icmpsock/ping/internal/wire"
)

// BenchmarkLimit is what a Sweep can come near to: the same system calls on the same kind of socket, with as many
// messages each, and nothing done with them.
func BenchmarkLimit(b *testing.B) {
	s := open(b, Config{})
	out, in := make([]wire.Packet, batchSize), make([]wire.Packet, batchSize)
	for i := range out {
		out[i] = request(b, "127.0.0.1", i, 56)
		in[i].Data = make([]byte, usualMessage)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		n := min(batchSize, b.N-sent)
		for i := range n {
			j := sent + i + 1
			out[i].Addr = netip.AddrFrom4([4]byte{127, byte(j >> 16), byte(j >> 8), byte(j)})
			s.sending.set(i, &out[i], 0, false)
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
