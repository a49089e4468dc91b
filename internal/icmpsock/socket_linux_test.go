package icmpsock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
	"github.com/icmpsock/ping/internal/wire"
)

// What is sent comes back, whole, with who answered, its TTL and the kernel's stamp, whatever its size and whatever
// lies beside it: more than a batch of it, and then the longest.
func TestEcho(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		s := open(t, c)
		host, longest := "127.0.0.1", wire.MaxPayload4
		if c.V6 {
			host, longest = "::1", wire.MaxPayload6
		}
		sizes := []int{56, 0, 1, 7, 8, 9, 1472, 8000, 60_000, 255, 256}
		var packets []wire.Packet
		for i, size := range sizes {
			packets = append(packets, request(t, host, i, size))
		}
		for _, packets := range [][]wire.Packet{packets, {request(t, host, 0, longest)}} {
			start := time.Now()
			send(t, s, packets...)
			for i, p := range packets {
				if p.Time.Before(start) || i > 0 && p.Time.Before(packets[i-1].Time) {
					t.Errorf("packet %d left at %v, after %v", i, p.Time, start)
				}
			}
			for i, p := range receive(t, s, len(packets), 1<<16+60) {
				e, ok := wire.ParseEcho(p.Data)
				want := len(packets[i].Data) - wire.HeaderLen
				if !ok || !e.IsReply(c.V6) || int(e.Seq) != i || !e.HasCookie(uint64(i), want) || !e.Intact(want) {
					t.Errorf("packet %d of %d bytes is %x", i, want, p.Data[:min(len(p.Data), 40)])
				}
				if p.Addr.String() != host || p.TTL != 64 || p.Err != nil || p.Departed || p.Key != 0 {
					t.Errorf("packet %d is from %v with TTL %d, %+v", i, p.Addr, p.TTL, p)
				}
				if p.Time.Before(start.Round(0).Add(-time.Second)) || p.Time != p.Time.Round(0) {
					t.Errorf("packet %d came at %v, which is no stamp of the kernel's", i, p.Time)
				}
			}
		}
		if n := s.Drops(); n != 0 {
			t.Errorf("%d drops", n)
		}
		if s.Raw() != c.Raw || s.Departures() {
			t.Errorf("raw %v, departures %v", s.Raw(), s.Departures())
		}
	})
}

// What there is no room for in a packet is cut off.
func TestCutOff(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		if c.Raw && !c.V6 {
			t.Skip("its checksum is wrong then")
		}
		s := open(t, c)
		host := "127.0.0.1"
		if c.V6 {
			host = "::1"
		}
		send(t, s, request(t, host, 1, 100), request(t, host, 2, 20))
		for i, p := range receive(t, s, 2, 64) {
			if want := []int{64, 28}[i]; len(p.Data) != want {
				t.Errorf("%d bytes, want %d", len(p.Data), want)
			}
		}
	})
}

// After Close nothing is sent or received, a Wait ends, and closing again is no error.
func TestClose(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		host := "127.0.0.1"
		if c.V6 {
			host = "::1"
		}
		netlab.Require(t)
		files := openFiles(t)
		s := open(t, c)
		send(t, s, request(t, host, 1, 56))
		await(t, "the reply has come", func() bool { return held(s) > 0 })
		receive(t, s, 1, usualMessage)
		waiting := make(chan error)
		go func() {
			err := s.Wait()
			for err == nil { // what came before
				err = s.Wait()
			}
			waiting <- err
		}()
		send(t, s, request(t, host, 2, 56))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Wait: %v", err)
		}
		if n, err := s.Send([]wire.Packet{request(t, host, 3, 56)}); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: %d, %v", n, err)
		}
		if n, more, err := s.TryReceive(room(1, 100), true); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("TryReceive: %d, %v, %v", n, more, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		if n := s.Drops(); n != 0 {
			t.Errorf("%d drops", n)
		}
		if n := openFiles(t); n != files {
			t.Errorf("%d open files, %d before", n, files)
		}
	})
}

// The receive buffer is as large as the system allows.
func TestCapacity(t *testing.T) {
	s := open(t, Config{})
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skip(err)
	}
	var most int
	fmt.Sscan(string(b), &most)
	if n := s.Capacity(); n != 2*most {
		t.Errorf("it holds %d bytes, want %d", n, 2*most)
	}
}

// What there was no room for is counted, and stays counted when the socket is closed.
func TestDrops(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		s := open(t, c)
		if err := unix.SetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
			t.Fatal(err)
		}
		const probes = 40
		packets := make([]wire.Packet, probes)
		for i := range packets {
			packets[i] = request(t, map[bool]string{false: "127.0.0.1", true: "::1"}[c.V6], i, 56)
		}
		send(t, s, packets...) // over loopback the replies are there when the call returns
		received := 0
		for {
			n, _, err := s.TryReceive(room(batchSize, usualMessage), true)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			received += n
		}
		drops := int(s.Drops())
		if received == 0 || received+drops < probes || received+drops > probes && !c.Raw {
			t.Errorf("%d received, %d dropped of %d", received, drops, probes)
		}
		s.Close()
		if n := int(s.Drops()); n != drops {
			t.Errorf("%d dropped when closed, want %d", n, drops)
		}
	})
}

// The report of a departure comes before the answer is read, under the key that was sent with the message.
func TestDepartures(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		c.Departures = true
		s := open(t, c)
		if !s.Departures() && !kernel().since(keyedDepartures) {
			skipped.Test(t, "SCM_TS_OPT_ID:", kernel().lacks(keyedDepartures))
		}
		for i := range 100 {
			p := request(t, map[bool]string{false: "127.0.0.1", true: "::1"}[c.V6], i, 56)
			p.Key = uint32(1000 + i)
			send(t, s, p)
			came := receive(t, s, 2, usualMessage)
			if !came[0].Departed || came[0].Key != p.Key || came[0].Time.IsZero() || came[1].Departed || came[1].Err != nil {
				t.Fatalf("%+v", came)
			}
			if came[1].Time.Before(came[0].Time) {
				t.Fatalf("left at %v, answered at %v", came[0].Time, came[1].Time)
			}
		}
	})
}

// Sending and receiving a batch allocates nothing.
func TestNoAllocs(t *testing.T) {
	eachSocket(t, func(t *testing.T, c Config) {
		s := open(t, c)
		host := map[bool]string{false: "127.0.0.1", true: "::1"}[c.V6]
		out, in := make([]wire.Packet, batchSize), make([]wire.Packet, batchSize)
		data := make([][]byte, batchSize)
		for i := range out {
			out[i] = request(t, host, i, 56)
			out[i].TTL, out[i].TrafficClass = 9, 4
			data[i] = make([]byte, usualMessage)
		}
		if n := testing.AllocsPerRun(200, func() {
			if n, err := s.Send(out); n != batchSize || err != nil {
				t.Fatal(n, err)
			}
			for got := 0; got < batchSize; {
				for i := range in {
					in[i] = wire.Packet{Data: data[i]}
				}
				n, _, err := s.TryReceive(in, false)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
