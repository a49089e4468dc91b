package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/pool"
)

// Resolve returns the address that the other methods would ping for host: of the family that WithNetwork asks for,
// and that the Pinger has a socket for. A literal address is not looked up. Of several addresses for a name it is the
// first, in the Resolver's order, that this host has a route to, by the Pinger's source address, interface and mark
// (RFC 6724 section 6, rule 1); where there is a route to none, the first. The error is as Ping's. The other options
// have no effect: those of the call to come may be given.
func (p *Pinger) Resolve(ctx context.Context, host string, opts ...ProbeOption) (netip.Addr, error) {
	config, err := p.config.probe.with(0, opts)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && p.sockets.Closed() {
		err = net.ErrClosed
	}
	if err == nil {
		var addr netip.Addr
		if addr, _, err = p.resolve(ctx, host, config.network); err == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, &probeError{host: host, err: err}
}

// Resolve returns the address that a Pinger of these options would ping for host, as [Pinger.Resolve] does. It opens no
// ICMP socket, and needs no permission for one: a family that the system has no such sockets for is not left out. What
// counts is WithNetwork and WithResolver, the family of WithSource, and for routes WithInterface and WithMark.
func Resolve(ctx context.Context, host string, opts ...Option) (netip.Addr, error) {
	config, err := newConfig(opts)
	if err != nil {
		return netip.Addr{}, err
	}
	if err = ctx.Err(); err == nil {
		var addr netip.Addr
		if addr, _, err = config.resolve(ctx, host, config.probe.network, nil, config.checkFamily); err == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, &probeError{host: host, err: err}
}

// resolve returns the address to ping for host, and whether host is just that: then it is not looked up.
func (p *Pinger) resolve(ctx context.Context, host, network string) (addr netip.Addr, literal bool, err error) {
	return p.config.resolve(ctx, host, network, p.sockets.Link(), func(v6 bool) error {
		_, err := p.sockets.Conn(pool.Key{V6: v6})
		return err
	})
}

// resolve is that of a Pinger, in the network namespace of one of its links; nil for that of the calling thread. The
// function says why a family cannot be pinged.
func (c *config) resolve(
	ctx context.Context, host, network string, link engine.Link, family func(v6 bool) error,
) (addr netip.Addr, literal bool, err error) {
	if host == "" {
		return netip.Addr{}, false, errors.New("empty host name: want a name or an address")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := c.checkFor(addr, network, link); err != nil {
			return netip.Addr{}, true, err
		}
		return addr, true, family(addr.Is6())
	}
	addr, err = c.lookUp(ctx, host, network, link, family)
	return addr, false, err
}

// LookupNetIP makes the Pinger a [Resolver]: it returns those addresses of a name that it can ping, as its own
// Resolver finds them, in the same order, but those that this host has a route to first; network is "ip", "ip4" or
// "ip6". Ping takes the first of them. A literal address is not looked up. The error is a *net.DNSError, or says why
// none of them will do.
func (p *Pinger) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		addr, _, err := p.resolve(ctx, host, network)
		if err != nil {
			return nil, err
		}
		return []netip.Addr{addr}, nil
	}
	link := p.sockets.Link()
	addrs, err := p.config.suitable(ctx, host, network, link, func(v6 bool) error {
		_, err := p.sockets.Conn(pool.Key{V6: v6})
		return err
	})
	var without []netip.Addr
	if len(addrs) > 1 {
		addrs = slices.DeleteFunc(addrs, func(addr netip.Addr) bool {
			routed := p.config.hasRoute(ctx, addr, link)
			if !routed {
				without = append(without, addr)
			}
			return !routed
		})
	}
	return append(addrs, without...), err
}

// lookUp returns the address to ping for a name.
func (c *config) lookUp(
	ctx context.Context, host, network string, link engine.Link, family func(v6 bool) error,
) (netip.Addr, error) {
	addrs, err := c.suitable(ctx, host, network, link, family)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, addr := range addrs {
		if len(addrs) == 1 || c.hasRoute(ctx, addr, link) {
			return addr, nil
		}
	}
	return addrs[0], nil
}

// suitable looks up those addresses of a name that can be pinged, of which there is one at least if there is no error.
func (c *config) suitable(
	ctx context.Context, host, network string, link engine.Link, family func(v6 bool) error,
) (list []netip.Addr, err error) {
	addrs, err := c.resolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, lookUpError(ctx, host, err)
	}
	err = noAddress(host)
	for _, addr := range addrs {
		addr = addr.Unmap()
		if !addr.IsValid() || network == "ip4" && !addr.Is4() || network == "ip6" && !addr.Is6() {
			continue
		}
		e := family(addr.Is6())
		if e == nil {
			e = c.check(addr, link)
		}
		if e == nil {
			list = append(list, addr)
		} else {
			err = fmt.Errorf("%v: %w", addr, e)
		}
	}
	if len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// lookUpError is the error of a Resolver as a *net.DNSError, which wraps ctx's if that has ended.
func lookUpError(ctx context.Context, host string, err error) error {
	switch {
	case errors.As(err, new(*net.AddrError)):
		// net.Resolver says so where there are addresses of the other family alone.
		err = noAddress(host)
	case !errors.As(err, new(*net.DNSError)):
		err = &net.DNSError{Err: err.Error(), Name: host, UnwrapErr: err, IsTimeout: isTimeout(err)}
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// hasRoute reports whether this host's routes lead to an address. Over a Transport nobody knows, and it may be so.
func (c *config) hasRoute(ctx context.Context, addr netip.Addr, link engine.Link) bool {
	return c.transport != nil || route(ctx, c.socket(addr.Is6(), false, link), addr) == nil
}

// checkFamily refuses an IP version of which WithSource names no address, but of the other.
func (c *config) checkFamily(v6 bool) error {
	source, other, alone := c.source4, c.source6, "IPv6"
	if v6 {
		source, other, alone = c.source6, c.source4, "IPv4"
	}
	if !source.IsValid() && other.IsValid() {
		return fmt.Errorf("WithSource(%v) has the Pinger ping %s only", other, alone)
	}
	return nil
}

func noAddress(host string) error {
	return &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
}

// checkFor refuses addresses that WithNetwork or check does.
func (p *Pinger) checkFor(addr netip.Addr, network string) error {
	return p.config.checkFor(addr, network, p.sockets.Link())
}

func (c *config) checkFor(addr netip.Addr, network string, link engine.Link) error {
	if network == "ip4" && !addr.Is4() || network == "ip6" && !addr.Is6() {
		return fmt.Errorf("%v is not an address for WithNetwork(%q)", addr, network)
	}
	return c.check(addr, link)
}

// check refuses addresses that one host alone does not answer for, or that the system cannot send to.
func (c *config) check(addr netip.Addr, link engine.Link) error {
	switch {
	case !addr.IsValid():
		return errors.New("the zero netip.Addr is no address")
	case addr.Is4In6():
		return fmt.Errorf("%v is an IPv4-mapped IPv6 address: use %v", addr, addr.Unmap())
	case addr.IsUnspecified():
		return fmt.Errorf("%v is no host's address", addr)
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%v is a multicast or broadcast address: want one host's", addr)
	case addr.Is6() && addr.IsLinkLocalUnicast():
		if addr.Zone() == "" && c.device == "" && c.transport == nil {
			return fmt.Errorf("%v is link-local and needs a zone: %v%%eth0, say", addr, addr)
		}
		if addr.Zone() != "" && c.transport == nil {
			return checkZone(link, addr.Zone())
		}
	case addr.Zone() != "":
		return fmt.Errorf("%v has a zone, which only link-local addresses have", addr)
	}
	return nil
}
