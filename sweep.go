package ping

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// chunkSize is how many addresses or replies go from goroutine to goroutine at a time.
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
		ctx, cancel := context.WithCancel(ctx)
		s := &sweep{
			pinger:  p,
			ctx:     ctx,
			config:  config,
			count:   max(config.count, 1),
			yield:   yield,
			jobs:    make(chan []netip.Addr, 1),
			results: make(chan []swept),
			full:    make(chan struct{}, 1),
		}
		s.chunks.New = func() any { return new([chunkSize]netip.Addr) }
		s.replies.New = func() any { return new([chunkSize]swept) }
		defer s.lanes.Wait()
		defer cancel()
		s.run(addrs)
	}
}

// A sweep is one call of Sweep: the caller's goroutine hands addresses out to lanes and yields what they report.
type sweep struct {
	pinger  *Pinger
	ctx     context.Context
	config  *probeConfig
	count   int
	yield   func(netip.Addr, Reply) bool
	jobs    chan []netip.Addr
	results chan []swept
	full    chan struct{} // some lane's table is
	lanes   sync.WaitGroup
	started int
	open    atomic.Int64 // lanes that have not ended, and one for as long as more may be started
	chunks  sync.Pool
	replies sync.Pool
}

// A swept is what a lane reports.
type swept struct {
	addr  netip.Addr
	reply Reply
}

func (s *sweep) run(addrs iter.Seq[netip.Addr]) {
	s.open.Add(1)
	s.start()
	chunk := s.chunks.Get().(*[chunkSize]netip.Addr)[:0]
	for addr := range addrs {
		chunk = append(chunk, addr)
		if len(chunk) < chunkSize {
			select { // lanes that have nothing to do need not wait for a whole chunk
			case s.jobs <- chunk:
				chunk = s.chunks.Get().(*[chunkSize]netip.Addr)[:0]
			default:
			}
			select {
			case list, ok := <-s.results:
				if !ok || !s.deliver(list) {
					return
				}
			default:
				if s.ctx.Err() != nil {
					return
				}
			}
			continue
		}
		if !s.hand(chunk, true) {
			return
		}
		chunk = s.chunks.Get().(*[chunkSize]netip.Addr)[:0]
	}
	if len(chunk) > 0 && !s.hand(chunk, false) {
		return
	}
	close(s.jobs)
	s.ended()
	for list := range s.results {
		if !s.deliver(list) {
			return
		}
	}
}

// start starts another lane, if it can have sockets.
func (s *sweep) start() {
	if s.started >= maxLanes || s.started > 0 && s.pinger.config.transport != nil {
		return
	}
	l := newLane(s, s.started)
	for i := range l.conns {
		if s.started > 0 && l.conns[i] == nil && s.pinger.lines[i].Load().conn != nil {
			s.started = maxLanes
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

// hand gives a chunk to a lane. While none takes it, it yields what comes, and where another processor or another
// table is the way out it starts a lane.
func (s *sweep) hand(chunk []netip.Addr, more bool) bool {
	select {
	case s.jobs <- chunk:
		return true
	default:
	}
	if more && s.started < runtime.GOMAXPROCS(0) {
		s.start()
	}
	for {
		select {
		case s.jobs <- chunk:
			return true
		case list, ok := <-s.results:
			if !ok || !s.deliver(list) {
				return false
			}
		case <-s.full:
			s.start()
		case <-s.ctx.Done():
			return false
		}
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
