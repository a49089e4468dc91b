package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/icmpsock/ping"
)

// parseInterface reads the argument of -probe.
func parseInterface(s string, id *ping.InterfaceID) error {
	*id = ping.InterfaceID{}
	addr, neighbour := strings.CutPrefix(s, "neighbour:")
	if a, err := netip.ParseAddr(addr); err == nil && a.Zone() == "" {
		id.Addr, id.Neighbour = a, neighbour
		return nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case neighbour:
		return errors.New("want an address after neighbour:, without a zone")
	case err == nil && n > 0 && n <= 1<<31-1:
		id.Index = n
	case err != nil && s != "" && len(s) <= 63 && !strings.Contains(s, "\x00"):
		id.Name = s
	default:
		return errors.New("want a name of 1 to 63 bytes, a number from 1 to 2147483647, or an address")
	}
	return nil
}

// A probeRecord is a line of -probe -json.
type probeRecord struct {
	Host      string               `json:"host"`
	Interface string               `json:"interface"`
	Status    ping.InterfaceStatus `json:"status"`
}

// probeAll asks each host for the state of the interface, and returns the exit status.
func (o *output) probeAll(ctx context.Context, p *ping.Pinger) int {
	var running sync.WaitGroup
	status := make([]int, len(o.config.hosts))
	for i, host := range o.config.hosts {
		running.Go(func() {
			s, err := p.AskInterface(ctx, host, o.config.probe)
			status[i] = o.showProbe(host, s, err)
		})
	}
	running.Wait()
	if o.failed {
		return 2
	}
	return slices.Max(status)
}

// showProbe shows what one host has told, and returns what that means for the exit status.
func (o *output) showProbe(host string, s ping.InterfaceStatus, err error) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := fmt.Sprintf("%v of %s (%v): ", o.config.probe, host, s.Reply.Target)
	var refused *ping.ICMPError
	var cannot ping.InterfaceError
	status := 1
	switch {
	case err == nil:
		status = 0
		text += fmt.Sprintf("%v, time=%.3f ms", s, ms(s.Reply.RTT))
	case errors.Is(err, context.Canceled):
		return status
	case errors.As(err, &cannot):
		text += cannot.Error()
	case errors.As(err, &refused):
		text = fmt.Sprintf("%s: From %v: %s", host, refused.From, refused.Reason())
	case errors.Is(err, ping.ErrTimeout):
		text = "no answer from " + host + elsewhere(err)
	default:
		o.giveUp(host, err)
		return 2
	}
	if o.config.json {
		o.encode(probeRecord{host, o.config.probe.String(), s})
	} else {
		o.print(text)
	}
	return status
}
