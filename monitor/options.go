package monitor

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"time"

	"github.com/icmpsock/ping"
)

// An Option configures a Monitor. See [New].
type Option func(*config) error

// config is what a Monitor may choose.
type config struct {
	second       *ping.Pinger
	window       time.Duration
	resolver     ping.Resolver
	resolveEvery time.Duration
	seed         uint64
	onChange     func(Change)
	log          *slog.Logger
}

const (
	minResolve = time.Second
	maxWindow  = 31 * 24 * time.Hour
)

func newConfig(opts []Option) (config, error) {
	c := config{
		window:       15 * time.Minute,
		resolveEvery: time.Minute,
		seed:         hostSeed(),
		log:          slog.New(slog.DiscardHandler),
	}
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("option %d is nil", i)
		}
		if err := o(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// hostSeed is the seed of a host, the same each time the program starts.
func hostSeed() uint64 {
	name, _ := os.Hostname() // without one, all such hosts have the same
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// WithSecondPinger sets the Pinger under whose identifier a target that seems down is asked again. The caller closes
// it, after the Monitor has ended. By default the Monitor opens one like the first ([ping.Pinger.Clone]), and closes
// it again. Where that cannot be, over a Transport of your own, the first Pinger serves for both.
func WithSecondPinger(p *ping.Pinger) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("WithSecondPinger(nil): want a Pinger")
		}
		c.second = p
		return nil
	}
}

// WithWindow sets for how long the outcome of each probe is kept: 1 s to 31 days, 15 minutes by default. It costs two
// bytes a probe, for 128 of them at least.
func WithWindow(d time.Duration) Option {
	return func(c *config) error {
		if d < time.Second || d > maxWindow {
			return fmt.Errorf("WithWindow(%v): want 1s to %v", d, maxWindow)
		}
		c.window = d
		return nil
	}
}

// WithResolver sets who looks up names; by default that is the Pinger's resolver, which is net.DefaultResolver unless
// it has another. Eight lookups at most are under way at a time, each for 5 s at most.
func WithResolver(r ping.Resolver) Option {
	return func(c *config) error {
		if r == nil {
			return errors.New("WithResolver(nil): want a Resolver")
		}
		c.resolver = r
		return nil
	}
}

// WithResolveInterval sets after how long a name is looked up again: 1 s or more, 1 minute by default. A name without
// an address, or whose target is down, is looked up again sooner: after 1 s, then 2, then 4, up to 10 s or that
// interval, whichever is less.
func WithResolveInterval(d time.Duration) Option {
	return func(c *config) error {
		if d < minResolve {
			return fmt.Errorf("WithResolveInterval(%v): want %v or more", d, minResolve)
		}
		c.resolveEvery = d
		return nil
	}
}

// WithSeed sets what decides, with a target's name, at which instants its probes leave. By default it is made of this
// host's name: two Monitors on different hosts do not send at the same instants, and one that starts anew keeps to its
// own.
func WithSeed(seed uint64) Option {
	return func(c *config) error {
		c.seed = seed
		return nil
	}
}

// WithOnChange has f called for each change, one after the other, by a goroutine of its own. However long that takes,
// no probe is delayed: up to 1,024 changes wait for it, and what goes beyond that is left out, and counted in the
// Missed of the next Change. Run returns after f has for what changed until then.
func WithOnChange(f func(Change)) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("WithOnChange(nil): want a function")
		}
		c.onChange = f
		return nil
	}
}

// WithLogger sets where the Monitor tells of what is wrong with this host rather than with a target, at level Warn:
// that nothing can be sent, that an identifier is ignored, that sockets are opened anew. By default it is silent.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger(nil): want a Logger")
		}
		c.log = l
		return nil
	}
}
