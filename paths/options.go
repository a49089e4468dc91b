package paths

import (
	"fmt"
	"time"

	"github.com/icmpsock/ping"
)

// An Option is what a caller may choose for [Watch] or [Enumerate]. One that has no effect on a call is an error there.
type Option func(*config) error

// config is what a call may choose.
type config struct {
	call     string // Watch or Enumerate
	interval time.Duration
	rounds   int // 0: without end
	maxHops  int
	miss     float64
	probe    []ping.ProbeOption
}

const (
	watching    = "Watch"
	enumerating = "Enumerate"
)

func newConfig(call string, opts []Option) (*config, error) {
	c := &config{call: call, interval: time.Second, maxHops: 30, miss: 0.05}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("paths: option %d is nil", i)
		}
		if err := o(c); err != nil {
			return nil, fmt.Errorf("paths: %w", err)
		}
	}
	return c, nil
}

// only refuses an option that is for another call.
func (c *config) only(call, option string) error {
	if c.call != call {
		return fmt.Errorf("%s has no effect on %s: it is for %s", option, c.call, call)
	}
	return nil
}

// WithInterval sets the time from one round of a Watch to the next: 10 ms or more, 1 s by default. Less than 1 s makes
// routers that limit their ICMP errors, as those of Linux do, look as if they lost probes.
func WithInterval(d time.Duration) Option {
	return func(c *config) error {
		if d < 10*time.Millisecond {
			return fmt.Errorf("WithInterval(%v): want 10ms or more", d)
		}
		c.interval = d
		return c.only(watching, fmt.Sprintf("WithInterval(%v)", d))
	}
}

// WithRounds ends a Watch after n rounds, 1 or more, once all their probes are settled. By default it goes on.
func WithRounds(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("WithRounds(%d): want 1 or more", n)
		}
		c.rounds = n
		return c.only(watching, fmt.Sprintf("WithRounds(%d)", n))
	}
}

// WithMaxHops sets how far away a host is looked for, 1 to 255 hops. The default is 30.
func WithMaxHops(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 255 {
			return fmt.Errorf("WithMaxHops(%d): want 1 to 255", n)
		}
		c.maxHops = n
		return nil
	}
}

// WithMiss sets how likely it may be, at most, that Enumerate misses one of the next hops of a router that has several:
// 0.0001 to 0.5. The default is 0.05. See [Graph].
func WithMiss(p float64) Option {
	return func(c *config) error {
		if !(p >= 0.0001 && p <= 0.5) {
			return fmt.Errorf("WithMiss(%v): want 0.0001 to 0.5", p)
		}
		c.miss = p
		return c.only(enumerating, fmt.Sprintf("WithMiss(%v)", p))
	}
}

// WithProbe sets how each probe is to be, by options that [ping.Pinger.Ping] takes: its timeout, size, traffic class,
// whether it may be fragmented, and which addresses of a name are used. The TTL is the call's own. WithFlow chooses the
// path that a Watch is of, by default that of a [ping.Pinger.Trace]; the flows of Enumerate are its own.
func WithProbe(opts ...ping.ProbeOption) Option {
	return func(c *config) error {
		c.probe = append(c.probe, opts...)
		return nil
	}
}
