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

// openLink opens one of the kernel's sockets, of the kind that is asked for.
func openLink(c socketConfig) (engine.Link, linkInfo, error) {
	var s *icmpsock.Socket
	err := inPlace(c, func() (err error) {
		s, err = openSocket(c)
		return err
	})
	if err != nil {
		return nil, linkInfo{}, err
	}
	kind := SocketDatagram
	if s.Raw() {
		kind = SocketRaw
	}
	info := linkInfo{
		about: slog.GroupValue(slog.String("kind", kind.String()), slog.Int("receive_buffer", s.Capacity())),
		deaf:  s.Deaf(),
	}
	for _, l := range s.Lacks() {
		info.lacks = append(info.lacks, lack{l.Name, costs[l.Name], l.Err})
	}
	return s, info, nil
}

// costs are what the Pinger does without where the system refuses it what is named. Nothing else changes.
var costs = map[string]string{
	"SO_RCVBUF":            "the receive buffer stays as small as it is, and holds fewer answers at a time",
	"SO_SNDBUF":            "hosts on the link that do not answer may take all the room to send",
	"SO_TIMESTAMPNS":       "the program stamps replies in place of the kernel: RTTs grow with its load",
	"IP_RECVERR":           "no ICMP errors are seen: what a router refuses times out, and nothing can be traced",
	"IPV6_RECVERR":         "no ICMP errors are seen: what a router refuses times out, and nothing can be traced",
	"IP_RECVERR_RFC4884":   "MPLS labels are found where routers mostly put them, and not elsewhere",
	"IPV6_RECVERR_RFC4884": "MPLS labels are found where routers mostly put them, and not elsewhere",
	"IP_RECVTTL":           "the TTL of replies is not known",
	"IPV6_RECVHOPLIMIT":    "the hop limit of replies is not known",
	"IPV6_FLOWINFO_SEND":   "there is no WithFlow over IPv6",
	"IPV6_MTU":             "IPv6 packets of over 15,013 bytes may leave with a wrong checksum, and are lost",
	"IP_MTU_DISCOVER":      "whether packets are fragmented is up to what the system knows of the path",
	"IPV6_MTU_DISCOVER":    "whether packets are fragmented is up to what the system knows of the path",
	"SO_TIMESTAMPING":      "WithWireTimestamps has no effect",
	"SO_MEMINFO":           "what this host drops counts as lost on the way",
	"SO_ATTACH_FILTER":     "all ICMP messages to this host take room in the receive buffer",
	"sendmmsg":             "each request takes a system call",
	"recvmmsg":             "each answer takes a system call",
}

// inPlace calls open in the network namespace that a socket of c is to be in.
func inPlace(c socketConfig, open func() error) error {
	if c.beside == nil {
		return open()
	}
	return c.beside.(*icmpsock.Socket).Beside(open)
}

// checkZone says why the link, which openLink has opened, cannot send to addresses with that zone, if it is known that
// it cannot; where link is nil, why no link of the calling thread's network namespace can.
func checkZone(link engine.Link, zone string) error {
	if link == nil {
		return icmpsock.CheckZone(zone)
	}
	return link.(*icmpsock.Socket).CheckZone(zone)
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
func route(_ context.Context, c socketConfig, addr netip.Addr) error {
	return inPlace(c, func() error { return icmpsock.Route(c.Config, addr) })
}

// openKind opens a socket of one kind. An error names the option that it is about.
func openKind(c socketConfig, raw bool) (*icmpsock.Socket, error) {
	c.Raw = raw
	s, err := icmpsock.Open(c.Config)
	var option *icmpsock.ConfigError
	if !errors.As(err, &option) {
		return s, err
	}
	switch option.Field {
	case "Source":
		err = fmt.Errorf("WithSource(%v): %w", c.Source, option.Err)
	case "Device":
		err = fmt.Errorf("WithInterface(%q): %w", c.Device, option.Err)
	case "Mark":
		err = fmt.Errorf("WithMark(%d) needs CAP_NET_ADMIN or CAP_NET_RAW: %w", c.Mark, option.Err)
	case "DontFragment":
		err = fmt.Errorf("WithDontFragment: %w", option.Err)
	}
	return nil, err
}

// readLinks returns the addresses that the link reaches by way of the neighbour tables, as far as that is known, and
// how many entries those of IPv4 and IPv6 have at most.
func readLinks(link engine.Link) (links []netip.Prefix, tables [2]int) {
	n := link.(*icmpsock.Socket).Neighbours()
	return n.Links, n.Tables
}
