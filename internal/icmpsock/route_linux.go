package icmpsock

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// discard is the port of a service that drops what it gets (RFC 863).
const discard = 9

// Route says why this host's routes do not lead to dst from a socket of the config's source, device and mark; nil if
// they do. It connects a UDP socket, for which the kernel looks for the route and sends nothing (ip(7)), so that it
// needs no permission for ICMP sockets.
func Route(ctx context.Context, c Config, dst netip.Addr) error {
	d := net.Dialer{Control: func(_, _ string, conn syscall.RawConn) error {
		var err error
		if cerr := conn.Control(func(fd uintptr) { err = bindTo(int(fd), c) }); cerr != nil {
			return cerr
		}
		return err
	}}
	if c.Source.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.Source, 0))
	}
	conn, err := d.DialContext(ctx, "udp", netip.AddrPortFrom(dst, discard).String())
	if err != nil {
		return err
	}
	return conn.Close()
}
