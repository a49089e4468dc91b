package pool

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/icmpsock/ping/internal/engine"
)

// open opens the link of a key. The caller holds opening.
func (p *Pool) open(k Key) *line {
	o := p.options.Open(k, p.Link())
	if o.Tell != nil {
		p.tell = append(p.tell, o.Tell)
	}
	l := &line{link: o.Link, err: o.Err, deaf: o.Deaf, tried: time.Now()}
	if o.Link != nil {
		l.conn = engine.NewConn(o.Link, p.options.Epoch, p.options.Limiter, p.options.Ended)
	}
	return l
}

// opened lets go of opening, and tells what is to be told.
func (p *Pool) opened() {
	tell := p.tell
	p.tell = nil
	p.opening.Unlock()
	for _, f := range tell {
		f()
	}
}

// Reopen opens a link of each IP version, and others as Lanes has it. They take the place of all that there are, which
// end once what is in flight over them is settled. It fails, and all stays as it is, where a version that has had a
// link has none any more, or none has.
func (p *Pool) Reopen() error {
	p.opening.Lock()
	defer p.opened()
	if p.closed.Load() {
		return net.ErrClosed
	}
	p.tidy()
	fresh := make(map[Key]*line)
	err := p.openFirst(fresh)
	if err == nil {
		err = p.openOthers(fresh)
	}
	if err != nil {
		discard(fresh)
		return err
	}
	for k := range p.keys {
		if fresh[k] == nil {
			fresh[k] = nil // there is none any more
		}
	}
	for _, c := range p.put(fresh) {
		c.Retire()
	}
	return p.checkClosed(fresh)
}

// openFirst opens the first link of each IP version.
func (p *Pool) openFirst(fresh map[Key]*line) (err error) {
	keys := []Key{{V6: p.options.MainlyV6}, {V6: !p.options.MainlyV6}}
	if p.options.Single {
		keys = []Key{{}}
	}
	some := false
	for _, k := range keys {
		l := p.open(k)
		fresh[k] = l
		some = some || l.conn != nil
		if was := p.line(k).Load(); l.conn == nil && was != nil && was.link != nil {
			err = l.err
		}
	}
	if !some {
		err = fresh[keys[0]].err
	}
	return err
}

// openOthers opens the links that are to be there from the start, of the IP versions that there are.
func (p *Pool) openOthers(fresh map[Key]*line) error {
	for k := range p.keys {
		if k.Lane >= p.options.Lanes || fresh[k] != nil || fresh[Key{V6: k.V6}].conn == nil {
			continue
		}
		l := p.open(k)
		switch {
		case l.conn != nil:
			fresh[k] = l
		case !errors.Is(l.err, errors.ErrUnsupported): // as DontFragment is on other systems than Linux
			return fmt.Errorf("WithAllSockets: %w", l.err)
		}
	}
	return nil
}

// put has lines take the places of those that there are, whose Conns it returns. The caller holds opening.
func (p *Pool) put(fresh map[Key]*line) (replaced []*engine.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, l := range fresh {
		if was := p.line(k).Swap(l); was != nil && was.conn != nil {
			replaced = append(replaced, was.conn)
		}
	}
	p.old = append(p.old, replaced...)
	return replaced
}

// checkClosed closes what has been put into lines while Close was under way, which may not have seen it.
func (p *Pool) checkClosed(fresh map[Key]*line) error {
	if !p.closed.Load() {
		return nil
	}
	discard(fresh)
	return net.ErrClosed
}

// discard closes the Conns of lines.
func discard(lines map[Key]*line) {
	for _, l := range lines {
		if l != nil && l.conn != nil {
			l.conn.Close()
		}
	}
}

// tidy forgets those old Conns that have ended. The caller holds opening.
func (p *Pool) tidy() {
	for _, c := range slices.Clone(p.old) { // which changes with both locks held
		if !c.Final() {
			continue
		}
		counts := c.Counts()
		p.mu.Lock()
		p.past = p.past.Plus(counts)
		p.old = slices.DeleteFunc(p.old, func(other *engine.Conn) bool { return other == c })
		p.mu.Unlock()
		c.Close() // its goroutines have ended, or will at once
	}
}
