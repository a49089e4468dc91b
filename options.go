package ping

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// An Option configures a [Pinger]. See [New].
type Option interface {
	configure(*config) error
}

// A ProbeOption configures one call. Given to [New] it is the default of all calls, which makes each
// ProbeOption an [Option]. Of two that contradict each other the later holds.
//
// WithCount, WithMaxHops, WithFirstHop, WithGapLimit and WithAnomalies mean nothing to some calls. Given to such a call
// itself, they are refused, with an error that names the calls that they are for; as defaults, given to New or to
// NewWatcher, they are there for the others. The rest may be given to any call.
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

// config is what a Pinger may choose.
type config struct {
	probe      probeConfig
	source4    netip.Addr
	source6    netip.Addr
	device     string
	mark       int
	rate       int // echo requests per second; 0: no limit
	hasMark    bool
	wire       bool
	allSockets bool
	kind       SocketKind
	resolver   Resolver
	transport  func() (Transport, error) // opens the one to use instead of the kernel's sockets; nil: none
	reopens    bool                      // each time it opens another
	log        *slog.Logger
}

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

// WithSource binds the sockets to an address of this host. Given one address, the Pinger pings that family
// only; given one of each (the option twice), both. With WithInterface, it may be an address on that interface alone:
// one of a VRF, or a link-local one without a zone.
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
// packets leave and arrive there. Where another interface gets the name, because it was made anew, the sockets are
// bound to that within a second, or at once by Reopen. Without CAP_NET_RAW new ones take their place, with other
// identifiers. Linux only.
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

// WithAllSockets has New open all sockets that any call may use, for programs that give up the right to open them
// later: for each IP version as many as a Sweep may put to use, which is GOMAXPROCS, but 2 to 16, and as many again for
// WithDontFragment. Where one of them cannot be opened, New fails. No others are opened later, but in the place of one
// of these: by Reopen, which opens all of them anew; where a socket has come to its end; and where its network
// interface was made anew, unless the process has CAP_NET_RAW. The default is false: sockets are opened on first use.
func WithAllSockets(on bool) Option {
	return option(func(c *config) error {
		c.allSockets = on
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

// WithResolver sets who looks up names, net.DefaultResolver by default. Literal addresses are not looked up. Of several
// addresses the first that has a route is pinged, see [Pinger.Resolve]. An error that is no *net.DNSError is wrapped in
// one.
func WithResolver(r Resolver) Option {
	return option(func(c *config) error {
		if r == nil {
			return fmt.Errorf("WithResolver(nil): want a Resolver")
		}
		c.resolver = r
		return nil
	})
}

// WithLogger sets where the Pinger tells what has no caller to be told: at level Debug, which sockets it opened, and
// what of them the system refuses, with what that costs, as under seccomp or gVisor; at level Error, what ended one of
// them. By default it is silent.
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
		c.transport, c.reopens = func() (Transport, error) { return t, nil }, false
		return nil
	})
}

// WithTransportFunc is [WithTransport] with a Transport that New opens, as it does the kernel's sockets: an error of
// open is New's. [Pinger.Reopen] opens another, which takes the place of the one before; where that fails, the old one
// stays. Each is to have an identifier of its own. open is called by one goroutine at a time, must not use the Pinger,
// and may be given to several Pingers.
func WithTransportFunc(open func() (Transport, error)) Option {
	return option(func(c *config) error {
		if open == nil {
			return fmt.Errorf("WithTransportFunc(nil): want a function")
		}
		c.transport, c.reopens = func() (Transport, error) {
			t, err := open()
			if err == nil && t == nil {
				err = fmt.Errorf("WithTransportFunc: the function returned neither a Transport nor an error")
			}
			return t, err
		}, true
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
