package paths_test

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

const ms = time.Millisecond

// A fork is a transport over several networks, of which each flow takes one: the ways that there are. Each has the
// target, and the routers on one way to it.
type fork struct {
	ways   []ping.Transport
	choose func(flow uint64) int // 0 to len(ways)-1
	change func(m *ping.Message) // of what comes back; may be nil
	in     chan ping.Message
	done   chan struct{}
	close  sync.Once
	all    sync.WaitGroup
}

// newFork returns a fork over networks that are made by the caller.
func newFork(choose func(flow uint64) int, networks ...*pingtest.Network) *fork {
	f := &fork{choose: choose, in: make(chan ping.Message), done: make(chan struct{})}
	for _, n := range networks {
		way := n.Transport()
		f.ways = append(f.ways, way)
		f.all.Go(func() { f.receive(way) })
	}
	return f
}

func (f *fork) pinger(t testing.TB) *ping.Pinger {
	t.Helper()
	p, err := ping.New(ping.WithTransport(f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// receive hands on what comes by one way.
func (f *fork) receive(way ping.Transport) {
	for {
		m := []ping.Message{{Data: make([]byte, 128)}}
		if n, err := way.Receive(m); err != nil || n == 0 {
			return
		}
		if f.change != nil {
			f.change(&m[0])
		}
		select {
		case f.in <- m[0]:
		case <-f.done:
			return
		}
	}
}

// Send implements ping.Transport.
func (f *fork) Send(messages []ping.Message) (int, error) {
	for i := range messages {
		m := &messages[i]
		flow := uint64(m.FlowLabel)
		if m.Addr.Is4() { // the checksum, as far as the flow goes
			for k := 8; k < 16; k += 2 {
				flow += uint64(binary.BigEndian.Uint16(m.Data[k:]))
			}
			flow = (flow + uint64(binary.BigEndian.Uint16(m.Data[6:]))) % 0xffff
		}
		if _, err := f.ways[f.choose(flow)].Send(messages[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

// Receive implements ping.Transport.
func (f *fork) Receive(messages []ping.Message) (int, error) {
	select {
	case m := <-f.in:
		room := messages[0].Data
		messages[0] = m
		messages[0].Data = room[:copy(room, m.Data)]
		return 1, nil
	case <-f.done:
		return 0, net.ErrClosed
	}
}

// Close implements ping.Transport.
func (f *fork) Close() error {
	f.close.Do(func() {
		close(f.done)
		for _, way := range f.ways {
			way.Close()
		}
		f.all.Wait()
	})
	return nil
}

// mix spreads the bits of a word, each over all (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// chain makes a network of one way: routers, the nearest first, and the target behind them, 10 ms apart.
func chain(addrs ...string) (*pingtest.Network, []*pingtest.Host) {
	n := pingtest.NewNetwork().KeepRecords(0)
	var hosts []*pingtest.Host
	for i, addr := range addrs {
		h := n.Host(addr, pingtest.RTT(time.Duration(i+1)*10*ms))
		if i > 0 {
			h.Set(pingtest.Behind(hosts[i-1]))
		}
		hosts = append(hosts, h)
	}
	return n, hosts
}
