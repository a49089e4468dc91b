package ping_test

import (
	"context"
	"encoding/binary"
	"flag"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/internal/netlab"
)

var cutSweeps = flag.Duration("cutsweeps", 0, "how long TestCutSweeps runs; 0: 300 ms, 1 s with -long")

// Sweeps over very many hosts, each cut short while it sets out: it ends, and soon.
func TestCutSweeps(t *testing.T) {
	netlab.Require(t)
	s := newStorm(t, *cutSweeps, 300*ms, time.Second)
	p, err := ping.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := s.chance()
	sweeps, replies, late, latest := 0, 0, 0, time.Duration(0)
	for start := time.Now(); time.Since(start) < s.length; sweeps++ {
		after := time.Duration(r.Int64N(int64(5*ms) >> r.IntN(10))) // mostly while sockets are opened and lanes started
		s.await(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := time.Now().Add(after)
			timer := time.AfterFunc(after, func() {
				ended = time.Now()
				cancel()
			})
			defer timer.Stop()
			s.call("Sweep", after, func() {
				for range p.Sweep(ctx, loopback(1<<16)) {
					replies++
				}
			})
			if ctx.Err() == nil {
				t.Errorf("a Sweep over so many hosts ended before %v had passed", after)
				return
			}
			by := time.Since(ended)
			latest = max(latest, by)
			if by > time.Second {
				late++
			}
		})
	}
	t.Logf("%d sweeps, %d replies, the latest ended %v after its context", sweeps, replies, latest)
	if late > sweeps/20 { // the machine itself may stand still now and then
		t.Errorf("%d of %d sweeps ended more than a second after their contexts", late, sweeps)
	}
	if k := p.Counters(); !balanced(k) || k.InFlight != 0 {
		t.Errorf("the counters are %+v", k)
	}
}

// loopback is n addresses of this host.
func loopback(n uint32) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range n {
			if !yield(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 127<<24|1<<16|i)))) {
				return
			}
		}
	}
}

// descriptors are the open files of the process.
func descriptors(t testing.TB) (list []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, fd)
		}
	}
	return list
}
