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

// mtuAll finds the path MTU to each host, and returns the exit status.
func (o *output) mtuAll(ctx context.Context, p *ping.Pinger) int {
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
