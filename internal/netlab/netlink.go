//go:build linux

package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds the wait for something that the kernel does on its own time.
const patience = 30 * time.Second

// message is a netlink message under construction: a header whose length is
// filled in at the end, a family header, and attributes.
type message struct {
	bytes []byte
}

// newMessage begins a request with the given family header, a struct of fixed
// size.
func newMessage(kind, flags uint16, family any) *message {
	m := new(message)
	m.put(unix.NlMsghdr{Type: kind, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | flags})
	m.put(family)
	return m
}

func (m *message) put(v any) {
	// It fails for types without a fixed size only, and none is used.
	m.bytes, _ = binary.Append(m.bytes, binary.NativeEndian, v)
}

// attr adds an attribute. Kernel structures begin at multiples of four.
func (m *message) attr(kind uint16, value []byte) {
	m.nest(kind, func() { m.bytes = append(m.bytes, value...) })
}

// nest adds an attribute whose value is what fill adds.
func (m *message) nest(kind uint16, fill func()) {
	start := len(m.bytes)
	m.put(unix.RtAttr{Type: kind})
	fill()
	binary.NativeEndian.PutUint16(m.bytes[start:], uint16(len(m.bytes)-start))
	for len(m.bytes)%unix.NLA_ALIGNTO != 0 {
		m.bytes = append(m.bytes, 0)
	}
}

// finish returns the whole message.
func (m *message) finish() []byte {
	binary.NativeEndian.PutUint32(m.bytes, uint32(len(m.bytes)))
	return m.bytes
}

// attribute returns the value of the first attribute of a kind; nil if there is
// none.
func attribute(attrs []byte, kind uint16) []byte {
	for len(attrs) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(attrs))
		if n < unix.SizeofNlAttr || n > len(attrs) {
			return nil
		}
		if binary.NativeEndian.Uint16(attrs[2:])&^unix.NLA_F_NESTED == kind {
			return attrs[unix.SizeofNlAttr:n]
		}
		attrs = attrs[min((n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(attrs)):]
	}
	return nil
}

// native32 is the attribute value of a number.
func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// cString is the attribute value of a name.
func cString(s string) []byte { return append([]byte(s), 0) }

// netlinkSocket opens a netlink socket in the calling thread's namespace, which
// also receives the notifications of the given groups.
func netlinkSocket(protocol int, groups uint32) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	timeout := unix.NsecToTimeval(int64(patience))
	err = errors.Join(
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})),
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)),
	)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receive reads what has arrived at a netlink socket.
func receive(fd int) ([]syscall.NetlinkMessage, error) {
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		return syscall.ParseNetlinkMessage(buf[:n])
	}
}

// acknowledged reads the replies to a request until its acknowledgement, whose
// error it returns.
func acknowledged(fd int) ([]syscall.NetlinkMessage, error) {
	var replies []syscall.NetlinkMessage
	for {
		messages, err := receive(fd)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if m.Header.Type != unix.NLMSG_ERROR {
				replies = append(replies, m)
				continue
			}
			if len(m.Data) < 4 {
				return nil, fmt.Errorf("short netlink acknowledgement: %d bytes", len(m.Data))
			}
			if errno := int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
				return nil, unix.Errno(-errno)
			}
			return replies, nil
		}
	}
}

// request sends a message to the routing part of the calling thread's namespace
// and returns the replies.
func request(m *message) ([]syscall.NetlinkMessage, error) {
	fd, err := netlinkSocket(unix.NETLINK_ROUTE, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, m.finish(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	return acknowledged(fd)
}

// await returns when done does. It asks once, and again after each notification
// of the given groups in the namespace.
func (ns *Namespace) await(tb testing.TB, what string, groups uint32, done func() (bool, error)) {
	tb.Helper()
	ns.Do(tb, func() {
		fd, err := netlinkSocket(unix.NETLINK_ROUTE, groups)
		if err != nil {
			tb.Fatal("netlab:", err)
		}
		defer unix.Close(fd)
		for {
			ok, err := done()
			if err == nil && !ok {
				_, err = receive(fd)
			}
			// Notifications lost for want of room are made up by asking.
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				tb.Fatalf("netlab: waiting for %s: %v", what, err)
			}
			if ok {
				return
			}
		}
	})
}

// family returns the address family of addr.
func family(addr netip.Addr) uint8 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
