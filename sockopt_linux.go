package ping

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ipv6FlowinfoSend is IPV6_FLOWINFO_SEND (linux/in6.h): the flow label to send with is that of the socket address. A
// ping socket takes any (net/ipv6/ping.c, ping_v6_sendmsg), a raw one too unless some other program in the network
// namespace has leased a label for itself alone (net/ipv6/ip6_flowlabel.c, fl6_sock_lookup).
const ipv6FlowinfoSend = 33

// setOptions sets the socket options.
func setOptions(fd int, v6 bool, config socketConfig) error {
	set := func(level, option, value int, name string) error {
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			return fmt.Errorf("%s: %w", name, os.NewSyscallError("setsockopt", err))
		}
		return nil
	}
	// Ping sockets are born with SO_REUSEADDR (net/ipv4/af_inet.c, INET_PROTOSW_REUSE), and while it is set
	// any process may bind our identifier, and gets our replies.
	err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 0, "SO_REUSEADDR")
	// Package net sets this on raw sockets.
	err = errors.Join(err, set(unix.SOL_SOCKET, unix.SO_BROADCAST, 0, "SO_BROADCAST"))
	// The kernel cuts these down to net.core.rmem_max and wmem_max. What waits for a neighbour that does not
	// answer takes room to send from all the others.
	err = errors.Join(err,
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<28, "SO_RCVBUF"),
		set(unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<28, "SO_SNDBUF"))
	err = errors.Join(err, set(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS"))
	// Linux 5.9. Without it, extensions of ICMP errors are looked for where they mostly are.
	if v6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR_RFC4884, 1)
	} else {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR_RFC4884, 1)
	}
	discover := unix.IP_PMTUDISC_DONT
	if config.dontFragment {
		discover = unix.IP_PMTUDISC_PROBE // IPV6_PMTUDISC_DONT and _PROBE have the same values
	}
	if v6 {
		err = errors.Join(err,
			set(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1, "IPV6_RECVERR"),
			set(unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT"),
			set(unix.IPPROTO_IPV6, ipv6FlowinfoSend, 1, "IPV6_FLOWINFO_SEND"),
			set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, discover, "IPV6_MTU_DISCOVER"))
	} else {
		err = errors.Join(err,
			set(unix.IPPROTO_IP, unix.IP_RECVERR, 1, "IP_RECVERR"),
			set(unix.IPPROTO_IP, unix.IP_RECVTTL, 1, "IP_RECVTTL"),
			set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover, "IP_MTU_DISCOVER"))
	}
	if config.device != "" {
		if e := unix.BindToDevice(fd, config.device); e != nil {
			err = errors.Join(err, fmt.Errorf("WithInterface(%q): %w", config.device, os.NewSyscallError("setsockopt", e)))
		}
	}
	if config.hasMark {
		if e := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(int32(uint32(config.mark)))); e != nil {
			err = errors.Join(err, fmt.Errorf("WithMark(%d) needs CAP_NET_ADMIN or CAP_NET_RAW: %w", config.mark,
				os.NewSyscallError("setsockopt", e)))
		}
	}
	return err
}

// ownReplies is the program that lets echo replies with our identifier pass, and nothing else: IPv4 raw sockets
// see the IP header too.
func ownReplies(v6 bool, id uint16) ([]bpf.RawInstruction, error) {
	reply, load := uint32(icmpEchoReply), []bpf.Instruction{
		bpf.LoadMemShift{Off: 0}, // X = length of the IP header
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.LoadIndirect{Off: 4, Size: 2},
	}
	if v6 {
		reply, load = icmp6EchoReply, []bpf.Instruction{
			bpf.LoadConstant{Dst: bpf.RegX, Val: 0},
			bpf.LoadAbsolute{Off: 0, Size: 1},
			bpf.LoadAbsolute{Off: 4, Size: 2},
		}
	}
	return bpf.Assemble([]bpf.Instruction{
		load[0],
		load[1],
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: reply, SkipTrue: 3},
		load[2],
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	})
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
