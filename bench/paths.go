//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/icmpsock/ping"
)

// withPinger opens a Pinger that has pinged a host once, so that all devices on the way know each other.
func withPinger(host string, work func(*ping.Pinger, job) (sample, error)) func(job) (sample, error) {
	return func(j job) (s sample, err error) {
		p, err := ping.New()
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		if _, err := p.Ping(context.Background(), host); err != nil {
			return s, err
		}
		return work(p, j)
	}
}

// pathMTU finds the path MTU to each of the job's far hosts, of all at the same time.
func pathMTU(p *ping.Pinger, j job) (s sample, err error) {
	s.Echoes = j.Targets
	failures := make([]error, j.Targets)
	var calls sync.WaitGroup
	m := startMeter()
	mark()
	for i := range j.Targets {
		calls.Go(func() {
			mtu, err := p.PathMTU(context.Background(), farHost(i))
			if err == nil && mtu != linkMTU {
				err = fmt.Errorf("the path MTU of %s is said to be %d, not %d", farHost(i), mtu, linkMTU)
			}
			failures[i] = err
		})
	}
	calls.Wait()
	mark()
	return s, errors.Join(append(failures, m.stop(&s))...)
}

// tooBig sends a packet of one byte more than the link carries, not to be fragmented, as often as the job has echoes.
func tooBig(p *ping.Pinger, j job) (s sample, err error) {
	const size = linkMTU - 20 - 8 + 1 // the headers of IP and ICMP are 20 and 8
	m := startMeter()
	mark()
	for range j.Echoes {
		s.Echoes++
		_, err := p.Ping(context.Background(), farHost(0), ping.WithSize(size), ping.WithDontFragment(true))
		if !errors.Is(err, unix.EMSGSIZE) {
			return s, fmt.Errorf("a packet bigger than the link's MTU: %v", err)
		}
	}
	mark()
	return s, m.stop(&s)
}

const (
	healthyPause = time.Millisecond // between two pings of a healthy host
	refusedEvery = time.Second
)

// healthy pings a healthy host again and again, beside a stream to each of the job's targets, which are refused. For
// each ping the sample has how much longer it took than the round trip.
func healthy(p *ping.Pinger, j job) (s sample, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	j.Interval = refusedEvery
	wait := callEach(j, func(i int) error {
		for r, err := range p.Stream(ctx, refusedHost(i), ping.WithInterval(j.Interval)) {
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return err
			case r.Err == nil:
				return errors.New("it is not refused, but answers")
			}
		}
		return nil
	})
	m := startMeter()
	for err == nil && time.Since(m.start) < j.Length {
		var r ping.Reply
		start := time.Now()
		r, err = p.Ping(ctx, loopback(0))
		s.RTTs = append(s.RTTs, time.Since(start)-r.RTT)
		s.Echoes++
		time.Sleep(healthyPause)
	}
	cancel()
	return s, errors.Join(err, wait(), m.stop(&s))
}
