//go:build linux

package main

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"

	"github.com/icmpsock/ping"
)

// ours is this library, with one Pinger for all.
type ours struct {
	pinger *ping.Pinger
}

func newOurs(timeout time.Duration, wire bool) (library, error) {
	p, err := ping.New(ping.WithTimeout(timeout), ping.WithWireTimestamps(wire))
	if err != nil {
		return nil, err
	}
	return &ours{p}, nil
}

func (o *ours) Close() error { return o.pinger.Close() }

func (o *ours) drops() int { return int(o.pinger.Counters().LocalDrops) }

func (o *ours) ping(host string) error {
	_, err := o.pinger.Ping(context.Background(), host)
	if errors.Is(err, ping.ErrTimeout) {
		return errLost
	}
	return err
}

func (o *ours) stream(ctx context.Context, host string, n int, interval time.Duration, got func(time.Duration)) error {
	opts := []ping.ProbeOption{ping.WithInterval(interval)}
	if n > 0 {
		opts = append(opts, ping.WithCount(n))
	}
	for r, err := range o.pinger.Stream(ctx, host, opts...) {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case r.Err == nil:
			got(r.RTT)
		}
	}
	return nil
}

// watch pings n targets by one Watcher until ctx ends, and calls got for each answer.
func (o *ours) watch(ctx context.Context, n int, interval time.Duration, got func()) error {
	w, err := o.pinger.NewWatcher(ping.WithInterval(interval))
	if err != nil {
		return err
	}
	defer w.Close()
	for i := range n {
		if err := w.Add(int64(i), netip.AddrFrom4(address(i))); err != nil {
			return err
		}
	}
	for _, r := range w.Replies(ctx) {
		if r.Err == nil {
			got()
		}
	}
	return nil
}

func (o *ours) sweep(addrs iter.Seq[netip.Addr], got func(answered bool)) error {
	for _, r := range o.pinger.Sweep(context.Background(), addrs) {
		if r.Err != nil && !errors.Is(r.Err, ping.ErrTimeout) {
			return r.Err
		}
		got(r.Err == nil)
	}
	return nil
}
