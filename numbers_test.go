package ping_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// sequenceNumber is that of an echo message.
func sequenceNumber(m ping.Message) uint16 { return binary.BigEndian.Uint16(m.Data[6:]) }

// A sequence number comes again when all others have been used, and not before.
func TestEverySequenceNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 1 << 16
		l := newLine(time.Millisecond)
		last := map[uint16]int{} // when each was used, by the number of the message
		n, soonest := 0, all
		l.sent = func(m ping.Message) {
			seq := sequenceNumber(m)
			if before, ok := last[seq]; ok {
				soonest = min(soonest, n-before)
			}
			last[seq] = n
			n++
		}
		p, err := ping.New(ping.WithTransport(l))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		s, err := p.PingN(t.Context(), "192.0.2.1", all+5000, ping.WithInterval(10*time.Microsecond))
		if err != nil || s.Received != s.Sent || s.Sent != all+5000 {
			t.Fatalf("got %v, %v", s, err)
		}
		if len(last) != all || soonest < all {
			t.Errorf("%d sequence numbers were used, and one came again after %d, want %d and %d", len(last), soonest, all, all)
		}
	})
}

// An answer that comes after its probe has been given up is none to a later probe, though there is no payload that
// could tell the two apart.
func TestLateWithoutPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(450 * time.Millisecond)
		p, err := ping.New(ping.WithTransport(l))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		const probes = 20_000
		s, err := p.PingN(t.Context(), "192.0.2.1", probes, ping.WithSize(0),
			ping.WithInterval(100*time.Microsecond), ping.WithTimeout(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if s.Sent != probes || s.Received != 0 || s.Lost != probes {
			t.Errorf("%d of %d late answers passed for good ones: %v", s.Received, s.Sent, s)
		}
		if s.Late == 0 {
			t.Errorf("no late answers were seen: %v", s)
		}
	})
}
