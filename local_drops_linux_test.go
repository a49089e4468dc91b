package ping_test

import (
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
	"github.com/icmpsock/ping/internal/skipped"
)

// What this host's own buffer dropped is told apart from what the network lost.
func TestLocalDrops(t *testing.T) {
	const (
		host   = "198.51.100.2"
		probes = 200
	)
	var mu sync.Mutex
	var held []netlab.Answer
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: nearPrefixes(),
		Script: func(r *netlab.Request) []netlab.Answer { // all answers at once, when all requests have come
			mu.Lock()
			defer mu.Unlock()
			if held = append(held, r.Echo()); len(held) < probes {
				return nil
			}
			return held
		},
	})
	p, sockets := openPingerAlone(t)
	// Behind the Pinger's back, or else it would not let it come to that.
	shrinkBuffers(t, sockets, 4096)
	timeout := skipped.AtLength(t, 400*ms, time.Second) // time to send all
	drops, series := 0, 0
	for ; drops == 0 && series < 20; series++ { // the reader may be quick enough
		mu.Lock()
		held = nil
		mu.Unlock()
		s, err := p.PingN(t.Context(), host, probes,
			ping.WithInterval(time.Nanosecond), ping.WithTimeout(timeout))
		if err != nil {
			t.Fatal(err)
		}
		if s.LocalDrops != s.Lost || s.Loss() != 0 || s.Received+s.Lost != probes {
			t.Errorf("%v, %d dropped locally", s, s.LocalDrops)
		}
		drops += s.LocalDrops
	}
	if n := p.Counters().LocalDrops; drops == 0 || int(n) != drops {
		t.Errorf("%d drops, %d probes charged with them", n, drops)
	}
	// The network's losses are the network's again.
	responder.SetScript(func(*netlab.Request) []netlab.Answer { return nil })
	s, err := p.PingN(t.Context(), host, 3,
		ping.WithInterval(time.Millisecond), ping.WithTimeout(20*time.Millisecond))
	if err != nil || s.LocalDrops != 0 || s.Loss() != 1 {
		t.Errorf("%v, %v", s, err)
	}
	if requests, _ := responder.Count(); requests != series*probes+3 {
		t.Errorf("%d requests, want %d", requests, series*probes+3)
	}
}
