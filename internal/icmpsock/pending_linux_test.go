package icmpsock

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/wire"
)

// router is the router at the far end of the link that answers for what is beyond.
func router(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.MustParseAddr("198.51.100.254")
	}
	return netip.MustParseAddr("2001:db8:1::fe")
}

// An ICMP error comes with who sent it, what it says, and what it quotes, and costs no other message.
func TestICMPErrors(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		switch {
		case r.Dst == netip.MustParseAddr(beyond4):
			return []netlab.Answer{r.Error(router(r.Dst), 3, 4, 1300, -1)}
		case r.Dst == netip.MustParseAddr(beyond6):
			return []netlab.Answer{r.Error(router(r.Dst), 2, 0, 1300, -1)}
		}
		return []netlab.Answer{r.Echo()}
	})
	eachSocket(t, func(t *testing.T, c Config) {
		c.DontFragment = true // without it, datagram sockets are told of no MTU (net/ipv4/ping.c, ping_err)
		s := open(t, c)
		refused, healthy, want := beyond4, far4, wire.Error{Type: 3, Code: 4, MTU: 1300}
		if c.V6 {
			refused, healthy, want = beyond6, far6, wire.Error{Type: 2, Code: 0, MTU: 1300}
		}
		const each = 100
		for i := range each {
			send(t, s, request(t, refused, i, 56), request(t, healthy, i, 56))
		}
		errs := 0
		for _, p := range receive(t, s, 2*each, usualMessage) {
			e, ok := wire.ParseEcho(p.Data)
			if !ok || !e.HasCookie(uint64(e.Seq), 56) || p.TTL != 64 {
				t.Fatalf("%+v", p)
			}
			if p.Err == nil {
				if !e.IsReply(c.V6) || p.Addr.String() != healthy {
					t.Fatalf("a reply: %+v", p)
				}
				continue
			}
			errs++
			got := *p.Err
			if !e.IsRequest(c.V6) || p.Addr.String() != refused || got.From != router(p.Addr) {
				t.Fatalf("an error: %+v, %+v", p, got)
			}
			if got.Type != want.Type || got.Code != want.Code || got.MTU != want.MTU || got.MPLS != nil || !got.TooBig() {
				t.Fatalf("an error: %+v, want %+v", got, want)
			}
		}
		if errs != each {
			t.Errorf("%d errors, want %d", errs, each)
		}
	})
}

// TTL, traffic class and flow label are those of their packet, and of no other, whether control messages say them or
// the socket's options.
func TestHeaderPerPacket(t *testing.T) {
	responder := newResponder(t, nil)
	eachSocket(t, func(t *testing.T, c Config) { testHeaderPerPacket(t, responder, open(t, c)) })
	t.Run("by options", func(t *testing.T) {
		s := open(t, Config{V6: true})
		s.byOptions = true
		testHeaderPerPacket(t, responder, s)
	})
}

func testHeaderPerPacket(t *testing.T, responder *netlab.Responder, s *Socket) {
	responder.Reset()
	labels := sendsLabels(t, s)
	var packets []wire.Packet
	for i := range 3 * batchSize {
		p := request(t, map[bool]string{false: far4, true: far6}[s.v6], i, 56+i)
		if i%2 == 1 {
			p.TTL, p.TrafficClass = 10+i, 4*i
			if labels {
				p.FlowLabel = 0x10000 + i
			}
		}
		packets = append(packets, p)
	}
	send(t, s, packets...)
	receive(t, s, len(packets), usualMessage)
	records := responder.Records()
	if len(records) != len(packets) {
		t.Fatalf("%d requests, want %d", len(records), len(packets))
	}
	for _, r := range records {
		i := len(r.Payload) - 56
		ttl, class := 64, 0
		if i%2 == 1 {
			ttl, class = 10+i, 4*i
		}
		if r.TTL != ttl || r.TrafficClass != class {
			t.Errorf("%d has TTL %d and class %d, want %d and %d", i, r.TTL, r.TrafficClass, ttl, class)
		}
		label := int(r.Packet[1]&15)<<16 | int(r.Packet[2])<<8 | int(r.Packet[3])
		if s.v6 && i%2 == 1 && labels && label != 0x10000+i {
			t.Errorf("%d has label %#x, want %#x", i, label, 0x10000+i)
		}
	}
}

// A packet that is too large for the device is refused as that, with what would have fit; those before it leave, and
// those after it are not tried.
func TestTooBig(t *testing.T) {
	newResponder(t, nil)
	eachSocket(t, func(t *testing.T, c Config) {
		c.DontFragment = true
		s := open(t, c)
		host := map[bool]string{false: far4, true: far6}[c.V6]
		packets := []wire.Packet{request(t, host, 1, 56), request(t, host, 2, 1800), request(t, host, 3, 56)}
		n, err := s.Send(packets)
		if n != 1 || !errors.Is(err, unix.EMSGSIZE) {
			t.Fatalf("%d sent, %v", n, err)
		}
		if told := new(wire.TooBigError); !errors.As(err, &told) || told.MTU != 1500 {
			t.Errorf("%#v, want the MTU of 1500", err)
		}
		receive(t, s, 1, usualMessage)
		// More than a batch, of which one in the second is too large.
		packets = nil
		for i := range 2 * batchSize {
			packets = append(packets, request(t, host, i, 56))
		}
		packets[batchSize+3] = request(t, host, 2, 1800)
		if n, err := s.Send(packets); n != batchSize+3 || !errors.Is(err, unix.EMSGSIZE) {
			t.Fatalf("%d sent, %v", n, err)
		}
		receive(t, s, batchSize+3, usualMessage)
	})
}

// When a message that is too big for the device has been refused, nothing of it is left that would speak against
// another message: neither in the error queue, nor in what a reader beside has seen there.
func TestTooBigLeavesNothing(t *testing.T) {
	newResponder(t, nil)
	s := open(t, Config{DontFragment: true})
	read := func(packets []wire.Packet) {
		for i := range packets {
			packets[i] = wire.Packet{Data: make([]byte, usualMessage)}
		}
		if _, _, err := s.TryReceive(packets, true); err != nil {
			t.Error(err)
		}
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for packets := make([]wire.Packet, batchSize); ; {
			select {
			case <-stop:
				return
			default:
				read(packets)
			}
		}
	})
	left := 0
	own := make([]wire.Packet, batchSize)
	for range 3000 {
		n, err := s.Send([]wire.Packet{request(t, "127.0.0.1", 1, 1800), request(t, far4, 1, 1800)})
		if n != 1 || err == nil {
			t.Error(n, err)
			break
		}
		read(own)
		s.receive.Lock()
		if s.receive.fits > 0 {
			left++
		}
		s.receive.fits = 0
		s.receive.Unlock()
	}
	close(stop)
	reader.Wait()
	if left > 0 {
		t.Errorf("%d items were left", left)
	}
}

// What a send finds in the error queue, as it looks there for its own error, is handed over in order to who receives,
// and wakes who waits.
func TestFoundBySend(t *testing.T) {
	newResponder(t, func(r *netlab.Request) []netlab.Answer {
		return []netlab.Answer{r.Error(router(r.Dst), 3, 1, 0, -1)}
	})
	s := open(t, Config{DontFragment: true})
	const errs = 2*batchSize + 3
	before := 0
	for i := range errs {
		send(t, s, request(t, beyond4, i, 56))
		await(t, "the error has come", func() bool { return held(s) > before })
		before = held(s)
	}
	if n, err := s.Send([]wire.Packet{request(t, far4, 1, 1800)}); n != 0 || !errors.Is(err, unix.EMSGSIZE) {
		t.Fatalf("%d sent, %v", n, err)
	}
	if held(s) > 0 {
		t.Fatalf("the socket still holds %d bytes", held(s))
	}
	if err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, p := range receive(t, s, errs, usualMessage) {
		if e, ok := wire.ParseEcho(p.Data); !ok || int(e.Seq) != i || p.Err == nil || p.Err.From != router(p.Addr) {
			t.Errorf("packet %d is %+v", i, p)
		}
	}
}

// A message that finds no way out fails alone: those before it leave, and the one after it can.
func TestNoRoute(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		s := open(t, c)
		host, nowhere := "127.0.0.1", "198.18.0.1"
		if c.V6 {
			host, nowhere = "::1", "2001:db8:ffff::1"
		}
		packets := []wire.Packet{request(t, host, 1, 56), request(t, nowhere, 2, 56), request(t, host, 3, 56)}
		if n, err := s.Send(packets); n != 1 || !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("%d sent, %v", n, err)
		}
		send(t, s, packets[2])
		receive(t, s, 2, usualMessage)
	})
}

// A zone that is no network interface is told by name, and fails its packet alone.
func TestZone(t *testing.T) {
	s := open(t, Config{V6: true})
	packets := []wire.Packet{request(t, "::1", 1, 56), request(t, "fe80::1%nosuch0", 2, 56)}
	n, err := s.Send(packets)
	if want := `zone "nosuch0" is no network interface of this network namespace`; n != 1 || fmt.Sprint(err) != want {
		t.Errorf("%d sent, %v, want %s", n, err, want)
	}
	receive(t, s, 1, usualMessage)
}

// An error that was pending is not the own one of a message that finds no way out either, as where the way has gone
// between.
func TestPendingWithoutRoute(t *testing.T) {
	s := open(t, Config{})
	p := request(t, "198.18.0.1", 1, 56)
	if err := s.prepare(0, &p); err != nil {
		t.Fatal(err)
	}
	s.sending.first, s.sending.last = 0, 1
	if s.isOwn(unix.ECONNREFUSED, 0) {
		t.Error("another message's error is said to be its own")
	}
	if !s.isOwn(unix.ENETUNREACH, 0) {
		t.Error("its own error is said to be another message's")
	}
}
