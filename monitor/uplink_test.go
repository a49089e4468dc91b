package monitor

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

// An uplink is cut once, when probes to most addresses cannot be sent, and restored by one that leaves after that.
func TestUplink(t *testing.T) {
	var u uplink
	runs := make([]uint64, 5)
	at := int64(1000)
	fail := func(address int, want bool) {
		t.Helper()
		at++
		if got := u.notSent(at, &runs[address], len(runs)); got != want {
			t.Errorf("at %v, address %d: cut is %v", at, address, got)
		}
	}
	leave := func(when int64, want bool) {
		t.Helper()
		if got := u.left(when); got != want || want && u.cut {
			t.Errorf("a probe that left at %v: restored is %v", when, got)
		}
	}
	for range 3 { // again and again
		before := at
		fail(0, false)
		fail(0, false) // the same is no other
		fail(1, false)
		leave(before, false) // and is told of late
		fail(2, true)
		fail(3, false)
		fail(0, false)
		leave(before, false)
		at++
		leave(at, true)
		leave(at, false)
		fail(0, false)
		fail(1, false)
		at++
		leave(at, false) // not all of them in a row
		fail(2, false)
		fail(3, false)
		at++
		leave(at, false)
	}
	u = uplink{}
	if u.notSent(at, new(uint64), 1) {
		t.Error("a single address is enough")
	}
}

// The sockets are opened anew when an identifier is ignored, and once a minute at most.
func TestReopen(t *testing.T) {
	p, err := ping.New()
	if err != nil {
		t.Skip(err)
	}
	defer p.Close()
	m := New(p)
	now := time.Now()
	for after, want := range []uint64{0, 1, 1, 1, 2} {
		if m.stale = after > 0; after == 3 {
			m.stale = false
		}
		m.reopen(now.Add(time.Duration(after) * 20 * time.Second))
		if m.counters.Reopened != want {
			t.Errorf("after %d: %d times", after, m.counters.Reopened)
		}
	}
}

// Where the sockets cannot be opened anew, that is tried again.
func TestReopenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pingtest.NewNetwork()
		m := New(n.Pinger(t))
		n.OpenError(syscall.EMFILE)
		m.stale = true
		m.reopen(time.Now())
		n.OpenError(nil)
		for minute, want := range []uint64{0, 1, 1} {
			m.reopen(time.Now())
			if m.counters.Reopened != want {
				t.Errorf("after %d minutes: %d times, want %d", minute, m.counters.Reopened, want)
			}
			time.Sleep(time.Minute)
		}
	})
}
