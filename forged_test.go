package ping_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/skipped"
)

// forged is how many forged replies are offered.
var forged = flag.Int("forged", 0,
	"forged replies to offer in TestForged and TestForgedOnTheWire (default 10,000,000 and 20,000)")

func forgeries(usually int) int {
	switch {
	case *forged > 0:
		return *forged
	case testing.Short():
		return usually / 100
	}
	return usually
}

// A guesser knows all of a probe but its cookie: the target, the identifier, the sequence number, the size. It knows
// the cookies of all other probes.
type guesser struct {
	*rand.Rand
	cookies []uint64
}

// cookie is a guess at the cookie of a probe, and always wrong.
func (g *guesser) cookie(right uint64) uint64 {
	guess := right
	switch g.IntN(6) {
	case 0:
		guess = 0
	case 1:
		guess ^= 1 << g.IntN(64)
	case 2:
		guess += uint64(g.IntN(512)) - 256
	case 3:
		guess = g.cookies[g.IntN(len(g.cookies))]
	case 4:
		guess = guess<<8 | guess>>56
	default:
		guess = g.Uint64()
	}
	if guess == right {
		guess++
	}
	return guess
}

// No reply with a wrong cookie is accepted, whoever it says that it comes from; nor a quotation with one that is as it
// was sent otherwise. Of the probes a tenth is just being sent.
func TestForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const probes = 1000
		n := forgeries(skipped.AtLength(t, 1_000_000, 10_000_000))
		wire := &tapped{
			fake:  newFake(nil),
			who:   &guesser{Rand: rand.New(rand.NewPCG(13, 14))},
			left:  n,
			begin: make(chan struct{}),
			end:   make(chan struct{}),
			seen:  make(map[string]bool),
		}
		wire.refuse = wire.tap
		p := mustNew(t, ping.WithTransport(wire))
		var calls sync.WaitGroup
		for i := range probes {
			calls.Go(func() {
				host := fmt.Sprintf([]string{"192.0.2.%d", "2001:db8::%x"}[i/10%2], i%10)
				if _, err := p.Ping(t.Context(), host, ping.WithTimeout(time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(100 * ms) // until all have been tried
		wire.mu.Lock()
		known := len(wire.requests)
		wire.mu.Unlock()
		if known != probes {
			t.Fatalf("the transport knows %d probes, want %d", known, probes)
		}
		close(wire.begin)
		<-wire.end
		synctest.Wait() // the last ones are settled
		want := ping.Counters{Sent: probes * 9 / 10, InFlight: probes * 9 / 10, Stray: uint64(n)}
		if c := p.Counters(); c != want {
			t.Errorf("of %d forged: counters are %+v, want %+v", n, c, want)
		}
		// They have not harmed the true ones.
		wire.mu.Lock()
		wire.open = true
		wire.mu.Unlock()
		time.Sleep(100 * ms) // until the last tenth has been sent
		for _, m := range wire.requests {
			wire.deliver(delayed{0, echoed(m)})
		}
		calls.Wait()
		want = ping.Counters{Sent: probes, Received: probes, Stray: uint64(n)}
		if c := p.Counters(); c != want {
			t.Errorf("of %d true ones: counters are %+v, want %+v", probes, c, want)
		}
	})
}

// A tapped transport is one on which somebody listens in on all that is to be sent, and answers it wrongly.
type tapped struct {
	*fake
	who        *guesser
	begin, end chan struct{} // of forging
	told       sync.Once
	left       int // how many are still to be forged: the receiver's own

	// The fake's mu guards what follows; the receiver reads it while nothing new is sent.
	requests []ping.Message
	seen     map[string]bool // by what follows the identifier
	open     bool            // there is room for all, else for nine in ten
}

// tap notes what is to be sent, and says whether there is room for it.
func (w *tapped) tap(_ int, m ping.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key := string(m.Data[6:]); !w.seen[key] {
		w.seen[key] = true
		w.requests = append(w.requests, m)
		w.who.cookies = append(w.who.cookies, binary.BigEndian.Uint64(m.Data[8:]))
	}
	if m.Addr.As16()[15]%10 == 0 && !w.open {
		return ping.ErrNoRoom
	}
	return nil
}

func (w *tapped) Receive(messages []ping.Message) (n int, err error) {
	select {
	case <-w.begin:
	case <-w.done:
		return 0, net.ErrClosed
	}
	for ; n < len(messages) && w.left > 0; n++ {
		messages[n] = w.forge(messages[n].Data)
		w.left--
	}
	if n > 0 {
		return n, nil
	}
	w.told.Do(func() { close(w.end) }) // all have been read, and settled
	return w.fake.Receive(messages)
}

// forge writes an answer to one of the requests, or an ICMP error that quotes it, into room.
func (w *tapped) forge(room []byte) ping.Message {
	r := &w.requests[w.who.IntN(len(w.requests))]
	data := room[:copy(room, r.Data)]
	binary.BigEndian.PutUint64(data[8:], w.who.cookie(binary.BigEndian.Uint64(r.Data[8:])))
	from := r.Addr
	switch w.who.IntN(8) {
	case 0:
		from = w.requests[w.who.IntN(len(w.requests))].Addr
	case 1:
		from = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, w.who.Uint32())))
	case 2:
		from = netip.AddrFrom16(r.Addr.As16()) // IPv4-mapped, if it is IPv4
	case 3:
		from = netip.Addr{}
	}
	m := ping.Message{Addr: from, Data: data, TTL: 64, Time: time.Unix(0, 5)}
	switch {
	case w.left%8 == 0:
		m.Err = &ping.ICMPError{Type: unreachable4, Code: 1, From: from}
	case r.Addr.Is6():
		data[0] = echoReply6
	default:
		data[0] = echoReply4
	}
	return m
}
