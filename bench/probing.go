//go:build linux

package main

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"sync"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// atATime is how many of pro-bing's Pingers, each with a socket of its own, a sweep has at a time.
const atATime = 256

// proBing is the library pro-bing, with a Pinger for each call.
type proBing struct {
	timeout time.Duration
}

func newProbing(timeout time.Duration) (library, error) { return &proBing{timeout}, nil }

func (b *proBing) Close() error { return nil }

// drops is not known: pro-bing does not tell.
func (b *proBing) drops() int { return 0 }

func newProber(host string, n int) *probing.Pinger {
	p := probing.New(host)
	p.SetPrivileged(false)
	p.Size = payload
	p.RecordRtts, p.RecordTTLs = false, false
	if n > 0 {
		p.Count = n
	}
	return p
}

func (b *proBing) ping(host string) error {
	p := newProber(host, 1)
	p.Timeout = b.timeout
	if err := p.Run(); err != nil {
		return err
	}
	if p.PacketsRecv == 0 {
		return errLost
	}
	return nil
}

func (b *proBing) stream(ctx context.Context, host string, n int, interval time.Duration,
	got func(time.Duration),
) error {
	p := newProber(host, n)
	p.Interval = interval
	if n > 0 {
		p.Timeout = time.Duration(n)*interval + b.timeout
	}
	p.OnRecv = func(packet *probing.Packet) { got(packet.Rtt) }
	if err := p.RunWithContext(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

func (b *proBing) sweep(addrs iter.Seq[netip.Addr], got func(answered bool)) error {
	type result struct {
		answered bool
		err      error
	}
	hosts, results := make(chan string), make(chan result)
	var pingers sync.WaitGroup
	for range atATime {
		pingers.Go(func() {
			for host := range hosts {
				err := b.ping(host)
				r := result{answered: err == nil}
				if !errors.Is(err, errLost) {
					r.err = err
				}
				results <- r
			}
		})
	}
	go func() {
		for addr := range addrs {
			hosts <- addr.String()
		}
		close(hosts)
		pingers.Wait()
		close(results)
	}()
	var failure error
	for r := range results {
		if r.err != nil {
			failure = r.err
			continue
		}
		got(r.answered)
	}
	return failure
}
