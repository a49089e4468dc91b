package ping_test

import (
	"math"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// spareAllocs is how many allocations an echo may take: none, but the runtime makes a few of its own now and then.
const spareAllocs = 0.01

// atMost checks how many allocations each of n things takes, which run does, in all goroutines together. What comes
// before run calls begin is not counted. Others than ours may allocate too, so that one run of some has to do.
func atMost(t *testing.T, most float64, n int, run func(begin func())) {
	t.Helper()
	if raceEnabled {
		skipped.Test(t, "the race detector allocates")
	}
	// A collection empties the pools, which is no matter of one echo.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	run(func() {}) // everything is as large as it gets
	least := math.Inf(1)
	for tries := 0; tries < 5 && least > most; tries++ {
		var before, after runtime.MemStats
		run(func() { runtime.ReadMemStats(&before) })
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.Mallocs-before.Mallocs)/float64(n))
	}
	if least > most {
		t.Errorf("%.3f allocations each, want %v at most", least, most)
	}
}

// An echo costs no allocation, over a transport that makes none itself.
func TestAllocsOverTransport(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		t.Run(host, func(t *testing.T) {
			echoAllocs(t, host, func(t *testing.T) *ping.Pinger {
				p, err := ping.New(ping.WithTransport(newMirror(1)), ping.WithTimeout(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				return p
			})
		})
	}
}

// echoAllocs holds each kind of call against the claim that an echo costs no allocation.
func echoAllocs(t *testing.T, host string, open func(t *testing.T) *ping.Pinger) {
	pings, echoes := skipped.AtLength(t, 1000, 2000), skipped.AtLength(t, 2000, 4000)
	addresses := skipped.AtLength(t, 10_000, 20_000)
	for _, c := range []struct {
		name string
		n    int
		run  func(t *testing.T, p *ping.Pinger, begin func())
	}{
		{"Ping", pings, func(t *testing.T, p *ping.Pinger, begin func()) {
			begin()
			for range pings {
				if _, err := p.Ping(t.Context(), host); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"Stream", echoes / 2, func(t *testing.T, p *ping.Pinger, begin func()) {
			for r, err := range p.Stream(t.Context(), host, ping.WithInterval(0), ping.WithCount(echoes)) {
				if err != nil || r.Err != nil {
					t.Fatal(err, r.Err)
				}
				if r.Seq == echoes/2 {
					begin()
				}
			}
		}},
		{"Watcher", echoes, func(t *testing.T, p *ping.Pinger, begin func()) {
			w := newWatcher(t, p, ping.WithInterval(20*time.Microsecond))
			for i := range int64(7) {
				add(t, w, i, host)
			}
			n := 0
			for id, r := range w.Replies(t.Context()) {
				if r.Err != nil {
					t.Fatal(id, r.Err)
				}
				if n++; n == echoes {
					begin()
				}
				if n == 2*echoes {
					break
				}
			}
		}},
		{"Sweep", addresses / 2, func(t *testing.T, p *ping.Pinger, begin func()) {
			n := 0
			addrs := slices.Values(slices.Repeat([]netip.Addr{netip.MustParseAddr(host)}, addresses))
			for addr, r := range p.Sweep(t.Context(), addrs) {
				if r.Err != nil {
					t.Fatal(addr, r.Err)
				}
				if n++; n == addresses/2 {
					begin()
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t)
			defer p.Close()
			atMost(t, spareAllocs, c.n, func(begin func()) { c.run(t, p, begin) })
		})
	}
}

// What settles nothing, here nine replies too many to each request, costs no allocation either.
func TestAllocsOfDuplicates(t *testing.T) {
	const calls, copies = 1_000, 10
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		t.Run(host, func(t *testing.T) {
			p, err := ping.New(ping.WithTransport(newMirror(copies)), ping.WithTimeout(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			atMost(t, spareAllocs, calls*copies, func(begin func()) {
				begin()
				for range calls {
					if _, err := p.Ping(t.Context(), host); err != nil {
						t.Fatal(err)
					}
				}
			})
			// A copy after the first finds its probe settled, and its call at an end.
			if c := p.Counters(); c.Duplicates+c.Stray+c.Late < calls*(copies-1) {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

// A mirror answers each request itself, some times over, and allocates nothing once it is made.
type mirror struct {
	copies int
	done   chan struct{}
	close  sync.Once
	more   chan struct{} // holds a token while there may be something to receive

	mu         sync.Mutex
	ring       []mirrored // what is to be received: all from head on, before tail
	head, tail int
}

// mirrored is a reply with the usual payload.
type mirrored struct {
	addr netip.Addr
	data [64]byte
}

var _ ping.Transport = (*mirror)(nil)

func newMirror(copies int) *mirror {
	return &mirror{
		copies: copies,
		done:   make(chan struct{}),
		more:   make(chan struct{}, 1),
		ring:   make([]mirrored, 1<<17), // more than can be in flight
	}
}

func (m *mirror) Send(messages []ping.Message) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range messages {
		for range m.copies {
			if m.tail-m.head == len(m.ring) {
				return i, ping.ErrNoRoom
			}
			r := &m.ring[m.tail%len(m.ring)]
			m.tail++
			r.addr = messages[i].Addr
			copy(r.data[:], messages[i].Data)
			r.data[0] = 0
			if r.addr.Is6() {
				r.data[0] = 129
			}
		}
		messages[i].Time = time.Now()
	}
	m.signal()
	return len(messages), nil
}

func (m *mirror) signal() {
	select {
	case m.more <- struct{}{}:
	default:
	}
}

func (m *mirror) Receive(messages []ping.Message) (int, error) {
	for {
		select {
		case <-m.done:
			return 0, net.ErrClosed
		case <-m.more:
		}
		if n := m.take(messages); n > 0 {
			return n, nil
		}
	}
}

func (m *mirror) take(messages []ping.Message) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n < len(messages) && m.head < m.tail; n++ {
		r := &m.ring[m.head%len(m.ring)]
		m.head++
		messages[n] = ping.Message{Addr: r.addr, TTL: 64, Data: messages[n].Data[:copy(messages[n].Data, r.data[:])]}
	}
	if m.head < m.tail {
		m.signal()
	}
	return n
}

func (m *mirror) Close() error {
	m.close.Do(func() { close(m.done) })
	return nil
}

// What falls due together, in batch after batch, costs no allocation either.
func TestAllocsOfManyDue(t *testing.T) {
	const targets, replies = 400, 8_000
	p, err := ping.New(ping.WithTransport(newMirror(1)), ping.WithTimeout(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	atMost(t, spareAllocs, replies/2, func(begin func()) {
		w := newWatcher(t, p, ping.WithInterval(10*ms))
		for i := range int64(targets) {
			add(t, w, i, target)
		}
		n := 0
		for range w.Replies(t.Context()) {
			if n++; n == replies/2 {
				begin()
			}
			if n == replies {
				break
			}
		}
	})
}
