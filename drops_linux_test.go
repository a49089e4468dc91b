package ping_test

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// What the socket dropped while nothing was in flight was the answer to no later probe: a dead host's losses are the
// network's.
func TestDropsWhileNothingInFlight(t *testing.T) {
	for _, c := range []struct{ network, alive, dead string }{
		{"ip4", "198.51.100.2", "198.51.100.3"},
		{"ip6", "2001:db8:1::2", "2001:db8:1::3"},
	} {
		t.Run(c.network, func(t *testing.T) {
			overEachKind(t, func(t *testing.T, kind ping.Option) { testIdleDrops(t, kind, c.alive, c.dead) })
		})
	}
}

func testIdleDrops(t *testing.T, kind ping.Option, alive, dead string) {
	const probes = 5
	rounds, burst := skipped.AtLength(t, 2, 3), skipped.AtLength(t, 4000, 20_000)
	echoes := make(chan []byte, 1)
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: nearPrefixes(),
		Quiet: true,
		Script: func(r *netlab.Request) []netlab.Answer {
			if r.Dst == netip.MustParseAddr(dead) {
				return nil
			}
			echo := r.Echo()
			echoes <- echo.Packet
			return []netlab.Answer{echo}
		},
	})
	p, sockets := openPingerAlone(t, kind)
	shrinkBuffers(t, sockets, 4096)
	for range rounds {
		if _, err := p.Ping(t.Context(), alive, ping.WithTimeout(time.Minute)); err != nil {
			t.Fatal(err)
		}
		again := <-echoes
		_, before := bufferState(t, sockets)
		for after := before; after == before; _, after = bufferState(t, sockets) { // who reads may be quick enough
			arrived := echoRepliesIn(t)
			for range burst {
				responder.Send(again)
			}
			eventually(t, "the burst has come", func() bool { return echoRepliesIn(t) >= arrived+burst })
		}
		s, err := p.PingN(t.Context(), dead, probes,
			ping.WithInterval(ms), ping.WithTimeout(20*ms))
		if err != nil {
			t.Fatal(err)
		}
		if s.Sent != probes || s.Lost != probes || s.LocalDrops != 0 || s.Loss() != 1 {
			t.Errorf("loss of %v: %v", s.Loss(), s)
		}
		for _, r := range s.Replies {
			if !errors.Is(r.Err, ping.ErrTimeout) || errors.Is(r.Err, ping.ErrLocalDrop) {
				t.Errorf("probe %d: %v, want %v", r.Seq, r.Err, ping.ErrTimeout)
			}
		}
	}
	// They are counted all the same.
	if _, dropped := bufferState(t, sockets); p.Counters().LocalDrops != uint64(dropped) {
		t.Errorf("%d drops, and %d by the Counters", dropped, p.Counters().LocalDrops)
	}
}

// echoRepliesIn is how many echo replies of either IP version have come to this host, as its kernel counts them.
func echoRepliesIn(t *testing.T) (n int) {
	t.Helper()
	add := func(number string) {
		v, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		n += v
	}
	lines := func(file string) [][]string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var fields [][]string
		for line := range strings.Lines(string(text)) {
			fields = append(fields, strings.Fields(line))
		}
		return fields
	}
	// A line of names, and one of numbers below it.
	var names []string
	for _, fields := range lines("/proc/thread-self/net/snmp") {
		if i := slices.Index(names, "InEchoReps"); i >= 0 && fields[0] == "Icmp:" {
			add(fields[i])
		}
		names = fields
	}
	for _, fields := range lines("/proc/thread-self/net/snmp6") {
		if fields[0] == "Icmp6InEchoReplies" {
			add(fields[1])
		}
	}
	return n
}

// What was dropped stays counted when the socket is gone.
func TestDropsAfterClose(t *testing.T) {
	const copies = 1000 // of each reply
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs:  nearPrefixes(),
		Quiet:  true,
		Script: func(r *netlab.Request) []netlab.Answer { return slices.Repeat([]netlab.Answer{r.Echo()}, copies) },
	})
	p, sockets := openPingerAlone(t)
	shrinkBuffers(t, sockets, 4096)
	eventually(t, "something is dropped", func() bool {
		p.Ping(t.Context(), far4, ping.WithTimeout(time.Second))
		return p.Counters().LocalDrops > 0
	})
	eventually(t, "all has been read", func() bool {
		requests, answers := responder.Count()
		k := p.Counters()
		return answers == copies*requests && uint64(requests) == k.Sent &&
			uint64(answers) == k.Received+k.Late+k.Duplicates+k.Stray+k.LocalDrops
	})
	before := p.Counters().LocalDrops
	p.Close()
	if after := p.Counters().LocalDrops; after != before {
		t.Errorf("%d before Close, %d after", before, after)
	}
}
