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

	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
	"github.com/icmpsock/ping/internal/pool"
)

const (
	// chunkSize is how many addresses or replies go from goroutine to goroutine at a time, at most.
	chunkSize = 64
	// minLanes is how many sockets of a family a Sweep of hosts on the link may open on any machine.
	minLanes = 2
	// maxLanes is how many it opens at most.
	maxLanes = pool.MaxLanes
)

// Sweep sends an echo request, or WithCount of them, to each of very many addresses, in flight together, as fast as
// the system and WithRate allow. It yields each address with its Reply as that is settled, once for each echo
// request, in memory that does not grow with the number of addresses. An address that cannot be pinged is
// yielded with a Reply that says so.
//
// The echo requests to one address are WithInterval apart; with an interval of 0 they follow one another. For each
// socket, up to 65,536 addresses are between their first and their last at a time.
//
// Each host on the link takes an entry of the system's neighbour table (arp(7)): for 3 s if it does not answer, for up
// to 50 s if it does. There are 1,024 (gc_thresh3) for all programs, none of which reaches another host on the link
// when they are taken. On Linux, the Sweeps of a Pinger leave half of them to others while hosts do not answer, and a
// quarter when they do. So a Sweep gets through some 148 addresses a second where nobody is, and 768 hosts that answer
// in 50 s; WithSize and WithCount slow the former, since what waits for a neighbour is kept in a socket's send buffer.
// A host that is sent to again while it has its entry, by this Sweep or another, needs no other. Addresses through a
// router do not wait with those on the link.
//
// Where others fill the table, an echo request over IPv4 waits for a minute, or its timeout if that is longer, before
// it ends with an error that wraps [ErrNoRoom] and syscall.ENOBUFS. Over IPv6 the system does not say so, and it is
// lost. Which addresses are on the link is read when the Sweep begins, over netlink. Where that is forbidden, the
// Sweep may fill the table itself, and waits.
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
		config, err := p.config.probe.with(onSweep, opts)
		if _, e := p.usable(); err == nil && errors.Is(e, errBubble) {
			err = e
		}
		if err != nil {
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
			results: make(chan []swept),
			fed:     make(chan struct{}),
		}
		s.prepare()
		s.chunks.New = func() any { return new([chunkSize]swept) }
		defer s.end()
		s.run(addrs)
	}
}

// patience is for how long a probe of a Sweep may wait for the neighbour table: longer than an entry of it is in use
// that nobody asks for any more (plan.Neighbours).
const patience = time.Minute

// A sweep is one call of Sweep: the feeder supplies the lanes with addresses, and the caller's goroutine yields what
// these report.
type sweep struct {
	pinger   *Pinger
	ctx      context.Context
	cancel   context.CancelFunc
	config   *probeConfig
	count    int
	yield    func(netip.Addr, Reply) bool
	families [2]sweepFamily
	results  chan []swept // from the lanes, and the feeder
	chunks   sync.Pool    // of *[chunkSize]swept

	fed     chan struct{} // closed when the feeder has ended
	failure any           // what the iterator panicked with, once fed is closed

	running sync.WaitGroup // the lanes
	open    atomic.Int64   // lanes that have not ended, and one for the feeder

	starting sync.Mutex // guards what follows
	lanes    []*lane
	full     bool // no further lane starts
}

// A sweepFamily is what a Sweep has for the addresses of one IP version.
type sweepFamily struct {
	supply supply
	far    *flight.Shape // of probes through routers
	near   *flight.Shape // of those to hosts on the link
	err    error         // why there are none

	links   []netip.Prefix // hosts there are neighbours
	places  *plan.Neighbours[netip.Addr]
	backlog int // bytes of a send buffer that the probes to a neighbour take
}

// prepare says how the probes are to be.
func (s *sweep) prepare() {
	p := s.pinger
	if p.config.transport == nil {
		links, places := p.neighbours.look(p.sockets.Link())
		for i := range s.families {
			s.families[i].links, s.families[i].places = links[i], places[i]
		}
	}
	for i := range s.families {
		f := &s.families[i]
		f.supply.init()
		usual, err := p.shape(i == 1, s.config)
		if err != nil {
			f.err = err
			continue
		}
		far := *usual
		far.Bulk = true
		near := far
		near.Patience = max(patience, near.Timeout)
		f.far, f.near = &far, &near
		f.backlog = backlogOf(f.far, s.count, s.config.interval)
		if len(f.links) == 0 && p.config.transport == nil { // any may be, for all we know
			f.far = f.near
		}
	}
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
	s.start(maxLanes)
	go s.feed(addrs)
	defer s.stopFeeder()
	for {
		select {
		case list, ok := <-s.results:
			if !ok || !s.deliver(list) {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// end ends the lanes, and waits for them. The feeder, which may outlive that, starts no more.
func (s *sweep) end() {
	s.cancel()
	s.starting.Lock()
	s.full = true
	s.starting.Unlock()
	s.running.Wait()
}

// deliver yields what a lane reports. It returns false if the sweep has ended.
func (s *sweep) deliver(list []swept) bool {
	for i := range list {
		if s.ctx.Err() != nil || !s.yield(list[i].addr, list[i].reply) {
			return false
		}
	}
	s.chunks.Put((*[chunkSize]swept)(list[:chunkSize]))
	return true
}

// report hands a list over to be yielded. It returns false if the sweep has ended.
func (s *sweep) report(list []swept) bool {
	select {
	case s.results <- list:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// chunk is an empty list for report.
func (s *sweep) chunk() []swept { return s.chunks.Get().(*[chunkSize]swept)[:0] }

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
			s.cancel()
		}
	}()
	addrs(s.give)
	for i := range s.families {
		s.families[i].supply.end()
	}
	s.wakeLanes()
	s.ended()
	returned = true
}

// give supplies the lanes with one address. It reports false if the sweep has ended.
func (s *sweep) give(addr netip.Addr) bool {
	f := &s.families[family(addr.Is6())]
	if err := cmp.Or(s.pinger.checkFor(addr, s.config.network), f.err); err != nil {
		for echo := range s.count {
			if !s.report(append(s.chunk(), swept{addr, Reply{Seq: echo, Target: addr, Err: err}})) {
				return false
			}
		}
		return s.ctx.Err() == nil
	}
	near := isNear(addr, f.links)
	for s.ctx.Err() == nil {
		n, ok := f.supply.put(addr, near)
		if n == 0 {
			s.wakeLanes()
		}
		if n >= supplySize { // the lanes take less than the iterator gives
			lanes := runtime.GOMAXPROCS(0)
			if near {
				lanes = max(lanes, minLanes) // for what waits for neighbours, one send buffer is little
			}
			s.start(lanes)
		}
		if ok {
			return true
		}
		select {
		case <-f.supply.room:
		case <-s.ctx.Done():
		}
	}
	return false
}

// wakeLanes has the lanes look at the supplies.
func (s *sweep) wakeLanes() {
	s.starting.Lock()
	defer s.starting.Unlock()
	for _, l := range s.lanes {
		l.calls[0].Wake() // and the other
	}
}

// start starts another lane, if there are fewer than most, and it can have sockets.
func (s *sweep) start(most int) {
	s.starting.Lock()
	defer s.starting.Unlock()
	n := len(s.lanes)
	if s.full || n >= min(most, maxLanes) {
		return
	}
	if n > 0 && (s.pinger.config.transport != nil || !s.hasSockets(n)) {
		s.full = true
		return
	}
	l := newLane(s, n)
	s.lanes = append(s.lanes, l)
	s.open.Add(1)
	s.running.Go(func() {
		defer s.ended()
		l.run()
	})
}

// hasSockets reports whether there is a socket for a lane of each IP version that the Pinger has sockets of.
func (s *sweep) hasSockets(lane int) bool {
	sockets := s.pinger.sockets
	for _, v6 := range []bool{false, true} {
		if _, err := sockets.Conn(pool.Key{V6: v6}); err != nil {
			continue
		}
		if _, err := sockets.Conn(pool.Key{V6: v6, DontFragment: s.config.dontFragment, Lane: lane}); err != nil {
			return false
		}
	}
	return true
}

// ended says that a lane, or the feeder, has ended. The last one closes the results.
func (s *sweep) ended() {
	if s.open.Add(-1) == 0 {
		close(s.results)
	}
}
