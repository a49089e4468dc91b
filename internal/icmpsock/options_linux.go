package icmpsock

import (
	"errors"
	"fmt"
	"os"
	"slices"
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

// isSet reports whether the option is as it is to be.
func (o option) isSet(fd int) bool {
	value, err := unix.GetsockoptInt(fd, o.level, o.number)
	return err == nil && value == o.value
}

// safety are the options that no socket goes without.
var safety = []option{
	// Ping sockets are born with SO_REUSEADDR (net/ipv4/af_inet.c, INET_PROTOSW_REUSE), and while it is set any process
	// may bind our identifier, and gets our replies.
	{unix.SOL_SOCKET, unix.SO_REUSEADDR, 0, "SO_REUSEADDR"},
	// Package net sets this on raw sockets.
	{unix.SOL_SOCKET, unix.SO_BROADCAST, 0, "SO_BROADCAST"},
}

// optionsFor are the options that a socket has where the system knows and permits them.
func optionsFor(c Config) []option {
	options := []option{
		// The kernel cuts these down to net.core.rmem_max and wmem_max. What waits for a neighbour that does not
		// answer takes room to send from all the others.
		{unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 28, "SO_RCVBUF"},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, 1 << 28, "SO_SNDBUF"},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS"},
	}
	if !c.V6 {
		reports := 1
		if c.hasListener() {
			reports = 0
		}
		return append(options,
			option{unix.IPPROTO_IP, unix.IP_RECVERR, reports, "IP_RECVERR"},
			// Linux 5.9. Without it, extensions of ICMP errors are looked for where they mostly are.
			option{unix.IPPROTO_IP, unix.IP_RECVERR_RFC4884, 1, "IP_RECVERR_RFC4884"},
			option{unix.IPPROTO_IP, unix.IP_RECVTTL, 1, "IP_RECVTTL"})
	}
	options = append(options,
		option{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1, "IPV6_RECVERR"},
		option{unix.IPPROTO_IPV6, unix.IPV6_RECVERR_RFC4884, 1, "IPV6_RECVERR_RFC4884"},
		option{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT"},
		option{unix.IPPROTO_IPV6, ipv6FlowinfoSend, 1, "IPV6_FLOWINFO_SEND"})
	if c.limits6() {
		// Larger packets leave in fragments, or not at all where that is asked for, and so with the right checksum.
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_MTU, largest6, "IPV6_MTU"})
	}
	return options
}

// limits6 reports whether packets of more than largest6 do not leave a socket in one piece, whatever the device takes.
func (c *Config) limits6() bool { return c.V6 && !c.Raw && !kernel().since(sums6) }

// discovery is the option that says whether packets may be fragmented.
func discovery(c Config) option {
	o := option{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT, "IP_MTU_DISCOVER"}
	if c.DontFragment {
		o.value = unix.IP_PMTUDISC_PROBE
	}
	if c.V6 { // IPV6_PMTUDISC_DONT and _PROBE have the same values
		o.level, o.number, o.name = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER"
	}
	return o
}

// A Lack is something that the system refuses to a socket, which goes without.
type Lack struct {
	Name string // of the option, such as SO_TIMESTAMPNS, or of the system call
	Err  error  // why
}

// Lacks are what the socket goes without.
func (s *Socket) Lacks() []Lack { return s.lacks }

// Deaf is why the socket is told of no ICMP errors; nil: it is.
func (s *Socket) Deaf() error { return s.deaf }

// lacking is why the socket goes without one of the names; nil: it does not.
func (s *Socket) lacking(names ...string) error {
	for _, l := range s.lacks {
		if slices.Contains(names, l.Name) {
			return l.Err
		}
	}
	return nil
}

// lack takes note of what the socket goes without, where err is not nil.
func (s *Socket) lack(name string, err error) {
	if err != nil {
		s.lacks = append(s.lacks, Lack{name, err})
	}
}

// setOptions sets the socket options, up to the first that the kernel refuses and the socket cannot do without. It
// returns those that it does without.
func setOptions(fd int, c Config) (lacks []Lack, err error) {
	for _, o := range safety {
		if err := o.set(fd); err != nil && !o.isSet(fd) {
			return nil, err
		}
	}
	for _, o := range optionsFor(c) {
		if err := o.set(fd); err != nil {
			lacks = append(lacks, Lack{o.name, err})
		} else if o.name == "IPV6_FLOWINFO_SEND" && !c.Raw && !kernel().since(labels6) {
			lacks = append(lacks, Lack{o.name, kernel().lacks(labels6)})
		}
	}
	if o := discovery(c); c.DontFragment {
		if err := o.set(fd); err != nil {
			return nil, &ConfigError{"DontFragment", fmt.Errorf("%w: %w", err, errors.ErrUnsupported)}
		}
	} else if err := o.set(fd); err != nil {
		lacks = append(lacks, Lack{o.name, err})
	}
	if c.Departures && kernel().since(keyedDepartures) {
		if err := stampDepartures(fd); err != nil {
			lacks = append(lacks, Lack{"SO_TIMESTAMPING", err})
		}
	}
	return lacks, setMark(fd, c)
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

// A memory is what SO_MEMINFO tells (linux/sock_diag.h).
type memory [unix.SK_MEMINFO_VARS]uint32

// read asks the socket.
func (m *memory) read(fd uintptr) error {
	size := uint32(unsafe.Sizeof(*m))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(m)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return os.NewSyscallError("getsockopt", errno)
	}
	return nil
}
