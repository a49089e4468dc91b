package monitor

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/icmpsock/ping"
	"github.com/icmpsock/ping/pingtest"
)

var (
	benchTargets  = flag.Int("targets", 10_000, "benchmarks: how many targets")
	benchInterval = flag.Duration("interval", time.Second, "benchmarks: the interval of each")
	benchFor      = flag.Duration("for", 10*time.Second, "benchmarks: for how long, after a warm-up of a third of that")
)

// benchAddr is one of the addresses of loopback.
func benchAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)})
}

// BenchmarkLoopback watches targets on loopback in real time, whatever b.N is: what an echo costs, and what all of it
// takes. Beside a bare loop and a Watcher the first of these measures it:
//
//	go run -C bench . -run monitor
//	go test ./monitor -run '^$' -bench 'Loopback|Instants' -benchtime 1x
//	go test ./monitor -run '^$' -bench Loopback -benchtime 1x -targets 100000 -interval 10s -for 60s
func BenchmarkLoopback(b *testing.B) {
	m := onLoopback(b)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	time.Sleep(*benchFor / 3)
	before, cpu := m.sum(), processTime(b)
	time.Sleep(*benchFor)
	used, after := processTime(b)-cpu, m.sum()
	goroutines := runtime.NumGoroutine()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(after.Received-before.Received)/benchFor.Seconds(), "echoes/s")
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(after.Received-before.Received), "us-cpu/echo")
	b.ReportMetric(float64(after.Lost+after.SendErrors), "lost")
	b.ReportMetric(residentMegabytes(b), "MB")
	b.ReportMetric(float64(goroutines), "goroutines")
}

// BenchmarkInstants is how far from its ideal instant each probe leaves, while nothing else is asked of the Monitor,
// and while its targets' Snapshots are taken again and again.
func BenchmarkInstants(b *testing.B) {
	for _, scraped := range []bool{false, true} {
		b.Run(fmt.Sprintf("scraped=%t", scraped), func(b *testing.B) {
			m := onLoopback(b)
			ctx, cancel := context.WithTimeout(b.Context(), *benchFor)
			defer cancel()
			if scraped {
				go func() {
					for ctx.Err() == nil {
						for s := range m.All() {
							_ = s.Loss(time.Minute)
						}
						time.Sleep(time.Second)
					}
				}()
			}
			off := make([]time.Duration, 0, int(float64(*benchTargets)*benchFor.Seconds()/benchInterval.Seconds()*2))
			if err := m.watchedRun(ctx, func(d time.Duration) { off = append(off, d) }); err != nil {
				b.Fatal(err)
			}
			slices.Sort(off)
			b.ReportMetric(0, "ns/op")
			for _, q := range []int{50, 99} {
				b.ReportMetric(off[len(off)*q/100].Seconds()*1e3, fmt.Sprintf("ms-off-p%d", q))
			}
		})
	}
}

// onLoopback returns a Monitor of targets on loopback.
func onLoopback(b *testing.B) *Monitor {
	p, err := ping.New()
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { p.Close() })
	m := New(p)
	for i := range *benchTargets {
		if err := m.Add(Target{Host: benchAddr(i).String(), Interval: *benchInterval}); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// watchedRun is Run that tells how long after its ideal instant each probe left.
func (m *Monitor) watchedRun(ctx context.Context, off func(time.Duration)) error {
	done, err := m.start()
	if err != nil {
		return err
	}
	defer done()
	defer m.stop()
	for id, r := range m.watcher.Replies(ctx) {
		if p := m.find(id); !r.Sent.IsZero() {
			off(time.Duration(r.Sent.UnixNano()-int64(p.phase)) % p.interval)
		}
		m.onSchedule(id, &r)
	}
	return nil
}

// sum adds up the counts of all targets.
func (m *Monitor) sum() (c Counts) {
	for s := range m.Statuses() {
		c.Received += s.Counts.Received
		c.Lost += s.Counts.Lost
		c.SendErrors += s.Counts.SendErrors
	}
	return c
}

// processTime is what this process has used of the processors.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMegabytes is the greatest share of the memory that this process had.
func residentMegabytes(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1024
}

// BenchmarkAll is one Snapshot of 10,000 targets, whose windows are full; BenchmarkStatuses the same without windows.
func BenchmarkAll(b *testing.B) {
	m := full(b)
	for b.Loop() {
		for s := range m.All() {
			if len(s.views) != 1 || len(s.views[0].codes) < 900 {
				b.Fatal("the window is not full")
			}
		}
	}
}

func BenchmarkStatuses(b *testing.B) {
	m := full(b)
	for b.Loop() {
		for s := range m.Statuses() {
			if s.Counts.Sent == 0 {
				b.Fatal("nothing is counted")
			}
		}
	}
}

// BenchmarkWindow sums up 15 minutes at 1 Hz.
func BenchmarkWindow(b *testing.B) {
	m := full(b)
	s, _ := m.Get(benchAddr(0).String())
	for b.Loop() {
		if s.Window(0).Percentile(0.99) == 0 {
			b.Fatal("no percentile")
		}
	}
}

// full returns a Monitor of 10,000 targets that has seen 15 minutes.
func full(b *testing.B) *Monitor {
	p, err := ping.New(pingtest.NewNetwork().Options()...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	m := New(p)
	for i := range *benchTargets {
		if err := m.Add(Target{Host: benchAddr(i).String()}); err != nil {
			b.Fatal(err)
		}
	}
	for _, one := range m.paths {
		one.origin -= int64(15 * time.Minute)
		for k := range int64(900) {
			one.ring.put(k, codeOf(time.Duration(k*7919%1000)*time.Microsecond))
			one.target.counts.add(firstRTT)
		}
	}
	return m
}

// BenchmarkAnswer is how long an answer takes the Monitor while Snapshots of all targets are taken again and again: it
// waits for those, if at all, for as long as some of them take.
//
//	go test ./monitor -run '^$' -bench Answer -benchtime 2000x -cpu 1,2
func BenchmarkAnswer(b *testing.B) {
	m := full(b)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			for range m.All() {
			}
		}
	}()
	r := ping.Reply{Sent: time.Now(), RTT: time.Millisecond}
	var took []time.Duration
	for b.Loop() {
		time.Sleep(200 * time.Microsecond)
		begun := time.Now()
		m.onSchedule(m.paths[0].id, &r)
		took = append(took, time.Since(begun))
	}
	cancel()
	<-ended
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	for _, q := range []int{50, 90, 99} {
		b.ReportMetric(took[len(took)*q/100].Seconds()*1e6, fmt.Sprintf("us-p%d", q))
	}
}
