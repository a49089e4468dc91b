package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// A way is what is shown of the way to one host: with -trace -c its table in the end; with -watch on a terminal that
// after each round, else what changes, and the table in the end.
type way struct {
	host string
	live bool

	// output.mu guards what follows.
	last    paths.Round
	reached bool     // at any time
	changes []string // the latest, for a live table
	unsent  string   // the latest reason why something could not be sent
}

const (
	// shownChanges is how many of them are below a live table.
	shownChanges = 5
	// leastInterval is the least that paths.WithInterval takes.
	leastInterval = 10 * time.Millisecond
)

// follow shows the way to a host as it goes on and changes, until ctx ends or the count asked for is reached, and on
// each signal from quit, once it is known.
func (o *output) follow(
	ctx context.Context, p *ping.Pinger, n *names, host string, quit <-chan os.Signal,
) (reached bool, err error) {
	w := &way{host: host, live: o.config.watch && !o.config.json && isTerminal(o.stdout)}
	opts := []paths.Option{
		paths.WithInterval(max(o.config.interval, leastInterval)), paths.WithMaxHops(o.config.maxHops),
		paths.WithProbe(ping.WithFlow(o.config.flow)),
	}
	if o.config.count > 0 {
		opts = append(opts, paths.WithRounds(o.config.count))
	}
	known := make(chan struct{})
	tell := sync.OnceFunc(func() { close(known) })
	var running sync.WaitGroup
	running.Go(func() {
		defer tell()
		for r, e := range paths.Watch(ctx, p, host, opts...) {
			if err = e; err == nil && !o.config.watch {
				if err = neverSent(r); err != nil {
					return
				}
			}
			o.turn(n, w, r)
			tell()
		}
	})
	<-known
	await(&running, quit, func() { o.showWay(n, w) })
	if o.config.watch && neverSent(w.last) != nil {
		o.failed = true // turn has told why
	}
	return w.reached, err
}

// neverSent is why nothing has ever been sent; nil: something was.
func neverSent(r paths.Round) (why error) {
	for _, h := range r.Hops {
		for i := range h.Routers {
			if h.Routers[i].Statistics.Sent > 0 {
				return nil
			}
		}
		why = h.Unsent
	}
	return why
}

// isTerminal reports whether a writer is one, or another device of characters.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// turn shows what a round has brought.
func (o *output) turn(n *names, w *way, r paths.Round) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.last, w.reached = r, w.reached || r.Reached
	for _, h := range r.Hops {
		for i := range h.Routers {
			if addr := h.Routers[i].Addr; !o.config.numeric && addr.IsValid() {
				n.start(addr)
			}
		}
		if h.Unsent != nil && h.Unsent.Error() != w.unsent {
			w.unsent = h.Unsent.Error()
			complain(o.stderr, h.Unsent)
		}
	}
	if c := r.Change; c != nil && o.config.watch {
		line := c.Since.Format(time.DateTime) + "  " + c.String()
		switch w.changes = append(w.changes, line); {
		case o.config.json:
			o.encode(record{Host: w.host, Change: c})
		case !w.live:
			o.print(line)
		}
		w.changes = w.changes[max(len(w.changes)-shownChanges, 0):]
	}
	if w.live && len(r.Hops) > 0 {
		const top = "\x1b[H\x1b[2J" // of an empty screen (ECMA-48)
		text := top + table(o.title(w.host, r), o.rows(r, n.soFar))
		for _, line := range w.changes {
			text += "\n" + line
		}
		o.print(text)
	}
}

// showWay shows the way as it is now, once the names are known.
func (o *output) showWay(n *names, w *way) {
	o.mu.Lock()
	r := w.last
	o.mu.Unlock()
	if w.live || len(r.Hops) == 0 {
		return // it is there, or nothing is
	}
	rows := o.rows(r, n.of)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !o.config.json:
		o.print(table(o.title(w.host, r), rows))
	case o.config.watch:
		for _, h := range r.Hops {
			o.encode(record{Host: w.host, Hop: h})
		}
	default:
		for i := range rows {
			o.encode(record{Host: w.host, Hop: &rows[i]})
		}
	}
}
