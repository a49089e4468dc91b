package ping_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// eachAllocSocket runs a test over the kernel's sockets of both kinds, with stamps of departure and without.
func eachAllocSocket(t *testing.T, test func(t *testing.T, open func(t *testing.T) *ping.Pinger)) {
	netlab.Require(t)
	for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
		for _, wire := range []bool{false, true} {
			name := kind.String()
			if wire {
				name += ", wire stamps"
			}
			t.Run(name, func(t *testing.T) {
				test(t, func(t *testing.T) *ping.Pinger {
					p, err := ping.New(ping.WithSocket(kind), ping.WithWireTimestamps(wire), ping.WithTimeout(time.Minute))
					if errors.Is(err, ping.ErrNotPermitted) {
						skipped.Test(t, err)
					}
					if err != nil {
						t.Fatal(err)
					}
					return p
				})
			})
		}
	}
}

// An echo costs no allocation, over the kernel's sockets.
func TestAllocsOverSockets(t *testing.T) {
	eachAllocSocket(t, func(t *testing.T, open func(t *testing.T) *ping.Pinger) {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(host, func(t *testing.T) { echoAllocs(t, host, open) })
		}
	})
}

// What comes and settles nothing costs no allocation: here 200 replies with another secret before each true one.
func TestAllocsOfStrays(t *testing.T) {
	ns := netlab.Self(t)
	ns.Sysctl(t, "net/ipv4/icmp_echo_ignore_all", "1")
	ns.Sysctl(t, "net/ipv6/icmp/echo_ignore_all", "1")
	const calls, strays = 10, 200
	eachAllocSocket(t, func(t *testing.T, open func(t *testing.T) *ping.Pinger) {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(host, func(t *testing.T) {
				p := open(t)
				defer p.Close()
				far := newForger(t, netip.MustParseAddr(host))
				done := make(chan error)
				call := func() {
					_, err := p.Ping(t.Context(), host)
					done <- err
				}
				const most = spareAllocs + 2.0/strays // a call here starts a goroutine
				atMost(t, most, calls*strays, func(begin func()) {
					begin()
					for range calls {
						go call()
						reply := far.answer(t)
						reply[cookieAt]++
						for range strays {
							far.send(t, reply)
						}
						reply[cookieAt]--
						far.send(t, reply)
						if err := <-done; err != nil {
							t.Fatal(err)
						}
					}
				})
				if c := p.Counters(); c.Stray < calls*strays {
					t.Errorf("counted %+v", c)
				}
			})
		}
	})
}

// cookieAt is where the secret is in an echo message.
const cookieAt = 8

// A forger is the other end of loopback: it sees echo requests, and sends replies.
type forger struct {
	fd     int
	v6     bool
	to     unix.Sockaddr
	buffer [256]byte
}

func newForger(t *testing.T, host netip.Addr) *forger {
	f := &forger{v6: host.Is6(), to: &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}}
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if f.v6 {
		f.to = &unix.SockaddrInet6{Addr: host.As16()}
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	f.fd = fd
	// The types whose bits are set are blocked: all but echo requests.
	if f.v6 {
		filter := new(unix.ICMPv6Filter)
		for i := range filter.Data {
			filter.Data[i] = ^uint32(0)
		}
		filter.Data[128/32] &^= 1 << (128 % 32)
		err = unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, 1, filter)
	} else {
		err = unix.SetsockoptInt(fd, unix.SOL_RAW, 1, ^(1 << 8))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		t.Fatal(err)
	}
	return f
}

// answer waits for an echo request, and returns the reply to it. It is good until the next.
func (f *forger) answer(t *testing.T) []byte {
	n, err := unix.Read(f.fd, f.buffer[:])
	if err != nil {
		t.Fatal(err)
	}
	reply := f.buffer[:n]
	if f.v6 {
		reply[0] = 129
	} else {
		reply = reply[20:]
		reply[0] = 0
	}
	return reply
}

// send sends a reply, with a checksum that is right.
func (f *forger) send(t *testing.T, reply []byte) {
	if !f.v6 { // the kernel does it for ICMPv6
		reply[2], reply[3] = 0, 0
		sum := uint32(0)
		for i := 0; i < len(reply); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(reply[i:]))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		binary.BigEndian.PutUint16(reply[2:], ^uint16(sum))
	}
	if err := unix.Sendto(f.fd, reply, 0, f.to); err != nil {
		t.Fatal(err)
	}
}

// A refused send costs a few allocations, for the error: it is not tried again and again.
func TestAllocsOfRefused(t *testing.T) {
	const calls, most = 20, 4
	ns := netlab.Self(t)
	for _, c := range []struct {
		name   string
		host4  string
		host6  string
		refuse func(t *testing.T)
		want   syscall.Errno
		opts   []ping.Option
	}{
		{"by the firewall", "127.0.0.1", "::1", func(t *testing.T) { ns.RefuseOutput(t) }, syscall.EPERM, nil},
		{"without a route", "192.0.2.1", "2001:db8::1", func(*testing.T) {}, syscall.ENETUNREACH, nil},
		{"prohibited", "192.0.2.1", "2001:db8::1", func(t *testing.T) {
			ns.RouteType(t, netip.MustParsePrefix("192.0.2.0/24"), unix.RTN_PROHIBIT)
			ns.RouteType(t, netip.MustParsePrefix("2001:db8::/32"), unix.RTN_PROHIBIT)
		}, syscall.EACCES, nil},
		{"too big", "127.0.0.1", "::1", func(t *testing.T) {
			ns.SetMTU(t, "lo", 1500)
			t.Cleanup(func() { ns.SetMTU(t, "lo", 65536) })
		}, syscall.EMSGSIZE, []ping.Option{ping.WithSize(3000), ping.WithDontFragment(true)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.refuse(t)
			for _, kind := range []ping.SocketKind{ping.SocketDatagram, ping.SocketRaw} {
				for _, host := range []string{c.host4, c.host6} {
					if c.want == syscall.EPERM && host == c.host6 && kind == ping.SocketDatagram {
						continue // the kernel tells nobody
					}
					t.Run(kind.String()+" "+host, func(t *testing.T) {
						p, err := ping.New(append([]ping.Option{ping.WithSocket(kind)}, c.opts...)...)
						if errors.Is(err, ping.ErrNotPermitted) {
							skipped.Test(t, err)
						}
						if err != nil {
							t.Fatal(err)
						}
						defer p.Close()
						atMost(t, most, calls, func(begin func()) {
							begin()
							for range calls {
								if _, err := p.Ping(t.Context(), host); !errors.Is(err, c.want) {
									t.Fatalf("%v, want %v", err, c.want)
								}
							}
						})
					})
				}
			}
		})
	}
}
