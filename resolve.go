package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Resolve returns the address that the other methods would ping for host: of the family that WithNetwork asks for,
// and that the Pinger has a socket for. A literal address is not looked up. The error is as Ping's.
func (p *Pinger) Resolve(ctx context.Context, host string, opts ...ProbeOption) (netip.Addr, error) {
	config, err := p.config.probe.with(opts)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && p.closed.Load() {
		err = net.ErrClosed
	}
	if err == nil {
		var addr netip.Addr
		if addr, _, err = p.resolve(ctx, host, config.network); err == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, &probeError{host, err}
}

// resolve returns the address to ping for host, and whether host is just that: then it is not looked up.
func (p *Pinger) resolve(ctx context.Context, host, network string) (addr netip.Addr, literal bool, err error) {
	if host == "" {
		return netip.Addr{}, false, errors.New("empty host name: want a name or an address")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := p.checkFor(addr, network); err != nil {
			return netip.Addr{}, true, err
		}
		_, err := p.conn(addr.Is6(), false, 0)
		return addr, true, err
	}
	addr, err = p.lookUp(ctx, host, network)
	return addr, false, err
}

// lookUp returns the address to ping for a name.
func (p *Pinger) lookUp(ctx context.Context, host, network string) (netip.Addr, error) {
	addrs, err := p.config.resolver.LookupNetIP(ctx, network, host)
	if err != nil {
		// net.Resolver says so where there are addresses of the other family alone.
		if errors.As(err, new(*net.AddrError)) {
			err = noAddress(host)
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return netip.Addr{}, err
	}
	err = noAddress(host)
	for _, addr := range addrs {
		addr = addr.Unmap()
		if !addr.IsValid() || network == "ip4" && !addr.Is4() || network == "ip6" && !addr.Is6() {
			continue
		}
		_, e := p.conn(addr.Is6(), false, 0)
		if e == nil {
			e = p.check(addr)
		}
		if e == nil {
			return addr, nil
		}
		err = fmt.Errorf("%v: %w", addr, e)
	}
	return netip.Addr{}, err
}

func noAddress(host string) error {
	return &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
}

// checkFor refuses addresses that WithNetwork or check does.
func (p *Pinger) checkFor(addr netip.Addr, network string) error {
	if network == "ip4" && !addr.Is4() || network == "ip6" && !addr.Is6() {
		return fmt.Errorf("%v is not an address for WithNetwork(%q)", addr, network)
	}
	return p.check(addr)
}

// check refuses addresses that one host alone does not answer for, or that the system cannot send to.
func (p *Pinger) check(addr netip.Addr) error {
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
		if addr.Zone() == "" && p.config.device == "" && p.config.transport == nil {
			return fmt.Errorf("%v is link-local and needs a zone: %v%%eth0, say", addr, addr)
		}
		if addr.Zone() != "" && p.config.transport == nil {
			return checkZone(addr.Zone())
		}
	case addr.Zone() != "":
		return fmt.Errorf("%v has a zone, which only link-local addresses have", addr)
	}
	return nil
}

// numbered is addr with its zone, if it has one, as a number, which the kernel's sockets need not look up.
func (p *Pinger) numbered(addr netip.Addr) netip.Addr {
	if addr.Zone() == "" || p.config.transport != nil {
		return addr
	}
	index, err := zoneIndex(addr.Zone())
	if err != nil {
		return addr
	}
	return addr.WithZone(strconv.Itoa(index))
}

// zoneIndex returns the index of the network interface that a zone names.
func zoneIndex(zone string) (int, error) {
	if i, err := net.InterfaceByName(zone); err == nil {
		return i.Index, nil
	}
	if n, err := strconv.Atoi(zone); err == nil && n > 0 {
		if _, err := net.InterfaceByIndex(n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("zone %q is no network interface of this host", zone)
}

func checkZone(zone string) error {
	_, err := zoneIndex(zone)
	return err
}
