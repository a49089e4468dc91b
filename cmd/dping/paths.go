package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/paths"
)

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
