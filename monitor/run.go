package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Run watches the targets until ctx ends, and then returns nil. The error says why it cannot, or can no longer: a bad
// option, a Pinger that has been closed, or that it runs already. What it has learnt stays, and another Run goes on
// from there. It needs about ten goroutines, however many targets there are, and eight more while names are looked up.
func (m *Monitor) Run(ctx context.Context) error {
	if m.err != nil {
		return m.err
	}
	done, err := m.start()
	if err == nil {
		err = m.work(ctx)
		m.stop()
		done()
	}
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	return nil
}

// start opens the confirmer, and has the addresses watched from now on; done closes what it has opened.
func (m *Monitor) start() (done func(), err error) {
	m.mu.Lock()
	running := m.running
	m.running = true
	m.mu.Unlock()
	if running {
		return nil, errors.New("Run: it runs already")
	}
	asked, done, err := m.openConfirmer() // without mu: it opens sockets, and the Pinger's logger is told
	if err == nil {
		err = m.watchAll(asked)
	}
	if err != nil {
		m.stop()
		done()
	}
	return done, err
}

// watchAll has all addresses watched, anew: what has fallen due meanwhile is left out.
func (m *Monitor) watchAll(asked confirmer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = asked
	now := time.Now()
	for _, p := range m.paths {
		if p == nil {
			continue
		}
		if err := m.watch(p); err != nil {
			return err
		}
		m.ask(p, now)
	}
	return nil
}

// stop leaves the Monitor so that it may be started again.
func (m *Monitor) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	m.noConfirmer(true)
}

// noConfirmer has nobody asked beside the schedule any more. The caller holds mu.
func (m *Monitor) noConfirmer(acquitted bool) {
	for _, p := range m.paths {
		if p == nil {
			continue
		}
		p.asked = askNot
		if acquitted {
			p.acquit()
		}
	}
	m.asked = confirmer{}
}

// work runs until ctx ends, and then returns nil, or until the Pinger is closed.
func (m *Monitor) work(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	messages := m.subscribe()
	others.Go(func() {
		defer m.unsubscribe(messages)
		for c := range func(yield func(Change) bool) { messages.each(ctx, yield) } {
			m.announce(c)
		}
	})
	others.Go(func() { m.lookUpNames(ctx) })
	others.Go(func() { m.keepHouse(ctx) })
	confirmer := m.asked.watcher
	others.Go(func() {
		for id, r := range confirmer.Replies(ctx) {
			m.beside(id, &r)
		}
		if ctx.Err() == nil { // the second Pinger has been closed
			m.mu.Lock()
			m.noConfirmer(false)
			m.mu.Unlock()
		}
	})
	for id, r := range m.watcher.Replies(ctx) {
		if id == 0 {
			return r.Err // it cannot be used here
		}
		m.onSchedule(id, &r)
	}
	if ctx.Err() == nil {
		return net.ErrClosed
	}
	return nil
}

// announce tells the logger and the callback of a change.
func (m *Monitor) announce(c Change) {
	switch c.Kind {
	case CutOff:
		m.log.Warn("monitor: nothing can be sent", "error", c.Err)
	case Restored:
		m.log.Warn("monitor: probes leave again")
	case IdentifierIgnored:
		m.log.Warn("monitor: the first identifier is ignored, the second is answered",
			"target", c.Target.Name, "addr", c.Addr)
	}
	if m.onChange != nil {
		m.onChange(c)
	}
}

// keepHouse does each second what is not urgent, until ctx ends.
func (m *Monitor) keepHouse(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	levels := levels{m: m}
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		m.reopen(time.Now())
		levels.compare(n)
	}
}

// reopen opens the first Pinger's sockets anew, if its identifier is ignored, and they have not been of late.
func (m *Monitor) reopen(now time.Time) {
	m.mu.Lock()
	due := m.stale && now.Sub(m.reopened) >= reopenAfter
	if due {
		m.stale, m.reopened = false, now
	}
	m.mu.Unlock()
	if !due {
		return
	}
	err := m.pinger.Reopen()
	m.mu.Lock()
	if err == nil {
		m.counters.Reopened++
	} else if !errors.Is(err, errors.ErrUnsupported) {
		m.stale = true // so that it is tried again
	}
	m.mu.Unlock()
	if err != nil {
		m.log.Warn("monitor: the sockets could not be opened anew", "error", err)
		return
	}
	m.log.Warn("monitor: the sockets have been opened anew")
}
