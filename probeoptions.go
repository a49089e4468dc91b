package ping

import (
	"fmt"
	"strings"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// probeConfig is what a call may choose.
type probeConfig struct {
	timeout      time.Duration
	interval     time.Duration
	size         int
	ttl          int
	trafficClass int
	dontFragment bool
	network      string
	count        int // 0: the call's own default
	maxHops      int
	firstHop     int
	gapLimit     int    // 0: none
	flow         uint16 // 0: none
	anomalies    bool
	phase        time.Duration // of a Watcher's target
	hasPhase     bool
	call         callSet // that the options are given to; 0: none, they are defaults
}

// A callSet is a set of calls.
type callSet uint16

const (
	onPing callSet = 1 << iota
	onPingN
	onStream
	onReachable
	onFirstReply
	onSweep
	onTrace
	onPathMTU
	onTraceMTU
	onWatcher
	onAskInterface
	onAll callSet = 1<<iota - 1
)

var callNames = [...]string{
	"Ping", "PingN", "Stream", "Reachable", "FirstReply", "Sweep", "Trace", "PathMTU", "TraceMTU", "a Watcher",
	"AskInterface",
}

// String lists the calls.
func (s callSet) String() string {
	var b strings.Builder
	for i, name := range callNames {
		if s>>i&1 == 0 {
			continue
		}
		switch before, after := s&(1<<i-1), s>>(i+1); {
		case before == 0:
		case after == 0:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(name)
	}
	return b.String()
}

// noEffect is the error of an option that is given to another call than those that it is for.
func noEffect(option string, call, calls callSet) error {
	return fmt.Errorf("%s has no effect on %v: it is for %v", option, call, calls)
}

// usualSize is the payload, in bytes, where WithSize says no other.
const usualSize = 56

type probeOption func(*probeConfig) error

func (o probeOption) probe(c *probeConfig) error { return o(c) }
func (o probeOption) configure(c *config) error  { return o(&c.probe) }

// inRange is an option for some calls, which sets *field(c) if low <= n <= high.
func inRange(name string, n, low, high int, calls callSet, field func(*probeConfig) *int) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if n < low || n > high {
			return fmt.Errorf("%s(%d): want %d to %d", name, n, low, high)
		}
		if c.call&^calls != 0 {
			return noEffect(fmt.Sprintf("%s(%d)", name, n), c.call, calls)
		}
		*field(c) = n
		return nil
	})
}

// WithTimeout sets how long each probe waits for its answer: above 0, 1 s by default. The wait begins when the echo
// request leaves; one that finds no room to leave within that time ends with [ErrNoRoom], but waits for a minute if a
// Sweep makes it to a host on the link. A Trace waits longer for some of its probes, and not so long for others. A
// reply counts by the time at which it arrived, not by when the program got round to it.
func WithTimeout(d time.Duration) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout(%v): want more than 0", d)
		}
		c.timeout = d
		return nil
	})
}

// WithInterval sets the time from one probe of a PingN, Stream, Reachable or FirstReply to the next, from one to the
// next for an address of a Sweep, and from the third and later ones of a Trace for one distance: 0 or more, 1 s by
// default. 0 sends each probe as soon as the one before it is settled, be it by an error of sending; a Trace waits 50
// ms for that at most, a Sweep not at all. Where more than 8 calls of the first four run at a time, the second probe of
// each further one comes up to half an interval early or late, so that calls that start together spread out; which
// comes when depends on the order in which they start. It is the interval of a Watcher's targets too, which must be
// above 0. Ping, PathMTU, TraceMTU and AskInterface take it, to no effect.
func WithInterval(d time.Duration) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if d < 0 {
			return fmt.Errorf("WithInterval(%v): want 0 or more", d)
		}
		c.interval = d
		return nil
	})
}

// WithSize sets the payload's length in bytes, 56 by default: 0 to 65,507 for IPv4, to 65,527 for IPv6. The ICMP
// header adds 8, and the question of AskInterface 16 to 76 more. Under 8 there is no room for the whole secret that
// tells a forged reply from a true one.
func WithSize(n int) ProbeOption {
	return inRange("WithSize", n, 0, wire.MaxPayload6, onAll, func(c *probeConfig) *int { return &c.size })
}

// WithTTL sets the TTL or hop limit of the echo requests, 1 to 255. The default is the system's, mostly 64. Trace
// and TraceMTU set their own.
func WithTTL(n int) ProbeOption {
	return inRange("WithTTL", n, 1, 255, onAll, func(c *probeConfig) *int { return &c.ttl })
}

// WithTrafficClass sets the IPv4 type of service or IPv6 traffic class, 0 to 255: the DSCP (RFC 2474) times 4. The
// default is 0.
func WithTrafficClass(n int) ProbeOption {
	return inRange("WithTrafficClass", n, 0, 255, onAll, func(c *probeConfig) *int { return &c.trafficClass })
}

// WithDontFragment says whether echo requests must not be fragmented on the way: a packet too big for a
// link is then an *[ICMPError] with the MTU of that link, and one too big for this host's own link is not sent
// at all. The default is false. Linux only; before Linux 6.1 a datagram socket sends no IPv6 packet of more than 15,013
// bytes so, which is errors.ErrUnsupported.
func WithDontFragment(on bool) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		c.dontFragment = on
		return nil
	})
}

// WithNetwork sets which addresses of a host are used: "ip", the default, "ip4" or "ip6".
func WithNetwork(network string) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		switch network {
		case "ip", "ip4", "ip6":
			c.network = network
			return nil
		}
		return fmt.Errorf(`WithNetwork(%q): want "ip", "ip4" or "ip6"`, network)
	})
}

// WithCount sets how many echo requests Sweep sends to each address (1 by default; they are WithInterval apart), how
// many Trace sends to each distance (3; it takes 1,000 at most), how many Reachable and FirstReply send at most (3),
// PathMTU and TraceMTU of a size that is not answered (5, 100 at most), and after how many a Stream ends (never): 1 or
// more. The others refuse it: Ping and AskInterface send one, PingN as many as its n says, and a Watcher goes on.
func WithCount(n int) ProbeOption {
	const calls = onStream | onReachable | onFirstReply | onSweep | onTrace | onPathMTU | onTraceMTU
	return inRange("WithCount", n, 1, 1<<31-1, calls, func(c *probeConfig) *int { return &c.count })
}

// WithMaxHops sets how far a Trace or TraceMTU goes at most, 1 to 255 hops. The default is 30. Other calls refuse it.
func WithMaxHops(n int) ProbeOption {
	return inRange("WithMaxHops", n, 1, 255, onTrace|onTraceMTU, func(c *probeConfig) *int { return &c.maxHops })
}

// WithFirstHop sets the distance with which a Trace begins, 1 to 255 hops. The default is 1. It may not be above that
// of WithMaxHops. Other calls refuse it.
func WithFirstHop(n int) ProbeOption {
	return inRange("WithFirstHop", n, 1, 255, onTrace, func(c *probeConfig) *int { return &c.firstHop })
}

// WithGapLimit has a Trace or TraceMTU give up after n silent hops in a row, 1 to 255. By default they go on to
// WithMaxHops. Other calls refuse it.
func WithGapLimit(n int) ProbeOption {
	return inRange("WithGapLimit", n, 1, 255, onTrace|onTraceMTU, func(c *probeConfig) *int { return &c.gapLimit })
}

// WithAnomalies has Stream and Watcher yield, beside the outcome of each probe, what else came for it: a Reply with
// that probe's Seq and the Err [ErrLate], [ErrDuplicate], [ErrCorrupted] or [ErrStray]. Of a flood, no more than 64
// wait to be yielded; Counters has all. The default is false. Other calls refuse true; the counts of a [Statistics] of
// PingN are there without it.
func WithAnomalies(on bool) ProbeOption {
	const calls = onStream | onWatcher
	return probeOption(func(c *probeConfig) error {
		if on && c.call&^calls != 0 {
			return noEffect("WithAnomalies(true)", c.call, calls)
		}
		c.anomalies = on
		return nil
	})
}

// WithPhase has a Watcher's target send when the time since 1970 began in UTC, divided by the interval, leaves the
// remainder d, 0 or more, in place of instants that depend on the id. So whoever knows the phase knows the instants,
// and a program that starts anew goes on where it was. The wall clock is asked once, as the target is added: a step of
// it later shifts no probe. A d of the interval or more is taken modulo that.
func WithPhase(d time.Duration) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if d < 0 {
			return fmt.Errorf("WithPhase(%v): want 0 or more", d)
		}
		if c.call&^onWatcher != 0 {
			return noEffect(fmt.Sprintf("WithPhase(%v)", d), c.call, onWatcher)
		}
		c.phase, c.hasPhase = d, true
		return nil
	})
}

// WithFlow has all probes of a call take the same of several paths, and those of another number perhaps another one: 1
// to 65,535. Routers that share packets out among paths keep those of one flow together (RFC 2992), and tell flows of
// ICMP apart by checksum and identifier, if at all. So the probes of one number have the same checksum, if they are of
// the same size and for the same target; the identifier is the Pinger's. Over IPv6 they have the same flow label
// (RFC 6437) too, in place of the system's choice (Linux only). A Trace goes the way that Pings with its number go. A
// datagram socket sends flow labels since Linux 6.0: before, a probe with a flow over IPv6 ends with
// errors.ErrUnsupported, unless the Pinger has raw sockets.
//
// Without it, a Trace has a flow of its own, which is the same each time, and other calls have none: each probe has
// another checksum. The cost is 16 of the 64 bits of the secret that each probe carries. It needs a payload of 8
// bytes or more. AskInterface refuses it, for its requests have a checksum more.
func WithFlow(n int) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if n < 1 || n > 1<<16-1 {
			return fmt.Errorf("WithFlow(%d): want 1 to 65535", n)
		}
		if c.call == onAskInterface {
			return noEffect(fmt.Sprintf("WithFlow(%d)", n), c.call, onAll&^onAskInterface)
		}
		c.flow = uint16(n)
		return nil
	})
}

// with applies the options that are given to a call, or with a call of 0 more defaults. Without any it returns c
// itself.
func (c *probeConfig) with(call callSet, opts []ProbeOption) (*probeConfig, error) {
	if len(opts) == 0 {
		return c, nil
	}
	own := *c
	own.call = call
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		if err := o.probe(&own); err != nil {
			return nil, err
		}
	}
	if err := own.check(); err != nil {
		return nil, err
	}
	return &own, nil
}

// check refuses options that do not go together.
func (c *probeConfig) check() error {
	if c.flow != 0 && c.size < wire.CookieLen {
		return fmt.Errorf("WithFlow(%d) with WithSize(%d): want a size of %d or more", c.flow, c.size, wire.CookieLen)
	}
	if c.firstHop > c.maxHops {
		return fmt.Errorf("WithFirstHop(%d) with WithMaxHops(%d): want no more than that", c.firstHop, c.maxHops)
	}
	return nil
}
