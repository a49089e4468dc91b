package ping_test

import (
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

// What this host's own buffer dropped is told apart from what the network lost.
func TestLocalDrops(t *testing.T) {
	const (
		host   = "198.51.100.2"
		probes = 200
	)
	var held []netlab.Answer
	responder := netlab.NewResponder(t, netlab.Self(t), netlab.ResponderConfig{
		Addrs: nearPrefixes(),
		Script: func(r *netlab.Request) []netlab.Answer { // all answers at once, when all requests have come
			if held = append(held, r.Echo()); len(held) < probes {
				return nil
			}
			return held
		},
	})
	p := openPinger(t)
	// Behind the Pinger's back, or else it would not let it come to that.
	shrinkBuffers(t, 4096)
	s, err := p.PingN(t.Context(), host, probes,
		ping.WithInterval(time.Nanosecond), ping.WithTimeout(time.Second)) // time to send all
	if err != nil {
		t.Fatal(err)
	}
	if s.LocalDrops == 0 || s.LocalDrops != s.Lost || s.Loss() != 0 || s.Received+s.Lost != probes {
		t.Errorf("%v, %d dropped locally", s, s.LocalDrops)
	}
	if drops := p.Counters().LocalDrops; int(drops) != s.LocalDrops {
		t.Errorf("%d drops, %d probes charged with them", drops, s.LocalDrops)
	}
	// The network's losses are the network's again.
	responder.SetScript(func(*netlab.Request) []netlab.Answer { return nil })
	s, err = p.PingN(t.Context(), host, 3,
		ping.WithInterval(time.Millisecond), ping.WithTimeout(20*time.Millisecond))
	if err != nil || s.LocalDrops != 0 || s.Loss() != 1 {
		t.Errorf("%v, %v", s, err)
	}
	if requests, _ := responder.Count(); requests != probes+3 {
		t.Errorf("%d requests, want %d", requests, probes+3)
	}
}
