package ping

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"
)

// The counters of a conn that has ended are final: what has been read by then, and what waits for room, adds nothing.
func TestCountersFinal(t *testing.T) {
	f := newFake(func(int, Message) []delayed { return nil })
	c := newConn(f, time.Now(), nil, slog.New(slog.DiscardHandler))
	in := newInbox()
	if !c.register(in) {
		t.Fatal("a new conn is retired")
	}
	c.close()
	if !c.finished() {
		t.Fatal("a conn that is closed, with nothing in flight, is not finished")
	}
	before := c.counters()
	c.settle([]Message{{Addr: netip.MustParseAddr("192.0.2.1"), Data: make([]byte, 64)}}, true)
	r := request{dst: netip.MustParseAddr("192.0.2.1"), template: testTemplate, timeout: time.Second}
	if err := c.launch(t.Context(), in, r); err != net.ErrClosed {
		t.Errorf("launch: %v", err)
	}
	if after := c.counters(); after != before {
		t.Errorf("the counters are %+v, after %+v", after, before)
	}
}
