package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// crowd is how many targets there is no room for. The race detector takes no more than 8,128 goroutines.
const crowd = 5000

// Thousands of targets for which there is no room do not delay a Ping for which there is.
func TestNoRoomDelaysNoOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		busy func(ctx context.Context, p *ping.Pinger)
	}{
		{"Ping", func(ctx context.Context, p *ping.Pinger) {
			var calls sync.WaitGroup
			for i := range crowd {
				calls.Go(func() { p.Ping(ctx, crowdedAddr(i).String(), ping.WithTimeout(time.Hour)) })
			}
			calls.Wait()
		}},
		{"Stream", func(ctx context.Context, p *ping.Pinger) {
			var calls sync.WaitGroup
			for i := range crowd {
				calls.Go(func() {
					opts := []ping.ProbeOption{ping.WithInterval(time.Second), ping.WithTimeout(800 * time.Millisecond)}
					for range p.Stream(ctx, crowdedAddr(i).String(), opts...) {
					}
				})
			}
			calls.Wait()
		}},
		{"Sweep", func(ctx context.Context, p *ping.Pinger) {
			addrs := func(yield func(netip.Addr) bool) {
				for i := range crowd {
					if !yield(crowdedAddr(i)) {
						return
					}
				}
			}
			for range p.Sweep(ctx, addrs, ping.WithTimeout(time.Hour)) {
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testNoRoomDelaysNoOthers(t, c.busy) })
		})
	}
}

// crowdedAddr is one of those for which there is no room.
func crowdedAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
}

func testNoRoomDelaysNoOthers(t *testing.T, busy func(context.Context, *ping.Pinger)) {
	const (
		pings = 5
		// most is how many others may be tried, in vain, between the call of a Ping and its own departure.
		most = 64
	)
	crowded := netip.MustParsePrefix("10.1.0.0/16")
	var mu sync.Mutex
	var refusals int
	var left time.Time
	var refusalsThen int // when it left
	l := newLine(3 * time.Millisecond)
	l.refuse = func(m ping.Message) error {
		mu.Lock()
		defer mu.Unlock()
		if crowded.Contains(m.Addr) {
			refusals++
			return fmt.Errorf("a full queue: %w", ping.ErrNoRoom)
		}
		left, refusalsThen = time.Now(), refusals
		return nil
	}
	p, err := ping.New(ping.WithTransport(l))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() { busy(ctx, p) })
	time.Sleep(500 * time.Millisecond) // until trying them is a habit
	slowest, tried := time.Duration(0), 0
	for range pings {
		mu.Lock()
		before := refusals
		mu.Unlock()
		if before < 100 {
			t.Fatalf("%d have been refused by now", before)
		}
		called := time.Now()
		if _, err := p.Ping(t.Context(), "192.0.2.1", ping.WithTimeout(time.Minute)); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		slowest, tried = max(slowest, left.Sub(called)), max(tried, refusalsThen-before)
		mu.Unlock()
	}
	if slowest >= 2*time.Millisecond || tried > most {
		t.Errorf("a Ping left %v after its call, and after %d others had been tried, want less than 2ms and at most %d",
			slowest, tried, most)
	}
}

// What there is no room for for as long as its timeout ends then, and says so, however many there are.
func TestNoRoomEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(0)
		l.refuse = func(ping.Message) error { return ping.ErrNoRoom }
		p, err := ping.New(ping.WithTransport(l))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var calls sync.WaitGroup
		for i := range crowd {
			calls.Go(func() {
				start := time.Now()
				_, err := p.Ping(t.Context(), crowdedAddr(i).String(), ping.WithTimeout(time.Second))
				if took := time.Since(start); !errors.Is(err, ping.ErrNoRoom) || took < time.Second || took > 2*time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		}
		calls.Wait()
	})
}

// While callers keep the sender busy without a pause, what there is no room for still ends with its timeout, if later
// by what waits before it.
func TestNoRoomEndsBesideSaturation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := netip.MustParseAddr("192.0.2.9")
		slow := newPort(func(p *port, messages []ping.Message) (int, error) {
			time.Sleep(100 * time.Microsecond)
			if messages[0].Addr == refused {
				return 0, ping.ErrNoRoom
			}
			p.deliver(messages[0])
			return 1, nil
		})
		p := mustNew(t, ping.WithTransport(slow))
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() {
				for ctx.Err() == nil {
					p.Ping(ctx, "192.0.2.1", ping.WithTimeout(time.Minute))
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		deadline, done := context.WithTimeout(ctx, 10*time.Second)
		_, err := p.Ping(deadline, refused.String(), ping.WithTimeout(50*time.Millisecond))
		done()
		if took := time.Since(start); !errors.Is(err, ping.ErrNoRoom) || took > time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		cancel()
		callers.Wait()
	})
}
