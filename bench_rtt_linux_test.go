package ping_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

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
	p := openPinger(b, ping.WithWireTimestamps(wire))
	busy(b, burden)
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	const targets = 100
	b.ResetTimer()
	for i := range targets {
		wg.Go(func() {
			host := netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}).String()
			s, err := p.PingN(b.Context(), host, b.N/targets+1,
				ping.WithInterval(20*time.Millisecond), ping.WithTimeout(time.Minute))
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
	p := openPinger(b, ping.WithWireTimestamps(wire))
	busy(b, burden)
	b.ResetTimer()
	s, err := p.PingN(b.Context(), far4, b.N, ping.WithInterval(time.Millisecond), ping.WithTimeout(time.Minute))
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

// BenchmarkTraceRTT is how far the RTT of the hops is from the truth that the stamps of the answering side's kernel
// tell, in microseconds.
func BenchmarkTraceRTT(b *testing.B) {
	responder := newResponder(b, func(r *netlab.Request) []netlab.Answer {
		if r.TTL > 8 {
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	p := openPinger(b)
	var all []time.Duration
	for b.Loop() {
		responder.Reset()
		truth := map[int][]time.Duration{}
		var hops []ping.Hop
		for h, err := range p.Trace(b.Context(), beyond4) {
			if err != nil {
				b.Fatal(err)
			}
			hops = append(hops, h)
		}
		for _, record := range responder.Records() {
			truth[record.TTL] = append(truth[record.TTL], record.Sent[0].Sub(record.Received))
		}
		for _, h := range hops {
			for _, r := range h.Replies {
				all = append(all, r.RTT-truth[h.Distance][r.Seq])
			}
		}
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
