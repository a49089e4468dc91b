package ping_test

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// nearPrefixes are the addresses of this host's end of a link, with the prefixes of the link.
func nearPrefixes() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:1::1/64")}
}

// openPinger returns a Pinger that is closed with the test.
func openPinger(t testing.TB, opts ...ping.Option) *ping.Pinger {
	t.Helper()
	netlab.Require(t)
	p, err := ping.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// overEachKind runs a test over both kinds of socket.
func overEachKind(t *testing.T, test func(t *testing.T, kind ping.Option)) {
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		t.Run(kind.String(), func(t *testing.T) { test(t, ping.WithSocket(kind)) })
	}
}

// processorTime is what this process has used of the processors.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// icmpSockets are the descriptors of this process's ICMP sockets, whoever opened them, but for some: those of the
// shared Pinger may be among them. None is to be closed while they are in use.
func icmpSockets(t testing.TB, but ...int) (sockets []int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err == nil && (protocol == unix.IPPROTO_ICMP || protocol == unix.IPPROTO_ICMPV6) && !slices.Contains(but, fd) {
			sockets = append(sockets, fd)
		}
	}
	return sockets
}

// shrinkBuffers has sockets receive into so many bytes, which the kernel doubles.
func shrinkBuffers(t testing.TB, sockets []int, size int) {
	t.Helper()
	for _, fd := range sockets {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size); err != nil {
			t.Fatal(err)
		}
	}
}

// bufferState is what sockets hold, in bytes, and how many messages they have dropped.
func bufferState(t testing.TB, sockets []int) (held, dropped int) {
	t.Helper()
	for _, fd := range sockets {
		var info [unix.SK_MEMINFO_VARS]uint32
		size := uint32(unsafe.Sizeof(info))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
			t.Fatal(errno)
		}
		held += int(info[unix.SK_MEMINFO_RMEM_ALLOC])
		dropped += int(info[unix.SK_MEMINFO_DROPS])
	}
	return held, dropped
}
