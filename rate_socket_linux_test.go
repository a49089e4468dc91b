package ping_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
)

// The end of the socket of one family does not take the rate from the other.
func TestRateBesideDeadSocket(t *testing.T) {
	others := icmpSockets(t)
	p := openPinger(t, ping.WithRate(200))
	if _, err := p.Ping(t.Context(), "::1"); err != nil {
		t.Skip(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	ended := 0
	for _, fd := range icmpSockets(t, others...) {
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil || domain != unix.AF_INET6 {
			continue
		}
		if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		ended++
	}
	if ended == 0 {
		t.Fatal("no IPv6 socket")
	}
	if _, err := p.Ping(t.Context(), "::1"); err == nil {
		t.Error("a reply over a socket that is none")
	}
	var sent []time.Time
	for addr, r := range p.Sweep(t.Context(), ofLoopback(41)) {
		if r.Err != nil {
			t.Fatalf("%v: %v", addr, r.Err)
		}
		sent = append(sent, r.Sent)
	}
	slices.SortFunc(sent, time.Time.Compare)
	// The first may leave later than its turn was, by as much as the machine is busy. Without a rate it is a millisecond.
	if span := sent[len(sent)-1].Sub(sent[0]); span < 150*time.Millisecond {
		t.Errorf("%d requests in %v, at 200/s", len(sent), span)
	}
}
