package ping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/icmpsock"
)

// openLink opens one of the kernel's sockets, of the kind that is asked for, and says which it is, for the log.
func openLink(c socketConfig) (engine.Link, slog.Value, error) {
	s, err := openSocket(c)
	if err != nil {
		return nil, slog.Value{}, err
	}
	kind := SocketDatagram
	if s.Raw() {
		kind = SocketRaw
	}
	about := slog.GroupValue(slog.String("kind", kind.String()), slog.Int("receive_buffer", s.Capacity()))
	return s, about, nil
}

// openSocket tries the kinds of sockets that c allows.
func openSocket(c socketConfig) (*icmpsock.Socket, error) {
	var refused *icmpsock.RefusedError
	var denied error
	if c.kind != SocketRaw {
		s, err := openKind(c, false)
		if !errors.As(err, &refused) {
			return s, err
		}
		if c.kind == SocketDatagram {
			return nil, notPermitted(c.kind, err)
		}
		denied = err
	}
	s, err := openKind(c, true)
	if errors.As(err, &refused) {
		if denied != nil {
			err = fmt.Errorf("%w; %w", denied, err)
		}
		return nil, notPermitted(c.kind, err)
	}
	return s, err
}

// route says why this host's routes do not lead from such a socket to an address, nil if they do.
func route(ctx context.Context, c socketConfig, addr netip.Addr) error {
	return icmpsock.Route(ctx, icmpsock.Config{
		V6:      c.v6,
		Source:  c.source,
		Device:  c.device,
		Mark:    c.mark,
		HasMark: c.hasMark,
	}, addr)
}

// openKind opens a socket of one kind. An error names the option that it is about.
func openKind(c socketConfig, raw bool) (*icmpsock.Socket, error) {
	s, err := icmpsock.Open(icmpsock.Config{
		V6:           c.v6,
		Raw:          raw,
		Source:       c.source,
		Device:       c.device,
		Mark:         c.mark,
		HasMark:      c.hasMark,
		DontFragment: c.dontFragment,
		Departures:   c.wire,
	})
	var option *icmpsock.ConfigError
	if !errors.As(err, &option) {
		return s, err
	}
	switch option.Field {
	case "Source":
		err = fmt.Errorf("WithSource(%v): %w", c.source, option.Err)
	case "Device":
		err = fmt.Errorf("WithInterface(%q): %w", c.device, option.Err)
	case "Mark":
		err = fmt.Errorf("WithMark(%d) needs CAP_NET_ADMIN or CAP_NET_RAW: %w", c.mark, option.Err)
	case "Departures":
		err = fmt.Errorf("WithWireTimestamps: %w", option.Err)
	}
	return nil, err
}

// namespace tells the network namespace of the sockets that are opened here from others.
func namespace() uint64 { return icmpsock.Namespace() }

// readLinks returns the addresses that are reached by way of the neighbour tables, as far as that is known, and how
// many entries those of IPv4 and IPv6 have at most.
func readLinks(namespace uint64) (links []netip.Prefix, tables [2]int) {
	n := icmpsock.ReadNeighbours(namespace)
	return n.Links, n.Tables
}
