package ping_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/icmpsock/ping"
)

// Every type and code has words, those too that nobody has thought of yet.
func TestReason(t *testing.T) {
	four, six := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:f::1")
	for _, c := range []struct {
		from      netip.Addr
		typ, code int
		want      string
	}{
		{four, 3, 0, "destination network unreachable"},
		{four, 3, 15, "precedence cutoff in effect"},
		{four, 3, 16, "destination unreachable (code 16)"},
		{four, 3, -1, "destination unreachable (code -1)"},
		{four, 4, 0, "source quench"},
		{four, 5, 1, "redirect"},
		{four, 11, 0, "time to live exceeded"},
		{four, 11, 1, "fragment reassembly time exceeded"},
		{four, 12, 1, "parameter problem (code 1)"},
		{four, 13, 7, "ICMP error type 13 code 7"},
		{netip.Addr{}, 3, 1, "destination host unreachable"},
		{six, 1, 0, "no route to destination"},
		{six, 1, 7, "error in source routing header"},
		{six, 1, 8, "destination unreachable (code 8)"},
		{six, 1, -1, "destination unreachable (code -1)"},
		{six, 2, 0, "packet too big"},
		{six, 3, 0, "hop limit exceeded"},
		{six, 3, 1, "fragment reassembly time exceeded"},
		{six, 4, 2, "parameter problem (code 2)"},
		{six, 100, 3, "ICMPv6 error type 100 code 3"},
	} {
		e := &ping.ICMPError{Type: c.typ, Code: c.code, From: c.from}
		if got := e.Reason(); got != c.want {
			t.Errorf("%v, type %d code %d: %q, want %q", c.from, c.typ, c.code, got, c.want)
		}
	}
	// Whatever a host makes up, of whatever family.
	for typ := range 256 {
		for code := range 256 {
			for _, from := range []netip.Addr{four, six} {
				if e := (&ping.ICMPError{Type: typ, Code: code, From: from}); e.Error() != e.Reason()+", from "+from.String() {
					t.Fatalf("type %d code %d: %q", typ, code, e)
				}
			}
		}
	}
}

// An error of a call is a net.Error that says whether it was for want of time.
func TestNetError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{ping.ErrTimeout, true}, {ping.ErrLocalDrop, true}, {context.DeadlineExceeded, true}, {os.ErrDeadlineExceeded, true},
		{context.Canceled, false}, {net.ErrClosed, false}, {ping.ErrNoRoom, false}, {fs.ErrPermission, false},
		{&ping.ICMPError{Type: 3, Code: 1}, false},
	} {
		wrapped := fmt.Errorf("wrapped: %w", c.err)
		p := newFakePinger(t, newFake(nil), ping.WithResolver(resolverFunc(
			func(context.Context, string, string) ([]netip.Addr, error) { return nil, wrapped })))
		_, ended := p.Ping(t.Context(), "host")
		err, ok := ended.(net.Error)
		if !ok || ended.Error() != "ping host: lookup host: "+wrapped.Error() {
			t.Fatalf("%v is a %T", ended, ended)
		}
		temporary := err.(interface{ Temporary() bool })
		if err.Timeout() != c.want || temporary.Temporary() != c.want || !errors.Is(err, c.err) {
			t.Errorf("%v: Timeout %v, Temporary %v", err, err.Timeout(), temporary.Temporary())
		}
	}
	var timeout interface{ Temporary() bool }
	if !errors.As(ping.ErrTimeout, &timeout) || !timeout.Temporary() {
		t.Error("a timeout is not temporary")
	}
}

// A Reply's clock has a name in JSON, and one that there is not is told by its number.
func TestClockNames(t *testing.T) {
	for clock, want := range map[ping.Clock]string{
		ping.ClockUser: "user", ping.ClockKernel: "kernel", ping.ClockWire: "wire", 9: "Clock(9)",
	} {
		if b, err := json.Marshal(clock); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("clock %d is %s, %v, want %q", clock, b, err, want)
		}
	}
	for kind, want := range map[ping.SocketKind]string{
		ping.SocketAuto: "auto", ping.SocketDatagram: "datagram", ping.SocketRaw: "raw", 9: "SocketKind(9)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q, want %q", kind, got, want)
		}
	}
}
