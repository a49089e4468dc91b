package icmpsock

import (
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/wire"
)

// What the kernel refuses of a config is told by the field, with the kernel's reason, and leaves nothing open.
func TestConfigErrors(t *testing.T) {
	eachSocket(t, func(t *testing.T, kind Config) {
		netlab.Require(t)
		files := openFiles(t)
		for _, c := range []struct {
			field string
			set   func(*Config)
			want  error
		}{
			{"Source", func(c *Config) {
				c.Source = netip.MustParseAddr("192.0.2.77")
				if c.V6 {
					c.Source = netip.MustParseAddr("2001:db8::77")
				}
			}, unix.EADDRNOTAVAIL},
			{"Device", func(c *Config) { c.Device = "nosuch0" }, unix.ENODEV},
		} {
			config := kind
			c.set(&config)
			s, err := Open(config)
			var bad *ConfigError
			if s != nil || !errors.As(err, &bad) || bad.Field != c.field || !errors.Is(err, c.want) {
				t.Errorf("%s: %v, %v", c.field, s, err)
			}
		}
		if n := openFiles(t); n != files {
			t.Errorf("%d open files after failures to open, %d before", n, files)
		}
	})
}

// A mark needs a privilege, whose want is not mistaken for that of the privilege to open a socket.
func TestMark(t *testing.T) {
	for _, mark := range []uint32{7, 1<<31 - 1, 1<<32 - 1} {
		s := open(t, Config{Mark: int(mark), HasMark: true})
		got, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_MARK)
		if err != nil || uint32(got) != mark {
			t.Errorf("the mark is %#x, %v, want %#x", got, err, mark)
		}
	}
	withoutCapabilities(t, func() {
		s, err := Open(Config{Mark: 7, HasMark: true})
		var bad *ConfigError
		if s != nil || !errors.As(err, &bad) || bad.Field != "Mark" || !errors.Is(err, unix.EPERM) {
			t.Errorf("%v, %v", s, err)
		}
		if errors.As(err, new(*RefusedError)) {
			t.Errorf("%v is taken for a refusal of the socket", err)
		}
	})
}

// A socket that this process may not have is refused, and an option of it is not what was refused.
func TestRefused(t *testing.T) {
	netlab.NewClosed(t).Do(t, func() {
		check := func(c Config, want error) {
			s, err := Open(c)
			if s != nil || !errors.As(err, new(*RefusedError)) || !errors.Is(err, want) {
				t.Errorf("%+v: %v, %v", c, s, err)
			}
		}
		files := openFiles(t)
		check(Config{}, unix.EACCES) // root too, whose group is not in the range
		check(Config{V6: true}, unix.EACCES)
		withoutCapabilities(t, func() {
			check(Config{Raw: true}, unix.EPERM)
			check(Config{Raw: true, V6: true}, unix.EPERM)
		})
		if n := openFiles(t); n != files {
			t.Errorf("%d open files after refusals, %d before", n, files)
		}
	})
}

// A datagram socket, and all that it sends, needs no privilege.
func TestUnprivileged(t *testing.T) {
	netlab.Require(t)
	withoutCapabilities(t, func() {
		for i, host := range []string{"127.0.0.1", "::1"} {
			s, err := Open(Config{V6: i == 1, DontFragment: true})
			if err != nil {
				t.Error(err)
				continue
			}
			defer s.Close()
			p := request(t, host, 1, 56)
			p.TTL, p.TrafficClass = 3, 8
			if sendsLabels(t, s) {
				p.FlowLabel = 77
			}
			send(t, s, p)
			receive(t, s, 1, usualMessage)
		}
	})
}

// No other process can take our identifier, and our replies with it; and no socket asks to broadcast.
func TestIdentifierIsOurs(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		s := open(t, c)
		for name, option := range map[string]int{"SO_BROADCAST": unix.SO_BROADCAST, "SO_REUSEADDR": unix.SO_REUSEADDR} {
			if v, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, option); err != nil || v != 0 {
				t.Errorf("%s is %d, %v", name, v, err)
			}
		}
		if c.Raw {
			return
		}
		name, err := unix.Getsockname(int(s.fd))
		if err != nil {
			t.Fatal(err)
		}
		domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
		if c.V6 {
			domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		thief, err := unix.Socket(domain, unix.SOCK_DGRAM, protocol)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(thief)
		if err := unix.Bind(thief, name); err != unix.EADDRINUSE {
			t.Errorf("binding our identifier: %v", err)
		}
	})
}

// Two raw sockets hardly ever have the same identifier, and it is none that a container's process 1 would have.
func TestRawIdentifiers(t *testing.T) {
	seen := map[uint16]int{}
	for range 20 {
		s := open(t, Config{Raw: true})
		seen[s.id]++
		s.Close()
	}
	if len(seen) < 15 || seen[0] > 0 {
		t.Errorf("identifiers %v", seen)
	}
}

// A raw socket that is opened amid traffic gets all of it until its filter is set, more than its buffer holds. What it
// drops then is nothing of ours.
func TestOpenedAmidTraffic(t *testing.T) {
	netlab.Require(t)
	var stop atomic.Bool
	var received atomic.Int64
	var traffic sync.WaitGroup
	defer traffic.Wait()
	defer stop.Store(true)
	for range 4 {
		s := open(t, Config{})
		out, in := make([]wire.Packet, batchSize), room(batchSize, usualMessage)
		for i := range out {
			out[i] = request(t, "127.0.0.1", i, 56)
		}
		traffic.Go(func() {
			for !stop.Load() {
				for i := range in {
					in[i] = wire.Packet{Data: in[i].Data[:usualMessage]}
				}
				if _, err := s.Send(out); err != nil && !errors.Is(err, wire.ErrNoRoom) {
					t.Error(err)
					return
				}
				n, _, err := s.TryReceive(in, false)
				if err != nil {
					t.Error(err)
					return
				}
				received.Add(int64(n))
				runtime.Gosched()
			}
		})
	}
	await(t, "there is traffic", func() bool { return received.Load() > 1000 })
	for range 300 {
		s := open(t, Config{Raw: true})
		n := s.Drops()
		s.Close()
		if n != 0 {
			t.Fatalf("%d messages dropped by a new socket", n)
		}
	}
}
