package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/icmpsock/ping"
)

// An mtuRecord is a line of -mtu -json.
type mtuRecord struct {
	Host   string     `json:"host"`
	Target netip.Addr `json:"target"`
	MTU    int        `json:"mtu,omitempty"`
	Kind   string     `json:"kind,omitempty"` // of Error
	Error  string     `json:"error,omitempty"`
}

// An mtuHopRecord is a line of -mtu -v -json.
type mtuHopRecord struct {
	Host string      `json:"host"`
	Hop  ping.MTUHop `json:"hop"`
}

// mtuAll finds the path MTU to each host, and returns the exit status.
func (o *output) mtuAll(ctx context.Context, p *ping.Pinger) int {
	if o.config.verbose {
		return o.mtuHops(ctx, p)
	}
	var running sync.WaitGroup
	status := make([]int, len(o.config.hosts))
	for i, host := range o.config.hosts {
		running.Go(func() {
			addr, err := p.Resolve(ctx, host)
			mtu := 0
			if err == nil {
				mtu, err = p.PathMTU(ctx, addr.String())
			}
			status[i] = o.showMTU(mtuRecord{Host: host, Target: addr, MTU: mtu}, err)
		})
	}
	running.Wait()
	if o.failed {
		return 2
	}
	return slices.Max(status)
}

// mtuHops finds the path MTU to each host hop by hop, one host after another, and returns the exit status.
func (o *output) mtuHops(ctx context.Context, p *ping.Pinger) int {
	status := 0
	for _, host := range o.config.hosts {
		addr, err := p.Resolve(ctx, host)
		mtu := 0
		if err == nil {
			mtu, err = o.mtuHopsTo(ctx, p, host, addr)
		}
		status = max(status, o.showMTU(mtuRecord{Host: host, Target: addr, MTU: mtu}, err))
	}
	if o.failed {
		return 2
	}
	return status
}

// mtuHopsTo shows the hops to one host as they come, and returns the path MTU.
func (o *output) mtuHopsTo(ctx context.Context, p *ping.Pinger, host string, addr netip.Addr) (int, error) {
	mtu, reached := 0, false
	for h, err := range p.TraceMTU(ctx, addr.String()) {
		if err != nil {
			return mtu, err
		}
		if h.Reached {
			mtu, reached = h.MTU, true
		}
		if o.config.json {
			o.encode(mtuHopRecord{host, h})
		} else {
			o.print(mtuHopText(h))
		}
	}
	if !reached {
		return 0, ping.ErrTimeout
	}
	return mtu, nil
}

// mtuHopText is a line of -mtu -v: the distance, who answered and after how long, what gets there, and who says so.
func mtuHopText(h ping.MTUHop) string {
	text := fmt.Sprintf("%2d  ", h.Distance)
	switch {
	case h.Distance == 0:
		text += "this host"
	case !h.Router.IsValid():
		text += "*"
	default:
		text += fmt.Sprintf("%v  %.3f ms", h.Router, float64(h.RTT)/1e6) + natText(h.NAT, h.Quoted)
	}
	if h.MTU > 0 {
		text += fmt.Sprintf("  %d bytes", h.MTU)
	}
	if h.NamedBy.IsValid() {
		text += fmt.Sprintf(", says %v", h.NamedBy)
	}
	return text
}

// showMTU shows what was found for one host, and returns what that means for the exit status.
func (o *output) showMTU(r mtuRecord, err error) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	var refused *ping.ICMPError
	text := fmt.Sprintf("path MTU to %s (%v): %d bytes", r.Host, r.Target, r.MTU)
	r.Kind = ping.ErrorKind(err)
	status := 1
	switch interrupted := errors.Is(err, context.Canceled); {
	case err == nil:
		status = 0
	case interrupted && r.MTU == 0:
		return status
	case interrupted:
		r.Error = "interrupted"
		text += " or more (interrupted)"
	case r.MTU > 0 && errors.As(err, &refused):
		r.Error = refused.Error()
		text += fmt.Sprintf(" or more (%v)", refused)
	case r.MTU > 0 && errors.Is(err, ping.ErrTimeout):
		r.Error = ping.ErrTimeout.Error()
		text += fmt.Sprintf(" or more (%v)", ping.ErrTimeout)
	case errors.As(err, &refused):
		r.Error = refused.Error()
		text = fmt.Sprintf("%s: From %v: %s", r.Host, refused.From, refused.Reason())
	case errors.Is(err, ping.ErrTimeout):
		r.Error = ping.ErrTimeout.Error() + elsewhere(err)
		text = "no answer from " + r.Host + elsewhere(err)
	default:
		o.giveUp(r.Host, err)
		return 2
	}
	if o.config.json {
		o.encode(r)
	} else {
		o.print(text)
	}
	return status
}
