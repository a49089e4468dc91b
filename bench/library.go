//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	monitors "github.com/icmpsock/ping/monitor"
)

const (
	payload    = 56   // bytes, of every contender
	warmEchoes = 4096 // to as many targets, before a measurement begins
	busyLoops  = 4    // goroutines that compete with those that ping
)

// A library pings, for the works that can be done with any.
type library interface {
	// ping sends one echo and returns errLost if it is not answered.
	ping(host string) error
	// stream sends n echoes (0: until ctx ends) an interval apart, and calls got for each that is answered.
	stream(ctx context.Context, host string, n int, interval time.Duration, got func(rtt time.Duration)) error
	// sweep sends one echo to each address, as fast as it can, and calls got for each that is settled.
	sweep(addrs iter.Seq[netip.Addr], got func(answered bool)) error
	// drops is how many replies the library's sockets dropped, as far as it can tell.
	drops() int
	Close() error
}

var errLost = errors.New("no answer")

// libraries are the ways to open one, by name.
var libraries = map[string]func(timeout time.Duration) (library, error){
	"ours":     func(timeout time.Duration) (library, error) { return newOurs(timeout, false) },
	"wire":     func(timeout time.Duration) (library, error) { return newOurs(timeout, true) },
	"pro-bing": newProbing,
}

// withLibrary opens the library that the job names.
func withLibrary(work func(library, job) (sample, error)) func(job) (sample, error) {
	return func(j job) (s sample, err error) {
		open, ok := libraries[j.Library]
		if !ok {
			return s, fmt.Errorf("no library %q", j.Library)
		}
		if j.Timeout == 0 {
			j.Timeout = time.Second
		}
		l, err := open(j.Timeout)
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		return work(l, j)
	}
}

// withOurs is withLibrary for the works that only this library can do.
func withOurs(work func(*ours, job) (sample, error)) func(job) (sample, error) {
	return withLibrary(func(l library, j job) (sample, error) {
		o, ok := l.(*ours)
		if !ok {
			return sample{}, fmt.Errorf("%s cannot do it", j.Library)
		}
		return work(o, j)
	})
}

// address is the target with the given index, from 0.
func address(i int) [4]byte {
	i++
	return [4]byte{127, byte(i >> 16), byte(i >> 8), byte(i)}
}

// loopback is its text.
func loopback(i int) string { return netip.AddrFrom4(address(i)).String() }

// addresses are n different targets.
func addresses(n int) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range n {
			if !yield(netip.AddrFrom4(address(i))) {
				return
			}
		}
	}
}

// sweep sweeps all the targets, as often as the job has echoes.
func sweep(l library, j job) (s sample, err error) {
	if err := l.sweep(addresses(min(j.Targets, warmEchoes)), func(bool) {}); err != nil {
		return s, err
	}
	m := startMeter()
	for range j.Echoes {
		err := l.sweep(addresses(j.Targets), func(answered bool) {
			s.Echoes++
			if !answered {
				s.Lost++
			}
		})
		if err != nil {
			return s, err
		}
	}
	err = m.stop(&s)
	s.Drops = l.drops()
	return s, err
}

// serial pings one target again and again.
func serial(l library, j job) (s sample, err error) {
	host := loopback(0)
	for range min(j.Echoes, warmEchoes) / 4 {
		if err := l.ping(host); err != nil {
			return s, err
		}
	}
	m := startMeter()
	for range j.Echoes {
		s.Echoes++
		switch err := l.ping(host); {
		case errors.Is(err, errLost):
			s.Lost++
		case err != nil:
			return s, err
		}
	}
	return s, m.stop(&s)
}

// stream sends one target a series of echoes.
func stream(l library, j job) (s sample, err error) {
	host := loopback(0)
	series := func(n int) error {
		return l.stream(context.Background(), host, n, j.Interval, func(time.Duration) { s.Echoes++ })
	}
	if err := series(min(j.Echoes, warmEchoes) / 4); err != nil {
		return s, err
	}
	s.Echoes = 0
	m := startMeter()
	err = series(j.Echoes)
	s.Lost = j.Echoes - s.Echoes
	return s, errors.Join(err, m.stop(&s))
}

// monitor has a stream to each target, and measures them once all are under way.
func monitor(l library, j job) (s sample, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var answered atomic.Int64
	wait := callEach(j, func(i int) error {
		return l.stream(ctx, loopback(i), 0, j.Interval, func(time.Duration) { answered.Add(1) })
	})
	err = measure(j, &s, answered.Load, j.Targets+1)
	cancel()
	return s, errors.Join(err, wait())
}

// watch has one loop for all targets, and measures it once all are under way.
func watch(o *ours, j job) (s sample, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var answered atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- o.watch(ctx, j.Targets, j.Interval, func() { answered.Add(1) }) }()
	const callers = 2 // the loop's goroutine and this one
	err = measure(j, &s, answered.Load, callers)
	cancel()
	return s, errors.Join(err, <-ended)
}

// states has a Monitor watch all targets, and measures it once all are under way.
func states(o *ours, j job) (s sample, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := monitors.New(o.pinger)
	for i := range j.Targets {
		target := monitors.Target{Host: netip.AddrFrom4(address(i)).String(), Interval: j.Interval}
		if err := m.Add(target); err != nil {
			cancel()
			return s, err
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	answered := func() (n int64) {
		for s := range m.Statuses() {
			n += int64(s.Counts.Received)
		}
		return n
	}
	const callers = 2 // the loop's goroutine and this one
	err = measure(j, &s, answered, callers)
	cancel()
	return s, errors.Join(err, <-ended)
}

// measure measures what is under way after an interval and a half, for as long as the job says.
func measure(j job, s *sample, answered func() int64, callers int) error {
	time.Sleep(j.Interval + j.Interval/2)
	m, before := startMeter(), answered()
	time.Sleep(j.Length)
	s.Echoes = int(answered() - before)
	s.Goroutines = runtime.NumGoroutine() - callers
	return m.stop(s)
}

// busy has a stream to each target, in a process that is busy with something else.
func busy(l library, j job) (s sample, err error) {
	stop := compute(busyLoops)
	defer stop()
	var mu sync.Mutex
	m := startMeter()
	wait := callEach(j, func(i int) error {
		own := make([]time.Duration, 0, j.Echoes)
		got := func(rtt time.Duration) { own = append(own, rtt) }
		err := l.stream(context.Background(), loopback(i), j.Echoes, j.Interval, got)
		mu.Lock()
		defer mu.Unlock()
		s.RTTs = append(s.RTTs, own...)
		return err
	})
	if err := wait(); err != nil {
		return s, err
	}
	s.Echoes = j.Targets * j.Echoes
	s.Lost = s.Echoes - len(s.RTTs)
	return s, m.stop(&s)
}

// callEach makes a call for each target, in goroutines that begin one after another within an interval, and returns
// what waits for them.
func callEach(j job, call func(target int) error) (wait func() error) {
	var callers sync.WaitGroup
	failures := make([]error, j.Targets)
	for i := range j.Targets {
		callers.Go(func() {
			time.Sleep(time.Duration(i) * j.Interval / time.Duration(j.Targets))
			if err := call(i); err != nil {
				failures[i] = fmt.Errorf("target %d: %w", i, err)
			}
		})
	}
	return func() error {
		callers.Wait()
		for _, err := range failures {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// compute starts n goroutines that compute and allocate until stop is called.
func compute(n int) (stop func()) {
	var ended atomic.Bool
	var loops sync.WaitGroup
	for range n {
		loops.Go(func() {
			var keep [64][]byte
			for i := 0; !ended.Load(); i++ {
				block := make([]byte, 4096)
				for j := range block {
					block[j] = byte(i)
				}
				keep[i%len(keep)] = block
			}
		})
	}
	return func() {
		ended.Store(true)
		loops.Wait()
	}
}
