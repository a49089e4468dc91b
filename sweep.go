package ping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkSize is how many addresses or replies go from goroutine to goroutine at a time, at most.
	chunkSize = 64
	// maxLanes is how many sockets of a family a Sweep opens at most.
	maxLanes = 16
)

// Sweep sends an echo request, or WithCount of them, to each of very many addresses, in flight together, as fast as
// the system and WithRate allow. It yields each address with its Reply as that is settled, once for each echo
// request, in memory that does not grow with the number of addresses. An address that cannot be pinged is
// yielded with a Reply that says so.
//
// The loop ends when all is settled, and at once when it is broken or ctx ends, which ctx.Err tells. A bad option
// shows as one Reply to the zero address with its Err. The body of the loop may take its time: that slows the Sweep,
// but distorts no RTT and loses no reply. With more than one processor at hand, a large Sweep opens a further socket
// for each, which the Pinger keeps.
//
// The iterator addrs runs in a goroutine of its own, beside the body of the loop, so that it may wait for addresses
// while replies are yielded. When the loop has ended it is told to stop as soon as it comes with its next address; the
// Sweep waits for that, but no longer than 10 ms. A panic of the iterator comes out of the loop.
//
// Requests leave in batches of up to 8. The time at which each of a batch left is an estimate, good to a few
// microseconds, between two readings of the clock.
func (p *Pinger) Sweep(
	ctx context.Context, addrs iter.Seq[netip.Addr], opts ...ProbeOption,
) iter.Seq2[netip.Addr, Reply] {
	return func(yield func(netip.Addr, Reply) bool) {
		config, err := p.config.probe.with(opts)
		if err != nil {
			yield(netip.Addr{}, Reply{Err: fmt.Errorf("ping: Sweep: %w", err)})
			return
		}
		if _, err := p.usable(); errors.Is(err, errBubble) {
			yield(netip.Addr{}, Reply{Err: fmt.Errorf("ping: Sweep: %w", err)})
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		s := &sweep{
			pinger:  p,
			ctx:     ctx,
			cancel:  cancel,
			config:  config,
			count:   max(config.count, 1),
			yield:   yield,
			supply:  newSupply(),
			results: make(chan []swept),
			busy:    make(chan struct{}, 1),
			full:    make(chan struct{}, 1),
			fed:     make(chan struct{}),
		}
		s.replies.New = func() any { return new([chunkSize]swept) }
		defer s.lanes.Wait()
		defer cancel()
		s.run(addrs)
	}
}

// A sweep is one call of Sweep. The feeder supplies the lanes with addresses, and the caller's goroutine yields what these
// report, and starts more of them.
type sweep struct {
	pinger  *Pinger
	ctx     context.Context
	cancel  context.CancelFunc
	config  *probeConfig
	count   int
	yield   func(netip.Addr, Reply) bool
	supply  *supply
	results chan []swept  // from the lanes
	busy    chan struct{} // the lanes take less than the iterator gives
	full    chan struct{} // some lane's table is
	fed     chan struct{} // closed when the feeder has ended
	failure any           // what the iterator panicked with, once fed is closed
	lanes   sync.WaitGroup
	started int
	open    atomic.Int64 // lanes that have not ended, and one for as long as more may be started
	replies sync.Pool
}

// iteratorGrace is how long the iterator is given to come to its next address when the loop has ended.
const iteratorGrace = 10 * time.Millisecond

// A swept is what a lane reports.
type swept struct {
	addr  netip.Addr
	reply Reply
}

// run returns when all is settled, or the loop is broken, or ctx ends.
func (s *sweep) run(addrs iter.Seq[netip.Addr]) {
	s.open.Add(1)
	s.start()
	go s.feed(addrs)
	defer s.stopFeeder()
	fed := s.fed
	for {
		select {
		case list, ok := <-s.results:
			if !ok || !s.deliver(list) {
				return
			}
		case <-s.busy:
			if fed != nil && s.started < runtime.GOMAXPROCS(0) {
				s.start()
			}
		case <-s.full:
			if fed != nil {
				s.start()
			}
		case <-fed:
			if s.failure != nil {
				return
			}
			fed = nil
			s.ended()
		case <-s.ctx.Done():
			return
		}
	}
}

// stopFeeder waits for the feeder, which the end of ctx stops at the iterator's next address.
func (s *sweep) stopFeeder() {
	select {
	case <-s.fed:
	default:
		s.cancel()
		timer := time.NewTimer(iteratorGrace)
		defer timer.Stop()
		select {
		case <-s.fed:
		case <-timer.C:
			return
		}
	}
	switch s.failure {
	case nil:
	case errGoexit:
		runtime.Goexit()
	default:
		panic(s.failure)
	}
}

// errGoexit stands for a call of runtime.Goexit in the iterator.
var errGoexit any = errors.New("runtime.Goexit")

// feed runs the iterator.
func (s *sweep) feed(addrs iter.Seq[netip.Addr]) {
	defer close(s.fed)
	returned := false
	defer func() {
		if !returned {
			s.failure = cmp.Or(recover(), errGoexit)
		}
	}()
	addrs(s.give)
	s.supply.end()
	returned = true
}

// give adds one address to the supply. It reports false if the sweep has ended.
func (s *sweep) give(addr netip.Addr) bool {
	for s.ctx.Err() == nil {
		if s.supply.put(addr) {
			return true
		}
		signal(s.busy)
		select {
		case <-s.supply.room:
		case <-s.ctx.Done():
		}
	}
	return false
}

// start starts another lane, if it can have sockets.
func (s *sweep) start() {
	if s.started >= maxLanes || s.started > 0 && s.pinger.config.transport != nil {
		return
	}
	l := newLane(s, s.started)
	for i := range l.ports {
		if s.started > 0 && l.ports[i] == nil && s.pinger.lines[i].Load().conn != nil {
			s.started = maxLanes
			l.leave()
			return
		}
	}
	s.started++
	s.open.Add(1)
	s.lanes.Go(func() {
		defer s.ended()
		l.run()
	})
}

// ended says that a lane has ended, or that no more are started. The last one closes the results.
func (s *sweep) ended() {
	if s.open.Add(-1) == 0 {
		close(s.results)
	}
}

func (s *sweep) deliver(list []swept) bool {
	for i := range list {
		if s.ctx.Err() != nil || !s.yield(list[i].addr, list[i].reply) {
			return false
		}
	}
	s.replies.Put((*[chunkSize]swept)(list[:chunkSize]))
	return true
}
