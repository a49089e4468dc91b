package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// A watched is what is shown of a way: on a terminal all of it after each round, else what changes, and the table in the
// end.
type watched struct {
	host    string
	live    bool
	last    paths.Round
	changes []string // the latest
}

// shownChanges is how many of them are below a live table.
const shownChanges = 5

// watch shows the way to the host as it goes on and changes, until ctx ends or the count asked for is reached, and
// returns the exit status.
func (o *output) watch(ctx context.Context, p *ping.Pinger, n *names, quit <-chan os.Signal) int {
	w := &watched{host: o.config.hosts[0], live: !o.config.json && isTerminal(o.stdout)}
	opts := []paths.Option{
		paths.WithInterval(o.config.interval), paths.WithMaxHops(o.config.maxHops),
		paths.WithProbe(ping.WithFlow(o.config.flow)),
	}
	if o.config.count > 0 {
		opts = append(opts, paths.WithRounds(o.config.count))
	}
	for r, err := range paths.Watch(ctx, p, w.host, opts...) {
		if err != nil && ctx.Err() == nil {
			o.mu.Lock()
			o.giveUp(w.host, err)
			o.mu.Unlock()
			return 2
		}
		if err != nil {
			break
		}
		o.turn(n, w, r)
		select {
		case <-quit:
			o.showWay(n, w)
		default:
		}
	}
	if len(w.last.Hops) > 0 {
		o.showWay(n, w)
	}
	switch {
	case o.failed:
		return 2
	case w.reached():
		return 0
	}
	return 1
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

// reached reports whether the target has answered.
func (w *watched) reached() bool {
	for _, h := range w.last.Hops {
		for _, r := range h.Routers {
			if r.Target {
				return true
			}
		}
	}
	return false
}

// turn shows what a round has brought.
func (o *output) turn(n *names, w *watched, r paths.Round) {
	w.last = r
	for _, h := range r.Hops {
		if addr := h.Routers[0].Addr; !o.config.numeric && addr.IsValid() {
			n.start(addr)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := r.Change; c != nil {
		line := c.Since.Format(time.DateTime) + "  " + c.String()
		switch w.changes = append(w.changes, line); {
		case o.config.json:
			o.encode(record{Host: w.host, Change: c})
		case !w.live:
			o.print(line)
		}
		w.changes = w.changes[max(len(w.changes)-shownChanges, 0):]
	}
	if w.live {
		text := "\x1b[H\x1b[2J" + w.table(func(addr netip.Addr) string { // to the top of an empty screen (ECMA-48)
			if o.config.numeric {
				return ""
			}
			return n.soFar(addr)
		})
		for _, line := range w.changes {
			text += "\n" + line
		}
		o.print(text)
	}
}

// showWay shows the way as it is now, once the names are known.
func (o *output) showWay(n *names, w *watched) {
	if w.live {
		return // it is there
	}
	text := w.table(func(addr netip.Addr) string { return o.named(n, []netip.Addr{addr})[addr] })
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.config.json {
		o.print(text)
		return
	}
	for _, h := range w.last.Hops {
		o.encode(record{Host: w.host, Hop: h})
	}
}

// table is that of mtr(8), with a line for each router: where several have answered at one distance, the latest first.
func (w *watched) table(name func(netip.Addr) string) string {
	var rows []hopReport
	for _, h := range w.last.Hops {
		for i, r := range h.Routers {
			row := hopReport{Distance: h.Distance, MPLS: r.Labels, Last: r.RTT, Statistics: r.Statistics}
			if r.Addr.IsValid() {
				row.Addrs = []netip.Addr{r.Addr}
				row.Names = map[netip.Addr]string{r.Addr: name(r.Addr)}
			}
			if i == 0 && h.Refusal != nil {
				row.Refusal = h.Refusal.Reason()
			}
			rows = append(rows, row)
		}
	}
	return table(fmt.Sprintf("WATCH %s (%v)", w.host, w.last.Target), rows)
}
