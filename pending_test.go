package ping_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// What was in flight when ctx or Close ended a Stream or a Ping is known to its error, for Statistics.Add to count.
// What had not left has no part in it.
func TestPendingOfStreamAndPing(t *testing.T) {
	stream := func(ctx context.Context, p *ping.Pinger) (s ping.Statistics, last error) {
		for r, err := range p.Stream(ctx, target, ping.WithInterval(100*ms)) {
			if err != nil {
				last, r = err, ping.Reply{Err: err}
			}
			s.Add(r)
		}
		return s, last
	}
	once := func(ctx context.Context, p *ping.Pinger) (s ping.Statistics, err error) {
		r, err := p.Ping(ctx, target)
		s.Add(r)
		return s, err
	}
	for _, c := range []struct {
		name                    string
		run                     func(context.Context, *ping.Pinger) (ping.Statistics, error)
		answered, room          int // of the requests: those that are answered, and those that leave
		sent, received, pending int
	}{
		{"Stream", stream, 1, 100, 5, 1, 4},
		{"Stream, then no room", stream, 1, 3, 3, 1, 2},
		{"Stream, no room", stream, 0, 0, 0, 0, 0},
		{"Ping", once, 0, 100, 1, 0, 1},
		{"Ping, no room", once, 0, 0, 0, 0, 0},
	} {
		for _, want := range []error{context.Canceled, net.ErrClosed} {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(n int, m ping.Message) []delayed {
					if n < c.answered {
						return []delayed{{ms, echoed(m)}}
					}
					return nil
				})
				f.refuse = func(n int, _ ping.Message) error {
					if n >= c.room {
						return ping.ErrNoRoom
					}
					return nil
				}
				p := newFakePinger(t, f)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(450*ms, func() {
					if want == net.ErrClosed {
						p.Close()
					}
					cancel()
				})
				s, err := c.run(ctx, p)
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", c.name, err, want)
				}
				if s.Sent != c.sent || s.Received != c.received || s.Pending != c.pending || s.Lost > 0 || s.Loss() != 0 {
					t.Errorf("%s, %v: %+v", c.name, want, s)
				}
			})
		}
	}
}
