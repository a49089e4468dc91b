package monitor

import (
	"errors"
	"fmt"
	"time"

	"github.com/icmpsock/ping"
)

const (
	// quickly is the interval at which an address is asked to confirm that it is down, or up.
	quickly = 200 * time.Millisecond
	// slowly is the interval at which an address that is down is asked under the other identifier at the least.
	slowly = 10 * time.Second
	// maxQuick is how many addresses are asked quickly at a time, by 10,000 probes a second. Meanwhile others come
	// down by the probes on their schedule.
	maxQuick = 2000
	// reopenAfter is how long after the sockets were opened anew they may be again.
	reopenAfter = time.Minute
)

// A confirmer asks addresses beside their schedule. The Monitor's mu guards it.
type confirmer struct {
	watcher *ping.Watcher // nil: the Monitor does not run
	apart   bool          // its identifier is another
	quick   int           // addresses that are asked quickly
}

// openConfirmer returns a confirmer, and what closes it, also where there is an error. The caller does not hold mu.
func (m *Monitor) openConfirmer() (confirmer, func(), error) {
	p, done := m.second, func() {}
	if p == nil {
		clone, err := m.pinger.Clone()
		switch {
		case err == nil:
			p, done = clone, func() { clone.Close() }
		case errors.Is(err, errors.ErrUnsupported):
			p = m.pinger
		default:
			return confirmer{}, done, fmt.Errorf("second Pinger: %w", err)
		}
	}
	w, err := p.NewWatcher(ping.WithInterval(quickly), ping.WithTimeout(defaultTimeout), ping.WithAnomalies(false))
	if err != nil {
		return confirmer{}, done, fmt.Errorf("second Pinger: %w", err)
	}
	return confirmer{watcher: w, apart: p != m.pinger}, done, nil
}

// ask has an address asked as its machine wants it.
func (m *Monitor) ask(p *path, now time.Time) {
	c := &m.asked
	was := p.asked
	if p.asking == was || c.watcher == nil {
		return
	}
	if p.asking == askQuickly && c.quick == maxQuick {
		return // after its next probe, perhaps
	}
	p.asked = p.asking
	spec := &p.target.spec
	switch p.asking {
	case askNot:
		c.watcher.Remove(p.id)
	case askQuickly:
		c.quick++
		c.add(p, spec.options(quickly, time.Duration(now.UnixNano())%quickly))
	case askSlowly:
		c.add(p, spec.options(max(slowly, spec.Interval), p.phase))
	}
	if was == askQuickly {
		c.quick--
	}
}

// askAnew has an address asked as before, in another way or elsewhere.
func (m *Monitor) askAnew(p *path, now time.Time) {
	asking := p.asking
	p.asking = askNot
	m.ask(p, now)
	p.asking = asking
	m.ask(p, now)
}

// add has an address asked. What the first Watcher takes, this one does too; where it has been closed, there is no one
// to ask.
func (c *confirmer) add(p *path, opts []ping.ProbeOption) {
	if c.watcher.Add(p.id, p.addr, opts...) != nil && p.asked == askQuickly {
		p.asked = askNot
		c.quick--
	}
}
