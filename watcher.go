package ping

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/icmpsock/ping/internal/engine"
	"github.com/icmpsock/ping/internal/flight"
	"github.com/icmpsock/ping/internal/plan"
)

// A Watcher sends echo requests to any number of targets, each on a schedule of its own, and yields all replies in
// one loop: there is no goroutine and no stack for a target. [Pinger.NewWatcher] makes one. All its methods are safe
// for concurrent use, also in the body of the loop.
type Watcher struct {
	pinger   *Pinger
	defaults *probeConfig
	calls    [2]*engine.Call // the loop's, by family; they are woken together

	mu      sync.Mutex
	watches [2]watchSource // by family
	shapes  [2]*flight.Shape
	stop    context.CancelFunc // ends the loop; nil while there is none
	busy    bool               // the body of the loop is at work: what falls due waits
	closed  bool
}

// A watchTarget is what a Watcher keeps of a target.
type watchTarget struct {
	addr  netip.Addr
	shape *flight.Shape
}

// NewWatcher returns a Watcher without targets. The options are the defaults of its targets: WithTimeout,
// WithInterval, which must be above 0, WithPhase, WithSize, WithTTL, WithTrafficClass, WithNetwork and WithFlow.
// WithDontFragment and WithAnomalies hold for all of them; the others have no effect. The error names a bad option,
// or is net.ErrClosed after Close of the Pinger.
func (p *Pinger) NewWatcher(opts ...ProbeOption) (*Watcher, error) {
	config, err := p.config.probe.with(0, opts)
	if err == nil {
		_, err = p.usable()
	}
	if err == nil && config.interval <= 0 {
		err = errors.New("WithInterval(0s): a Watcher takes more than 0")
	}
	if err != nil {
		return nil, fmt.Errorf("ping: Watcher: %w", err)
	}
	w := &Watcher{pinger: p, defaults: config}
	wake := make(chan struct{}, 1)
	for i := range w.watches {
		w.watches[i].watcher = w
		w.calls[i] = engine.NewCall(engine.Options{
			Epoch: p.epoch,
			Batch: engine.BatchSize,
			Lasts: true,
			Wake:  wake,
		})
		w.shapes[i], _ = p.shape(i == 1, config) // where the size is none for IPv4, Add says so
	}
	return w, nil
}

// Add adds a target, or replaces the one with that id. Its first probe is due within one interval, at a share of that
// which hangs on the id alone, so that targets spread out, or when [WithPhase] has it; then one comes an interval
// after the other. Probes that fall due while the body of the loop is at work wait for that; those that have been
// passed over by then are left out. The error says that the address cannot be pinged, or names a bad option; after
// Close it is net.ErrClosed.
func (w *Watcher) Add(id int64, addr netip.Addr, opts ...ProbeOption) error {
	if err := w.add(id, addr, opts); err != nil {
		return fmt.Errorf("ping: Watcher: target %d: %w", id, err)
	}
	return nil
}

func (w *Watcher) add(id int64, addr netip.Addr, opts []ProbeOption) error {
	config, err := w.defaults.with(onWatcher, opts)
	if err != nil {
		return err
	}
	if err := w.pinger.checkFor(addr, config.network); err != nil {
		return err
	}
	switch {
	case config.interval <= 0:
		return errors.New("WithInterval(0s): a Watcher takes more than 0")
	case config.dontFragment != w.defaults.dontFragment:
		return fmt.Errorf("WithDontFragment(%t): it holds for all of a Watcher's targets: give it to NewWatcher",
			config.dontFragment)
	case config.anomalies != w.defaults.anomalies:
		return fmt.Errorf("WithAnomalies(%t): it holds for all of a Watcher's targets: give it to NewWatcher",
			config.anomalies)
	}
	i := family(addr.Is6())
	shape := w.shapes[i]
	if shape == nil || !config.shapedAs(w.defaults) {
		if shape, err = w.pinger.shape(i == 1, config); err != nil {
			return err
		}
	}
	t := watchTarget{addr, shape}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return net.ErrClosed
	}
	age, err := w.pinger.usable()
	if err != nil {
		return err
	}
	var added bool
	if config.hasPhase {
		added = w.watches[i].AddAt(id, config.interval, age+config.untilPhase(time.Now()), t)
	} else {
		added = w.watches[i].Add(id, config.interval, age, t)
	}
	if !added {
		return fmt.Errorf("a Watcher takes %d targets of each IP version", plan.MaxTargets)
	}
	w.watches[1-i].Remove(id)
	w.calls[0].Wake() // and the other
	return nil
}

// untilPhase is how long after now the first probe is due that has the target's phase.
func (c *probeConfig) untilPhase(now time.Time) int64 {
	interval := int64(c.interval)
	wait := (int64(c.phase)%interval - now.UnixNano()%interval) % interval
	if wait < 0 {
		wait += interval
	}
	return wait
}

// Remove removes a target, if there is one with that id. What it has in flight is not yielded any more.
func (w *Watcher) Remove(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.watches {
		w.watches[i].Remove(id)
	}
}

// Replies sends what falls due, and yields the id of a target with what became of one of its probes as that is
// settled, until ctx ends, the loop breaks, or the Watcher or its Pinger is closed. A Reply's Seq counts the probes
// of its target, from 0. Not always do they come in that order: an answer may take longer than the next one's, and on a
// crowded machine a probe may leave after the next. Nothing is sent while there is no loop; what is in flight when it
// ends is dropped.
//
// There can be one loop at a time: a second one yields a single Reply, to the id 0, whose Err says so.
func (w *Watcher) Replies(ctx context.Context) iter.Seq2[int64, Reply] {
	return func(yield func(int64, Reply) bool) {
		if _, err := w.pinger.usable(); errors.Is(err, errBubble) {
			yield(0, Reply{Err: fmt.Errorf("ping: Watcher: %w", err)})
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(w.pinger.closing, cancel)()
		w.mu.Lock()
		closed, running := w.closed, w.stop != nil
		if !closed && !running {
			w.stop = cancel
		}
		w.mu.Unlock()
		switch {
		case closed:
			return
		case running:
			yield(0, Reply{Err: errors.New("ping: Watcher: there is a loop over Replies already")})
			return
		}
		defer func() {
			w.mu.Lock()
			w.stop = nil
			w.mu.Unlock()
		}()
		w.run(ctx, yield)
	}
}

// run is the loop.
func (w *Watcher) run(ctx context.Context, yield func(int64, Reply) bool) {
	for i, c := range w.calls {
		defer c.End()
		c.Anomalies(w.defaults.anomalies)
		c.Start(&w.watches[i], func() (*engine.Conn, error) {
			return w.pinger.sockets.Roomy(i == 1, w.defaults.dontFragment)
		})
	}
	engine.Run(ctx, func(i int, results []flight.Result) bool {
		if len(results) == 0 {
			return true
		}
		w.setBusy(true)
		defer w.setBusy(false)
		for k := range results {
			r := &results[k]
			id, seq, addr, ok := w.find(i, r.Tag)
			if !ok {
				continue
			}
			reply := newReply(r, addr)
			reply.Seq = seq
			if ctx.Err() != nil || w.pinger.sockets.Closed() || !yield(id, reply) {
				return false
			}
		}
		return true
	}, w.calls[:]...)
}

// setBusy says whether the body of the loop is at work. When it has done, both calls look at their sources again.
func (w *Watcher) setBusy(busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = busy
}

// find returns whose probe had a tag.
func (w *Watcher) find(family int, tag int64) (id int64, seq int, addr netip.Addr, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, seq, ok := w.watches[family].Find(tag)
	if !ok {
		return 0, 0, netip.Addr{}, false
	}
	return t.ID, seq, t.Value.addr, true
}

// Close ends the loop over Replies, and forgets the targets. Closing again does nothing. The error is always nil.
func (w *Watcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for i := range w.watches {
		w.watches[i].Watch = plan.Watch[watchTarget]{}
	}
	if w.stop != nil {
		w.stop()
	}
	return nil
}

// A watchSource is the engine.Source of the targets of one family. The Watcher's mu guards it.
type watchSource struct {
	watcher *Watcher
	plan.Watch[watchTarget]
}

// Next implements engine.Source. While the body of the loop is at work on what became of probes of the other family,
// nothing leaves either.
func (s *watchSource) Next(_ int64, p *flight.Probe) (at int64, ok bool) {
	s.watcher.mu.Lock()
	defer s.watcher.mu.Unlock()
	if s.watcher.busy {
		return 0, false
	}
	t, at, ok := s.Watch.Next()
	if ok {
		p.Dst, p.Tag, p.Shape = t.Value.addr, t.Tag(), t.Value.shape
	}
	return at, ok
}

// Sent implements engine.Source.
func (s *watchSource) Sent(now int64) {
	s.watcher.mu.Lock()
	defer s.watcher.mu.Unlock()
	s.Watch.Sent(now)
}

// Done implements engine.Source.
func (s *watchSource) Done() bool { return false }
