package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

// pathsAll shows all paths to each host, one host after another, and returns the exit status.
func (o *output) pathsAll(ctx context.Context, p *ping.Pinger) int {
	status := 0
	for _, host := range o.config.hosts {
		reached, err := o.pathsTo(ctx, p, host)
		switch {
		case err != nil && ctx.Err() == nil:
			o.mu.Lock()
			o.giveUp(host, err)
			o.mu.Unlock()
			status = 2
		case !reached:
			status = max(status, 1)
		}
	}
	if o.failed {
		return 2
	}
	return status
}

// pathsTo shows all paths to one host. With a count their loss and RTT are measured.
func (o *output) pathsTo(ctx context.Context, p *ping.Pinger, host string) (reached bool, err error) {
	g, err := paths.Enumerate(ctx, p, host, paths.WithMaxHops(o.config.maxHops))
	if err != nil {
		return false, err
	}
	if o.config.count > 0 {
		err = g.Measure(ctx, p, o.config.count)
	}
	for _, path := range g.Paths {
		reached = reached || path.Reached
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.config.json:
		o.encode(record{Host: host, Paths: g})
	case o.config.dot:
		o.print(strings.TrimSuffix(g.DOT(), "\n"))
	default:
		o.print(fmt.Sprintf("PATHS %s (%v): %v", host, g.Target, g))
	}
	return reached, err
}
