package ping

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/icmpsock/ping/internal/wire"
)

// An Option configures a [Pinger]. See [New].
type Option interface {
	configure(*config) error
}

// A ProbeOption configures one call. Given to [New] it is the default of all calls, which makes each
// ProbeOption an [Option]. Of two that contradict each other the later holds.
type ProbeOption interface {
	Option
	probe(*probeConfig) error
}

// A Resolver looks up the addresses of a host, as [net.Resolver] does; network is "ip", "ip4" or "ip6".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A SocketKind is a kind of socket that carries ICMP.
type SocketKind int

const (
	// SocketAuto, the default, is SocketDatagram where the system permits that, else SocketRaw where it
	// permits that. Other systems than Linux and macOS have raw sockets only.
	SocketAuto SocketKind = iota
	// SocketDatagram is a datagram-oriented ICMP socket (icmp(7)). On Linux it is for the groups in the
	// range net.ipv4.ping_group_range.
	SocketDatagram
	// SocketRaw is a raw socket (raw(7)), filtered in the kernel to our own replies. On Linux it needs CAP_NET_RAW.
	SocketRaw
)

// String returns "auto", "datagram" or "raw".
func (k SocketKind) String() string {
	switch k {
	case SocketAuto:
		return "auto"
	case SocketDatagram:
		return "datagram"
	case SocketRaw:
		return "raw"
	}
	return fmt.Sprintf("SocketKind(%d)", int(k))
}

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
}

// config is what a Pinger may choose.
type config struct {
	probe     probeConfig
	source4   netip.Addr
	source6   netip.Addr
	device    string
	mark      int
	rate      int // echo requests per second; 0: no limit
	hasMark   bool
	wire      bool
	kind      SocketKind
	resolver  Resolver
	transport Transport
	log       *slog.Logger
}

// usualSize is the payload, in bytes, where WithSize says no other.
const usualSize = 56

func defaults() config {
	return config{
		probe: probeConfig{
			timeout:  time.Second,
			interval: time.Second,
			size:     usualSize,
			network:  "ip",
			maxHops:  30,
			firstHop: 1,
		},
		resolver: net.DefaultResolver,
		log:      slog.New(slog.DiscardHandler),
	}
}

type option func(*config) error

func (o option) configure(c *config) error { return o(c) }

type probeOption func(*probeConfig) error

func (o probeOption) probe(c *probeConfig) error { return o(c) }
func (o probeOption) configure(c *config) error  { return o(&c.probe) }

// inRange is an option that sets *field(c) if low <= n <= high.
func inRange(name string, n, low, high int, field func(*probeConfig) *int) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if n < low || n > high {
			return fmt.Errorf("%s(%d): want %d to %d", name, n, low, high)
		}
		*field(c) = n
		return nil
	})
}

// WithTimeout sets how long each probe waits for its answer: above 0, 1 s by default. The wait begins when the echo
// request leaves; one that finds no room to leave within that time ends with [ErrNoRoom]. A reply counts by the time
// at which it arrived, not by when the program got round to it.
func WithTimeout(d time.Duration) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout(%v): want more than 0", d)
		}
		c.timeout = d
		return nil
	})
}

// WithInterval sets the time from one probe of a PingN, Stream or Reachable to the next, and from the third and later
// ones of a Trace for one distance: 0 or more, 1 s by default. 0 sends each probe as soon as the one before it is
// settled, be it by an error of sending; a Trace waits 50 ms for that at most. Where more than 8 of these calls run at
// a time, the second probe of each further one comes up to half an interval early or late, so that calls that start
// together spread out; which comes when depends on the order in which they start.
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
// header adds 8. Under 8 there is no room for the whole secret that tells a forged reply from a true one.
func WithSize(n int) ProbeOption {
	return inRange("WithSize", n, 0, wire.MaxPayload6, func(c *probeConfig) *int { return &c.size })
}

// WithTTL sets the TTL or hop limit of the echo requests, 1 to 255. The default is the system's, mostly 64. Trace
// sets its own.
func WithTTL(n int) ProbeOption {
	return inRange("WithTTL", n, 1, 255, func(c *probeConfig) *int { return &c.ttl })
}

// WithTrafficClass sets the IPv4 type of service or IPv6 traffic class, 0 to 255: the DSCP (RFC 2474) times 4. The
// default is 0.
func WithTrafficClass(n int) ProbeOption {
	return inRange("WithTrafficClass", n, 0, 255, func(c *probeConfig) *int { return &c.trafficClass })
}

// WithDontFragment says whether echo requests must not be fragmented on the way: a packet too big for a
// link is then an *[ICMPError] with the MTU of that link, and one too big for this host's own link is not sent
// at all. The default is false. Linux only.
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

// WithCount sets how many echo requests Sweep sends to each address (1 by default), how many Trace sends to each
// distance (3; it takes 1,000 at most), how many Reachable sends at most (3), PathMTU of a size that is not answered
// (5), and after how many a Stream ends (never): 1 or more.
func WithCount(n int) ProbeOption {
	return inRange("WithCount", n, 1, 1<<31-1, func(c *probeConfig) *int { return &c.count })
}

// WithMaxHops sets how far a Trace goes at most, 1 to 255 hops. The default is 30.
func WithMaxHops(n int) ProbeOption {
	return inRange("WithMaxHops", n, 1, 255, func(c *probeConfig) *int { return &c.maxHops })
}

// WithFirstHop sets the distance with which a Trace begins, 1 to 255 hops. The default is 1. It may not be above that
// of WithMaxHops.
func WithFirstHop(n int) ProbeOption {
	return inRange("WithFirstHop", n, 1, 255, func(c *probeConfig) *int { return &c.firstHop })
}

// WithGapLimit has a Trace give up after n silent hops in a row, 1 to 255. By default it goes on to WithMaxHops.
func WithGapLimit(n int) ProbeOption {
	return inRange("WithGapLimit", n, 1, 255, func(c *probeConfig) *int { return &c.gapLimit })
}

// WithAnomalies has Stream and Watcher yield, beside the outcome of each probe, what else came for it: a Reply with
// that probe's Seq and the Err [ErrLate], [ErrDuplicate], [ErrCorrupted] or [ErrStray]. Of a flood, no more than 64
// wait to be yielded; Counters has all. The default is false. The counts of a [Statistics] of PingN are there without
// it.
func WithAnomalies(on bool) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		c.anomalies = on
		return nil
	})
}

// WithFlow has all probes of a call take the same of several paths, and those of another number perhaps another one: 1
// to 65,535. Routers that share packets out among paths keep those of one flow together (RFC 2992), and tell flows of
// ICMP apart by checksum and identifier, if at all. So the probes of one number have the same checksum, if they are of
// the same size and for the same target; the identifier is the Pinger's. Over IPv6 they have the same flow label
// (RFC 6437) too, in place of the system's choice (Linux only). A Trace goes the way that Pings with its number go.
//
// Without it, a Trace has a flow of its own, which is the same each time, and other calls have none: each probe has
// another checksum. The cost is 16 of the 64 bits of the secret that each probe carries. It needs a payload of 8
// bytes or more.
func WithFlow(n int) ProbeOption {
	return probeOption(func(c *probeConfig) error {
		if n < 1 || n > 1<<16-1 {
			return fmt.Errorf("WithFlow(%d): want 1 to 65535", n)
		}
		c.flow = uint16(n)
		return nil
	})
}

// WithSource binds the sockets to an address of this host. Given one address, the Pinger pings that family
// only; given one of each (the option twice), both.
func WithSource(addr netip.Addr) Option {
	return option(func(c *config) error {
		switch {
		case !addr.IsValid() || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast():
			return fmt.Errorf("WithSource(%v): want a unicast IPv4 or IPv6 address", addr)
		case addr.Is4():
			c.source4 = addr
		default:
			c.source6 = addr
		}
		return nil
	})
}

// WithInterface binds the sockets to a network interface or VRF, by name (SO_BINDTODEVICE, socket(7)): all
// packets leave and arrive there. Linux only.
func WithInterface(name string) Option {
	return option(func(c *config) error {
		if name == "" {
			return fmt.Errorf("WithInterface(%q): want the name of a network interface", name)
		}
		c.device = name
		return nil
	})
}

// WithMark marks the packets for routing and firewalls (SO_MARK, socket(7)): 0 to 4,294,967,295, as far as an int
// goes. It needs CAP_NET_ADMIN or CAP_NET_RAW. Linux only.
func WithMark(n int) Option {
	return option(func(c *config) error {
		if n < 0 || int64(n) > 1<<32-1 {
			return fmt.Errorf("WithMark(%d): want 0 to %d", n, int64(1<<32-1))
		}
		c.mark, c.hasMark = n, true
		return nil
	})
}

// WithRate limits the whole Pinger to n echo requests per second, 1 to 10,000,000, evenly spaced, however many calls
// share it: each gets its turn in the order in which they ask. Turns that nobody takes are not saved up. The default
// is no limit but that of the receive buffer.
func WithRate(n int) Option {
	return option(func(c *config) error {
		if n < 1 || n > 10_000_000 {
			return fmt.Errorf("WithRate(%d): want 1 to 10000000", n)
		}
		c.rate = n
		return nil
	})
}

// WithWireTimestamps has the kernel stamp the departure of each echo request too, as it is handed to the network
// device, so that nothing this host does before counts in the RTT: Reply.Clock is then [ClockWire]. Over loopback it
// makes a lone Ping take a quarter to a third longer, 2 to 3 us, which is why it is not the default. Linux 6.13 and
// later; elsewhere it changes nothing.
func WithWireTimestamps(on bool) Option {
	return option(func(c *config) error {
		c.wire = on
		return nil
	})
}

// WithSocket sets the kind of socket, SocketAuto by default.
func WithSocket(kind SocketKind) Option {
	return option(func(c *config) error {
		if kind < SocketAuto || kind > SocketRaw {
			return fmt.Errorf("WithSocket(%v): want SocketAuto, SocketDatagram or SocketRaw", kind)
		}
		c.kind = kind
		return nil
	})
}

// WithResolver sets who looks up names, net.DefaultResolver by default. Literal addresses are not looked up.
func WithResolver(r Resolver) Option {
	return option(func(c *config) error {
		if r == nil {
			return fmt.Errorf("WithResolver(nil): want a Resolver")
		}
		c.resolver = r
		return nil
	})
}

// WithLogger sets where the Pinger tells what has no caller to be told: which sockets it opened, at level
// Debug, and what ended one of them, at level Error. By default it is silent.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) error {
		if l == nil {
			return fmt.Errorf("WithLogger(nil): want a Logger")
		}
		c.log = l
		return nil
	})
}

// WithTransport sets what carries the messages, of both families, instead of the kernel's sockets. The
// Pinger closes it; where New fails, it is left to the caller. Package pingtest has one for tests.
func WithTransport(t Transport) Option {
	return option(func(c *config) error {
		if t == nil {
			return fmt.Errorf("WithTransport(nil): want a Transport")
		}
		c.transport = t
		return nil
	})
}

// newConfig applies the options to the defaults.
func newConfig(opts []Option) (*config, error) {
	c := defaults()
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("ping: option %d is nil", i)
		}
		if err := o.configure(&c); err != nil {
			return nil, fmt.Errorf("ping: %w", err)
		}
	}
	if err := c.probe.check(); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	return &c, nil
}

// with applies a call's options. Without any it returns c itself.
func (c *probeConfig) with(opts []ProbeOption) (*probeConfig, error) {
	if len(opts) == 0 {
		return c, nil
	}
	own := *c
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
