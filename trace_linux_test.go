package ping_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// What a Trace makes of each thing that may be on the way, by the kernel's own hands.
func TestTraceNetwork(t *testing.T) {
	three := func(change func(r *netlab.Request) []netlab.Answer) func(r *netlab.Request) []netlab.Answer {
		return func(r *netlab.Request) []netlab.Answer {
			if a := change(r); a != nil {
				return a
			}
			if r.TTL > 3 {
				return []netlab.Answer{r.Echo()}
			}
			return []netlab.Answer{exceededAt(r)}
		}
	}
	for _, c := range []struct {
		name   string
		script func(r *netlab.Request) []netlab.Answer
		want   string // R1 is the router at 1, and T the target
	}{
		{"three routers", three(func(r *netlab.Request) []netlab.Answer { return nil }), "R1 R2 R3 T"},
		{"twice", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return []netlab.Answer{exceededAt(r), exceededAt(r)}
			}
			return nil
		}), "R1 R2 R3 T"},
		{"8 bytes quoted", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return []netlab.Answer{r.Error(hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0, 8)}
			}
			return nil
		}), "R1 R2 R3 T"},
		{"loop", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{r.Error(hopAddr(r.Dst, r.TTL%2), typeExceeded(r), 0, 0, -1)}
		}, "R1 R0 R1 R0 R1 R0"},
		{"unreachable at the third hop", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 3 {
				return nil
			}
			code := byte(1) // host unreachable
			if r.Dst.Is6() {
				code = 3 // address unreachable
			}
			return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), typeUnreachable(r), code, 0, -1)}
		}), "R1 R2 R3!H"},
		{"prohibited target", three(func(r *netlab.Request) []netlab.Answer {
			if r.TTL < 4 {
				return nil
			}
			code := byte(13) // communication administratively prohibited
			if r.Dst.Is6() {
				code = 1 // the same
			}
			return []netlab.Answer{r.Error(hopAddr(r.Dst, 3), typeUnreachable(r), code, 0, -1)}
		}), "R1 R2 R3 R3!X"},
		{"the target at every distance", func(r *netlab.Request) []netlab.Answer {
			return []netlab.Answer{r.Echo()}
		}, "T"},
	} {
		t.Run(c.name, func(t *testing.T) {
			newResponder(t, c.script)
			var wg sync.WaitGroup
			for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
				p := openPinger(t, ping.WithSocket(kind))
				for _, host := range []string{beyond4, beyond6} {
					wg.Go(func() {
						addr := netip.MustParseAddr(host)
						var want []string
						for i, word := range strings.Fields(c.want) {
							for d := range 4 {
								word = strings.Replace(word, fmt.Sprint("R", d), hopAddr(addr, d).String(), 1)
							}
							want = append(want, repeat(i+1, strings.Replace(word, "T", host+".", 1)))
						}
						if got := lines(t, p, host, ping.WithTimeout(time.Minute), ping.WithMaxHops(6)); !slices.Equal(got, want) {
							t.Errorf("%v socket: got\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// Routers that are silent, late, or quote what was not sent are silent hops.
func TestTraceSilence(t *testing.T) {
	timeout := skipped.AtLength(t, 300*ms, 3*time.Second) // of which it takes two
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		quoting := func(change func(*netlab.Packet)) []netlab.Answer {
			return []netlab.Answer{netlab.ErrorQuoting(r.Altered(change), hopAddr(r.Dst, r.TTL), typeExceeded(r), 0, 0)}
		}
		switch r.TTL {
		case 2:
			return nil
		case 3:
			return []netlab.Answer{exceededAt(r).Later(timeout + 100*ms)}
		case 4:
			return quoting(func(p *netlab.Packet) { p.Dst, p.Payload = p.Dst.Next(), p.Payload[:7] })
		case 5:
			return quoting(func(p *netlab.Packet) { p.Payload[3]++ })
		case 7:
			return []netlab.Answer{r.Echo()}
		}
		return []netlab.Answer{exceededAt(r)}
	})
	var wg sync.WaitGroup
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		p := openPinger(t, ping.WithSocket(kind))
		for _, host := range []string{beyond4, beyond6} {
			wg.Go(func() {
				addr := netip.MustParseAddr(host)
				got := lines(t, p, host, ping.WithTimeout(timeout))
				want := []string{
					repeat(1, hopAddr(addr, 1).String()), repeat(2, "*"), repeat(3, "*"), repeat(4, "*"), repeat(5, "*"),
					repeat(6, hopAddr(addr, 6).String()), repeat(7, host+"."),
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v socket: got\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
	wg.Wait()
}

// A router's MPLS labels come with its error, whatever the length of the probe, and a broken extension spoils nothing.
func TestTraceMPLS(t *testing.T) {
	one := netlab.MPLSLabel{Label: 3, TTL: 1}
	spoilt := netlab.MPLSExtension(one)
	spoilt[len(spoilt)-1]++ // it no longer fits its checksum
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		from, typ := hopAddr(r.Dst, r.TTL), typeExceeded(r)
		switch r.TTL {
		case 1:
			return []netlab.Answer{r.ErrorMPLS(from, typ, 0, netlab.MPLSLabel{Label: 16001, TrafficClass: 5, TTL: 1})}
		case 2:
			return []netlab.Answer{r.ErrorMPLS(from, typ, 0,
				netlab.MPLSLabel{Label: 1<<20 - 1, TrafficClass: 7, TTL: 255}, netlab.MPLSLabel{TTL: 1})}
		case 3:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 256, netlab.LengthTold, netlab.MPLSExtension(one))}
		case 4: // from before RFC 4884
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, netlab.LengthUntold, netlab.MPLSExtension(one))}
		case 5:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, netlab.LengthTold, spoilt)}
		case 6:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, netlab.LengthTold, nil)}
		case 7:
			return []netlab.Answer{r.ErrorExtended(from, typ, 0, 128, netlab.LengthTold, spoilt[:6])}
		case 8:
			return []netlab.Answer{exceededAt(r)}
		}
		return []netlab.Answer{r.Echo()}
	})
	want := [][]ping.MPLSLabel{{{16001, 5, 1}}, {{1<<20 - 1, 7, 255}, {0, 0, 1}}, {{3, 0, 1}}, {{3, 0, 1}},
		nil, nil, nil, nil}
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		for _, host := range []string{beyond4, beyond6} {
			for _, size := range []int{8, 56, 79, 80, 100, 101, 600, 1400} {
				n := 0
				for h, err := range p.Trace(t.Context(), host, ping.WithSize(size), ping.WithTimeout(5*time.Second)) {
					if n++; err != nil {
						t.Fatal(err)
					}
					if n > len(want) {
						if !h.Reached() {
							t.Errorf("%d bytes: %v", size, h)
						}
						continue
					}
					for _, r := range h.Replies {
						var e *ping.ICMPError
						if !errors.As(r.Err, &e) || !slices.Equal(e.MPLS, want[n-1]) || r.From != hopAddr(r.From, n) {
							t.Errorf("%d bytes, hop %d: %+v", size, n, r)
						}
					}
				}
				if n != len(want)+1 {
					t.Errorf("%d bytes to %s: %d hops", size, host, n)
				}
			}
		}
	})
}

// While traces run, the pings to other targets over the same Pinger lose nothing and see none of their errors.
func TestTraceBesidePings(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if dst := r.Dst.String(); dst == beyond4 || dst == beyond6 {
			if r.TTL > 20 {
				return []netlab.Answer{r.Echo()}
			}
			return []netlab.Answer{exceededAt(r)}
		}
		return []netlab.Answer{r.Echo()}
	})
	overEachKind(t, func(t *testing.T, kind ping.Option) {
		p := openPinger(t, kind)
		done := make(chan struct{})
		var pings, traces sync.WaitGroup
		for _, host := range []string{beyond4, beyond6} {
			traces.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						if n == 0 {
							t.Error("no trace was made")
						}
						return
					default:
					}
					got := lines(t, p, host, ping.WithTimeout(time.Minute))
					if len(got) != 21 || strings.Contains(fmt.Sprint(got), "*") {
						t.Errorf("trace %d: %q", n, got)
						return
					}
				}
			})
		}
		for _, host := range []string{far4, far6} {
			for range 5 {
				pings.Go(func() {
					s, err := p.PingN(t.Context(), host, 100, ping.WithInterval(0), ping.WithTimeout(time.Minute))
					if err != nil || s.Received != 100 || s.Errors != 0 || s.SendErrors != 0 || s.Stray != 0 {
						t.Errorf("%s: %v, %v", host, s, err)
					}
				})
			}
		}
		pings.Wait()
		close(done)
		traces.Wait()
		if c := p.Counters(); c.Stray != 0 || c.LocalDrops != 0 || c.InFlight != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

// Traces that are broken or closed at any moment leave no goroutine, and no probe in flight.
func TestTraceLeavesNothing(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		if r.TTL == 3 {
			return nil
		}
		return []netlab.Answer{exceededAt(r)}
	})
	before := runtime.NumGoroutine()
	p, err := ping.New()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		for h, err := range p.Trace(t.Context(), []string{beyond4, beyond6}[i%2]) {
			if err != nil {
				t.Fatal(err)
			}
			if h.Distance > i%3 {
				break
			}
			if h.Distance == 2 {
				break // not the silent one
			}
		}
	}
	if c := p.Counters(); c.InFlight != 0 || c.Sent < 200 {
		t.Errorf("counters %+v", c)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range p.Trace(t.Context(), beyond4) {
			}
		})
	}
	eventually(t, "the traces are under way", func() bool { return p.Counters().InFlight > 20 })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
