package icmpsock

import "net/netip"

// A Config is what a socket is opened with.
type Config struct {
	V6           bool
	Raw          bool       // a raw socket, which needs CAP_NET_RAW; false: a datagram socket (icmp(7), ping_group_range)
	Source       netip.Addr // an address of this host, of the IP version of V6; invalid: any
	Device       string     // the network interface that all goes through; "": any
	Mark         int        // what packets are marked with (SO_MARK), -1<<31 to 1<<32-1, with HasMark
	HasMark      bool
	DontFragment bool // packets are not fragmented, whatever is known of the path; false: they may be
	Departures   bool // the departures of messages with a Key are reported, where the kernel can (Linux 6.13)
}
