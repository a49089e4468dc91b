package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/icmpsock/ping"
)

// A hopRecord is a hop of -trace -json.
type hopRecord struct {
	Distance int                   `json:"distance"`
	Reached  bool                  `json:"reached"`
	Names    map[netip.Addr]string `json:"names,omitempty"`
	Replies  []ping.Reply          `json:"replies"`
	End      ping.TraceEnd         `json:"end,omitempty"`
}

// trace shows the hops as they come, while their names are looked up.
func (o *output) trace(ctx context.Context, p *ping.Pinger, n *names, host string) (reached bool, err error) {
	addr, err := p.Resolve(ctx, host)
	if err != nil {
		return false, err
	}
	if !o.config.json {
		o.print(fmt.Sprintf("TRACE %s (%v): %d hops max, %d data bytes", host, addr, o.config.maxHops, o.config.size))
	}
	hops := make(chan ping.Hop, o.config.maxHops)
	go func() {
		defer close(hops)
		for h, e := range p.Trace(ctx, addr.String()) {
			if e != nil {
				err = e
				return
			}
			if !o.config.numeric {
				for _, a := range h.Addrs() {
					n.start(a)
				}
			}
			hops <- h
		}
	}()
	for h := range hops {
		reached = reached || h.Reached()
		o.showHop(n, host, h)
	}
	return reached, err
}

// showHop shows one hop, once the names of its routers are known.
func (o *output) showHop(n *names, host string, h ping.Hop) {
	named := o.named(n, h.Addrs())
	if !o.config.json {
		text := h.String()
		for addr, name := range named {
			text = strings.ReplaceAll(text, fmt.Sprintf("  %v ", addr), fmt.Sprintf("  %s (%v) ", name, addr))
		}
		o.print(text)
		return
	}
	r := hopRecord{Distance: h.Distance, Reached: h.Reached(), Names: named, Replies: h.Replies, End: h.End}
	o.encode(record{Host: host, Hop: r})
}

// named are the names of those addresses that have one.
func (o *output) named(n *names, addrs []netip.Addr) map[netip.Addr]string {
	list := map[netip.Addr]string{}
	for _, addr := range addrs {
		if o.config.numeric {
			break
		}
		if name := n.of(addr); name != "" {
			list[addr] = name
		}
	}
	return list
}
