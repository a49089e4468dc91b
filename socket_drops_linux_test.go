package ping

import (
	"context"
	"sync"
	"testing"

	"github.com/icmpsock/ping/internal/netlab"
)

// A raw socket that is opened amid traffic gets all of it until its filter is set, more than its buffer holds. What it
// drops then is nothing of ours.
func TestOpenedAmidTraffic(t *testing.T) {
	netlab.Require(t)
	p := newPinger(t)
	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	defer traffic.Wait()
	defer cancel()
	for range 4 {
		traffic.Go(func() {
			for ctx.Err() == nil {
				for range p.Sweep(ctx, loopbackAddrs(100_000)) {
				}
			}
		})
	}
	await(t, "there is traffic", func() bool { return p.Counters().Received > 1000 })
	for range 300 {
		transport, err := openSocket(false, socketConfig{kind: SocketRaw})
		if err != nil {
			t.Fatal(err)
		}
		n := transport.(*socket).drops()
		transport.Close()
		if n != 0 {
			t.Fatalf("%d messages dropped by a new socket", n)
		}
	}
}
