package monitor_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/monitor"
	"github.com/icmpsock/ping/pingtest"
)

const ms = time.Millisecond

// A rig is a Monitor that runs over a network in memory until the test ends, with a Pinger of its own to confirm.
type rig struct {
	*monitor.Monitor
	network *pingtest.Network
	pinger  *ping.Pinger
	t       *testing.T
	changes []monitor.Change // to be read after stop
	stop    func()
	start   time.Time
}

func newRig(t *testing.T, opts ...monitor.Option) *rig {
	n := pingtest.NewNetwork().KeepRecords(0)
	return newRigOver(t, n, n.Pinger(t), n.Pinger(t), opts...)
}

func newRigOver(t *testing.T, n *pingtest.Network, first, second *ping.Pinger, opts ...monitor.Option) *rig {
	t.Helper()
	opts = append([]monitor.Option{monitor.WithSeed(1), monitor.WithResolver(n), monitor.WithSecondPinger(second)},
		opts...)
	r := &rig{Monitor: monitor.New(first, opts...), network: n, pinger: first, t: t, start: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	stop := run(t, r.Monitor)
	collecting := make(chan struct{})
	changes := r.Changes(ctx)
	go func() {
		defer close(collecting)
		for c := range changes {
			r.changes = append(r.changes, c)
		}
	}()
	r.stop = sync.OnceFunc(func() {
		stop()
		cancel()
		<-collecting
	})
	t.Cleanup(r.stop)
	return r
}

// add adds targets.
func (r *rig) add(targets ...monitor.Target) {
	r.t.Helper()
	for _, target := range targets {
		if err := r.Add(target); err != nil {
			r.t.Fatal(err)
		}
	}
}

// get returns how a target is.
func (r *rig) get(name string) monitor.Snapshot {
	r.t.Helper()
	s, ok := r.Get(name)
	if !ok {
		r.t.Fatalf("there is no target %q", name)
	}
	return s
}

// want checks a target's state.
func (r *rig) want(name string, state monitor.State) {
	r.t.Helper()
	if s := r.get(name); s.State != state {
		r.t.Errorf("after %v, %s is %v (%v, %v), want %v", time.Since(r.start), name, s.State, s.Reason, s.Err, state)
	}
}

// story stops the Monitor, and is what has changed, in words.
func (r *rig) story() string {
	r.stop()
	var lines []string
	for _, c := range r.changes {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "\n")
}

// pingAddr is one of very many addresses.
func pingAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// run has a Monitor run until the test ends.
func run(t *testing.T, m *monitor.Monitor) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
