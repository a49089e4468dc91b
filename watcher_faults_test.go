package ping_test

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icmpsock/ping"
)

// A target that cannot be sent to is yielded with the reason, and the others are none the wiser.
func TestWatcherSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		f.refuse = func(_ int, m ping.Message) error {
			if m.Addr == netip.MustParseAddr("192.0.2.9") {
				return syscall.EPERM
			}
			return nil
		}
		w := newWatcher(t, newFakePinger(t, f))
		hosts := []string{"192.0.2.1", "192.0.2.9", "2001:db8::1"}
		for i, host := range hosts {
			add(t, w, int64(i), host)
		}
		list := watchFor(t, w, 10*time.Second, nil)
		for i := range hosts {
			var s ping.Statistics
			for k, r := range of(int64(i), list) {
				if r.Seq != k || (r.Err != nil) != (i == 1) || i == 1 && !errors.Is(r.Err, syscall.EPERM) {
					t.Errorf("target %d: %+v", i, r)
				}
				s.Add(r.Reply)
			}
			if i == 1 && (s.SendErrors != 10 || s.Loss() != 1) || i != 1 && (s.Received != 10 || s.Loss() != 0) {
				t.Errorf("target %d: %+v", i, s)
			}
		}
	})
}

// Where the transport has no room, probes wait for as long as their timeout, and leave as soon as there is some.
func TestWatcherNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(echoAfter(ms))
		start := time.Now()
		f.refuse = func(int, ping.Message) error {
			if d := time.Since(start); d > 2*time.Second && d < 5*time.Second {
				return ping.ErrNoRoom
			}
			return nil
		}
		p := newFakePinger(t, f, ping.WithTimeout(1500*ms))
		w := newWatcher(t, p)
		for i := range int64(20) {
			add(t, w, i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
		}
		list := watchFor(t, w, 10*time.Second, nil)
		for i := range int64(20) {
			refused := 0
			seen := map[int]bool{}
			for _, r := range of(i, list) {
				if seen[r.Seq] {
					t.Errorf("target %d: probe %d comes twice", i, r.Seq)
				}
				seen[r.Seq] = true
				switch {
				case errors.Is(r.Err, ping.ErrNoRoom):
					refused++
				case r.Err != nil:
					t.Errorf("target %d: %+v", i, r)
				}
			}
			if len(seen) != 10 || refused < 1 || refused > 2 {
				t.Errorf("target %d: %d probes, of which %d were refused", i, len(seen), refused)
			}
		}
		if c := p.Counters(); c.Sent != c.Received || c.Lost != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// An endingFake may come to its end by itself.
type endingFake struct {
	*fake
	ended atomic.Bool
}

var errCable = errors.New("the cable is out")

func (f *endingFake) end() {
	f.ended.Store(true)
	f.Close()
}

func (f *endingFake) Receive(messages []ping.Message) (int, error) {
	n, err := f.fake.Receive(messages)
	if err != nil && f.ended.Load() {
		err = errCable
	}
	return n, err
}

// When the transport has come to its end, each probe tells of it, at the time when it would have left.
func TestWatcherTransportEnds(t *testing.T) {
	for _, hosts := range [][]string{{"192.0.2.1"}, {"2001:db8::1"}, {"192.0.2.1", "2001:db8::1"}} {
		synctest.Test(t, func(t *testing.T) {
			f := &endingFake{fake: newFake(echoAfter(ms))}
			p, err := ping.New(ping.WithTransport(f))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			w := newWatcher(t, p)
			for i := range int64(20) {
				add(t, w, i, hosts[int(i)%len(hosts)])
			}
			time.AfterFunc(3*time.Second, f.end)
			list := watchFor(t, w, 6*time.Second, nil)
			for i := range int64(20) {
				own := of(i, list)
				if len(own) != 6 {
					t.Errorf("target %d: %d replies in 6 intervals", i, len(own))
				}
				for k, r := range own {
					due := own[0].at - ms + time.Duration(k)*time.Second
					if due < 3*time.Second-ms {
						if r.Seq != k || r.Err != nil || r.at != due+ms {
							t.Errorf("target %d: %+v, want probe %d after %v", i, r, k, due+ms)
						}
					} else if r.Seq != k || !errors.Is(r.Err, errCable) || !errors.Is(r.Err, net.ErrClosed) || r.at != due {
						t.Errorf("target %d: %+v, want the end in place of probe %d after %v", i, r, k, due)
					}
				}
			}
		})
	}
}

// Reopen under a Watcher costs no probe: what is in flight is answered over the old socket, and the rest leaves by
// the new.
func TestWatcherReopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePinger(t, newFake(echoAfter(700*ms)))
		w := newWatcher(t, p, ping.WithInterval(100*ms))
		for i := range int64(20) {
			add(t, w, i, []string{"192.0.2.1", "2001:db8::1"}[i%2])
		}
		var fakes []*fake
		for i := range 3 {
			time.AfterFunc(time.Duration(i+1)*900*ms, func() {
				f := newFake(echoAfter(700 * ms))
				fakes = append(fakes, f)
				if err := ping.ReopenOver(p, f); err != nil {
					t.Error(err)
				}
			})
		}
		list := watchFor(t, w, 5*time.Second, nil)
		for i := range int64(20) {
			own := of(i, list)
			if len(own) != 43 {
				t.Errorf("target %d: %d replies", i, len(own))
			}
			for k, r := range own {
				if r.Seq != k || r.Err != nil || r.RTT != 700*ms {
					t.Errorf("target %d: %+v, want probe %d", i, r, k)
				}
			}
		}
		for i, f := range fakes {
			if len(f.departures(time.Now())) < 150 || f.closed() != (i < 2) {
				t.Errorf("transport %d: %d echo requests, closed: %t", i, len(f.departures(time.Now())), f.closed())
			}
		}
	})
}
