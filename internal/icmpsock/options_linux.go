package icmpsock

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ipv6FlowinfoSend is IPV6_FLOWINFO_SEND (linux/in6.h): the flow label to send with is that of the socket address. A
// ping socket takes any (net/ipv6/ping.c, ping_v6_sendmsg), a raw one too unless some other program in the network
// namespace has leased a label for itself alone (net/ipv6/ip6_flowlabel.c, fl6_sock_lookup).
const ipv6FlowinfoSend = 33

// An option is one option of a socket, and what it is set to.
type option struct {
	level, number, value int
	name                 string
}

// set sets the option.
func (o option) set(fd int) error {
	if err := unix.SetsockoptInt(fd, o.level, o.number, o.value); err != nil {
		return fmt.Errorf("%s: %w", o.name, os.NewSyscallError("setsockopt", err))
	}
	return nil
}

// optionsFor are the options that every socket has.
func optionsFor(c Config) []option {
	options := []option{
		// Ping sockets are born with SO_REUSEADDR (net/ipv4/af_inet.c, INET_PROTOSW_REUSE), and while it is set
		// any process may bind our identifier, and gets our replies.
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 0, "SO_REUSEADDR"},
		// Package net sets this on raw sockets.
		{unix.SOL_SOCKET, unix.SO_BROADCAST, 0, "SO_BROADCAST"},
		// The kernel cuts these down to net.core.rmem_max and wmem_max. What waits for a neighbour that does not
		// answer takes room to send from all the others.
		{unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 28, "SO_RCVBUF"},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, 1 << 28, "SO_SNDBUF"},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS"},
	}
	discover := unix.IP_PMTUDISC_DONT
	if c.DontFragment {
		discover = unix.IP_PMTUDISC_PROBE // IPV6_PMTUDISC_DONT and _PROBE have the same values
	}
	if c.V6 {
		return append(options,
			option{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1, "IPV6_RECVERR"},
			option{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT"},
			option{unix.IPPROTO_IPV6, ipv6FlowinfoSend, 1, "IPV6_FLOWINFO_SEND"},
			option{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, discover, "IPV6_MTU_DISCOVER"})
	}
	errors := 1
	if c.hasListener() {
		errors = 0
	}
	return append(options,
		option{unix.IPPROTO_IP, unix.IP_RECVERR, errors, "IP_RECVERR"},
		option{unix.IPPROTO_IP, unix.IP_RECVTTL, 1, "IP_RECVTTL"},
		option{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover, "IP_MTU_DISCOVER"})
}

// setOptions sets the socket options, up to the first that the kernel refuses.
func setOptions(fd int, c Config) error {
	for _, o := range optionsFor(c) {
		if err := o.set(fd); err != nil {
			return err
		}
	}
	// Linux 5.9. Without it, extensions of ICMP errors are looked for where they mostly are.
	if c.V6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR_RFC4884, 1)
	} else {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR_RFC4884, 1)
	}
	if err := setMark(fd, c); err != nil {
		return err
	}
	if c.Departures && canKeyDepartures() {
		if err := stampDepartures(fd); err != nil {
			return &ConfigError{"Departures", err}
		}
	}
	return nil
}

// setMark has a socket of any protocol use the config's mark.
func setMark(fd int, c Config) error {
	if c.HasMark {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(int32(uint32(c.Mark)))); err != nil {
			return &ConfigError{"Mark", os.NewSyscallError("setsockopt", err)}
		}
	}
	return nil
}

// stampDepartures has the kernel report when messages leave that ask for it (SCM_TS_OPT_ID).
func stampDepartures(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING,
		unix.SOF_TIMESTAMPING_TX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE|
			unix.SOF_TIMESTAMPING_OPT_ID|unix.SOF_TIMESTAMPING_OPT_TSONLY))
}

// canKeyDepartures reports whether the kernel knows SCM_TS_OPT_ID, as it does since Linux 6.13. Nothing but the
// version tells before a message is sent.
func canKeyDepartures() bool {
	var name unix.Utsname
	var major, minor int
	if err := unix.Uname(&name); err != nil {
		return false
	}
	n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	return n == 2 && (major > 6 || major == 6 && minor >= 13)
}

// A memory is what SO_MEMINFO tells (linux/sock_diag.h).
type memory [unix.SK_MEMINFO_VARS]uint32

// read reports whether the socket has told.
func (m *memory) read(fd uintptr) bool {
	size := uint32(unsafe.Sizeof(*m))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(m)), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0
}
