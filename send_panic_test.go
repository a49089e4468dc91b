package ping_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A Transport that panics in Send does so in the caller's goroutine. Who recovers from it has lost one probe; the
// Pinger goes on, for the calls that were waiting for that Send too.
func TestSendPanics(t *testing.T) {
	for name, queued := range map[string]int{"alone": 0, "beside another": 1, "beside many": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				first := true
				p := mustNew(t, ping.WithTransport(newPort(func(p *port, messages []ping.Message) (int, error) {
					if first { // Send is called by one goroutine at a time
						first = false
						<-gate
						panic("of the transport")
					}
					return answering(p, messages)
				})))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var running sync.WaitGroup
				var failed atomic.Int64
				running.Go(func() {
					defer func() {
						if what := recover(); what != "of the transport" {
							t.Errorf("recovered %v", what)
						}
					}()
					_, err := p.Ping(ctx, "192.0.2.1")
					t.Errorf("Ping returned, with the error %v", err)
				})
				synctest.Wait()
				for range queued {
					running.Go(func() {
						if _, err := p.Ping(ctx, "192.0.2.1"); err != nil {
							failed.Add(1)
						}
					})
				}
				synctest.Wait()
				close(gate)
				running.Wait()
				if n := failed.Load(); n > 0 {
					t.Errorf("%d of %d Pings that were waiting failed", n, queued)
				}
				for range 3 {
					if _, err := p.Ping(ctx, "192.0.2.1"); err != nil {
						t.Errorf("afterwards: %v", err)
					}
				}
				c := p.Counters()
				if c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned || c.Received != uint64(queued+3) {
					t.Errorf("counters are %+v", c)
				}
			})
		})
	}
}

// A call that ends with a panic of the Transport, which its caller recovers from, leaves nothing behind: no later
// Reopen waits for it to give up the old Transport.
func TestSendPanicEndsCall(t *testing.T) {
	for name, call := range map[string]func(p *ping.Pinger, ctx context.Context){
		"Ping":      func(p *ping.Pinger, ctx context.Context) { p.Ping(ctx, target) },
		"PingN":     func(p *ping.Pinger, ctx context.Context) { p.PingN(ctx, target, 3) },
		"Reachable": func(p *ping.Pinger, ctx context.Context) { p.Reachable(ctx, target) },
		"Trace": func(p *ping.Pinger, ctx context.Context) {
			for range p.Trace(ctx, target) {
			}
		},
		"Stream": func(p *ping.Pinger, ctx context.Context) {
			for range p.Stream(ctx, target) {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened []*fake
				p := mustNew(t, ping.WithTransportFunc(func() (ping.Transport, error) {
					f := newFake(nil)
					f.refuse = func(int, ping.Message) error { panic("of the transport") }
					opened = append(opened, f)
					return f, nil
				}))
				func() {
					defer func() {
						if recover() == nil {
							t.Error("no panic")
						}
					}()
					call(p, t.Context())
				}()
				if err := p.Reopen(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if !opened[0].closed() {
					t.Error("the old Transport stays open")
				}
			})
		})
	}
}
