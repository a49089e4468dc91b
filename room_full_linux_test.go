package ping_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icmpsock/ping"
)

// Where all sequence numbers of a socket are taken for an hour, other calls have a further socket, and go on.
func TestRoomOnFurtherSocket(t *testing.T) {
	newSilence(t)
	p := mustNew(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var seen atomic.Int64 // by the stream
	running.Go(func() {
		opts := []ping.ProbeOption{ping.WithInterval(10 * time.Millisecond), ping.WithTimeout(time.Minute)}
		for r, err := range p.Stream(ctx, "127.0.0.1", opts...) {
			if err == nil && r.Err == nil {
				seen.Add(1)
			}
		}
	})
	eventually(t, "the Stream is answered", func() bool { return seen.Load() > 0 })
	running.Go(func() {
		p.PingN(ctx, silent4, 1<<16, ping.WithInterval(time.Microsecond), ping.WithTimeout(time.Hour))
	})
	eventually(t, "the table is full", func() bool { return p.Counters().InFlight >= 1<<16-1<<12 })
	before := seen.Load()
	for range 5 {
		within, done := context.WithTimeout(t.Context(), 10*time.Second)
		if r, err := p.Ping(within, "127.0.0.1", ping.WithTimeout(5*time.Second)); err != nil {
			t.Errorf("a Ping of another host: %+v", r)
			done()
			break
		}
		done()
	}
	eventually(t, "the Stream goes on", func() bool { return seen.Load() >= before+10 })
}
