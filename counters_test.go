package ping_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// Whatever happens, the counters add up, at any moment.
func TestCountersAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(func(n int, m ping.Message) []delayed {
			if n%3 == 0 {
				return nil
			}
			return []delayed{{time.Duration(n%250) * ms, echoed(m)}}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { p.PingN(ctx, target, 1000, ping.WithInterval(7*ms), ping.WithTimeout(200*ms)) })
		}
		for range 100 {
			time.Sleep(33 * ms)
			if c := p.Counters(); c.Sent != c.Received+c.Lost+c.Abandoned+c.InFlight || c.InFlight > 20*200/7+20 {
				t.Errorf("counters are %+v", c)
			}
		}
		wg.Wait()
		if c := p.Counters(); c.InFlight != 0 || c.Sent != c.Received+c.Lost+c.Abandoned || c.Sent == 0 {
			t.Errorf("counters are %+v", c)
		}
	})
}

// The counters of a Pinger that has been closed are final: what its transport hands over after that adds nothing. What
// was in flight is abandoned, and what waited for room has not been sent.
func TestCountersFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &posthumous{fake: newFake(nil)}
		f.refuse = func(_ int, m ping.Message) error {
			if m.Addr.String() != target {
				return ping.ErrNoRoom
			}
			f.request = m
			return nil
		}
		p := mustNew(t, ping.WithTransport(f))
		var calls sync.WaitGroup
		for _, host := range []string{target, "192.0.2.2"} {
			calls.Go(func() {
				if _, err := p.Ping(t.Context(), host); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", host, err)
				}
			})
		}
		time.Sleep(10 * ms)
		p.Close()
		calls.Wait()
		want := ping.Counters{Sent: 1, Abandoned: 1, SendErrors: 1}
		if c := p.Counters(); c != want || f.handed.Load() != 2 {
			t.Errorf("after Close, and %d messages more: the counters are %+v, want %+v", f.handed.Load(), c, want)
		}
		if _, err := p.Ping(t.Context(), target); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if c := p.Counters(); c != want {
			t.Errorf("after one more Ping: the counters are %+v, want %+v", c, want)
		}
	})
}

// A posthumous transport hands over two messages after it has been closed: a true reply, and one that answers nothing.
type posthumous struct {
	*fake
	request ping.Message
	handed  atomic.Int32
}

func (f *posthumous) Receive(messages []ping.Message) (int, error) {
	if n, err := f.fake.Receive(messages); f.handed.Load() > 0 {
		return n, err
	}
	reply := echoed(f.request)
	for i, m := range []ping.Message{reply, {Addr: reply.Addr, Data: make([]byte, 64)}} {
		m.Data = messages[i].Data[:copy(messages[i].Data, m.Data)]
		messages[i] = m
	}
	f.handed.Store(2)
	return 2, nil
}
