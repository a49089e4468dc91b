//go:build linux

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A row compares contenders at one thing.
type row struct {
	name, title string
	contenders  []contender
	figures     []figure
	// around prepares for the row, and returns what undoes that.
	around func() (restore func() error, err error)
}

// A contender does what the row is about, once a turn.
type contender struct {
	name string
	run  func() (sample, error)
	// lacks is why it cannot run on this machine.
	lacks error
}

// A size is how much each row does.
type size struct {
	sweep, probing, flood, fping int // echoes of a sweep, by contender
	million, tenThousand         int // echoes of sweep-million, by contender
	allocations                  int // echoes
	serial, probingSerial        int // echoes of ping-serial, by contender
	monitored                    int // targets
	monitor, probingMonitor      time.Duration
	series                       int // echoes to each target of rtt-error
	healthy                      time.Duration
	scale                        int // echoes of a run of scale
}

var (
	full = size{
		sweep: 200_000, probing: 6_000, flood: 100_000, fping: mostFping,
		million: 1_000_000, tenThousand: 200_000,
		allocations: 50_000,
		serial:      50_000, probingSerial: 300,
		monitored: 10_000, monitor: 3 * time.Second, probingMonitor: 2 * time.Second,
		series: 200, healthy: 5 * time.Second,
		scale: 50_000,
	}
	quick = size{
		sweep: 30_000, probing: 1_000, flood: 20_000, fping: 20_000,
		million: 100_000, tenThousand: 50_000,
		allocations: 20_000,
		serial:      10_000, probingSerial: 60,
		monitored: 2_000, monitor: time.Second, probingMonitor: time.Second,
		series: 20, healthy: 2 * time.Second,
		scale: 10_000,
	}
)

const (
	bare       = "bare loop"
	sweepName  = "Sweep"
	probing256 = "pro-bing, 256 at once"
	proBingOne = "pro-bing"
	silentAll  = 65_536
	silentWait = 500 * time.Millisecond
	rttTargets = 100
	receive    = "receive stamps"
	wire       = "wire stamps"
)

func rows(z size, limit bareContenders) []row {
	return []row{
		sweepOneCore(z, limit), sweepTwoCores(z, limit), allocations(z), pingSerial(z, limit), monitored(z, limit),
		sweepMillion(z), silent(), noLoss(z), rttError(z), pathMTUCalls(), pathMTUs(), refused(z),
	}
}

var (
	echoRate = figure{name: "echoes/s", of: sample.rate}
	cpu      = figure{name: "CPU, us/echo", of: sample.cpuPerEcho}
	switched = figure{name: "switches/500,000", of: func(s sample) float64 { return s.switchesPer(500_000) }}
	lost     = figure{name: "lost", of: sample.lost}
	memory   = figure{name: "peak memory, MB", of: sample.megabytes}
)

// job returns a contender that is a process of this program.
func (s setting) job(name string, j job) contender {
	return contender{name: name, run: func() (sample, error) { return s.do(j) }}
}

// bareContenders are made of the program of system calls alone.
type bareContenders struct {
	loop  bareLoop
	lacks error
}

func (b bareContenders) sweep(name string, s setting, n, sockets int) contender {
	return contender{name: name, lacks: b.lacks, run: func() (sample, error) { return b.loop.sweep(s, n, sockets) }}
}

func (b bareContenders) serial(s setting, n int) contender {
	return contender{name: bare, lacks: b.lacks, run: func() (sample, error) { return b.loop.serial(s, n) }}
}

func (b bareContenders) monitor(s setting, n, targets int) contender {
	return contender{name: bare, lacks: b.lacks, run: func() (sample, error) { return b.loop.monitor(s, n, targets) }}
}

// installed returns a contender that is another program.
func installed(name, program string, run func() (sample, error)) contender {
	_, err := exec.LookPath(program)
	return contender{name: name, run: run, lacks: err}
}

func sweepOneCore(z size, limit bareContenders) row {
	one := setting{pinned: true, processors: 1}
	return row{
		name:  "sweep-1core",
		title: fmt.Sprintf("an echo to each of %s addresses, on one processor", number(float64(z.sweep))),
		contenders: []contender{
			limit.sweep(bare, one, z.sweep, 1),
			one.job(sweepName, job{Work: "sweep", Library: "ours", Targets: z.sweep, Echoes: 1}),
			one.job(probing256, job{Work: "sweep", Library: "pro-bing", Targets: z.probing, Echoes: 1}),
			installed("fping", "fping", func() (sample, error) { return one.fping(z.fping) }),
			installed("ping -f", "ping", func() (sample, error) { return one.floodPing(z.flood) }),
		},
		figures: []figure{
			echoRate,
			{name: "of the bare loop", of: sample.rate, against: bare, relate: ratio, only: []string{sweepName},
				targets: map[string]target{sweepName: atLeast(0.95)}, checked: true},
			cpu,
			{name: "CPU of the bare loop", of: sample.cpuPerEcho, against: bare, relate: ratio, only: []string{sweepName}},
			{name: switched.name, of: switched.of, only: []string{bare, sweepName},
				targets: map[string]target{sweepName: atMost(2_000)}, checked: true},
			lost,
		},
	}
}

func sweepTwoCores(z size, limit bareContenders) row {
	const one, two, bare2 = "Sweep, GOMAXPROCS=1", "Sweep, GOMAXPROCS=2", "2 bare loops"
	sweep := job{Work: "sweep", Library: "ours", Targets: z.sweep, Echoes: 1}
	r := row{
		name:  "sweep-2core",
		title: "the same Sweep on two processors",
		contenders: []contender{
			limit.sweep(bare, setting{}, z.sweep, 1),
			limit.sweep(bare2, setting{}, z.sweep, 2),
			setting{processors: 1}.job(one, sweep),
			setting{processors: 2}.job(two, sweep),
		},
		figures: []figure{
			echoRate,
			{name: "of one bare loop", of: sample.rate, against: bare, relate: ratio, only: []string{bare2}},
			{name: "of GOMAXPROCS=1", of: sample.rate, against: one, relate: ratio, only: []string{two},
				targets: map[string]target{two: atLeast(1.7)}, checked: true},
			{name: "of 2 bare loops", of: sample.rate, against: bare2, relate: ratio, only: []string{two}},
		},
	}
	if runtime.NumCPU() < 2 {
		lacks := errors.New("the machine has one processor")
		r.contenders[1].lacks, r.contenders[3].lacks = lacks, lacks
	}
	return r
}

func allocations(z size) row {
	const ping, stream = "Ping", "Stream"
	none := atMost(0.01)
	return row{
		name:  "allocations",
		title: "on the heap, for each echo",
		contenders: []contender{
			setting{}.job(sweepName, job{Work: "sweep", Library: "ours", Targets: z.allocations, Echoes: 1}),
			setting{}.job(stream, job{Work: "stream", Library: "ours", Echoes: z.allocations}),
			setting{}.job(ping, job{Work: "serial", Library: "ours", Echoes: z.allocations}),
			setting{}.job("pro-bing, one Pinger",
				job{Work: "stream", Library: "pro-bing", Echoes: z.probingSerial, Interval: time.Millisecond}),
			setting{}.job("pro-bing, one an echo", job{Work: "serial", Library: "pro-bing", Echoes: z.probingSerial}),
		},
		figures: []figure{{name: "allocations/echo", of: sample.allocations,
			targets: map[string]target{sweepName: none, stream: none, ping: none}, checked: true}},
	}
}

func pingSerial(z size, limit bareContenders) row {
	const ping = "Ping"
	return row{
		name:  "ping-serial",
		title: "one echo after another",
		contenders: []contender{
			limit.serial(setting{}, z.serial),
			setting{}.job(ping, job{Work: "serial", Library: "ours", Echoes: z.serial}),
			setting{}.job(proBingOne, job{Work: "serial", Library: "pro-bing", Echoes: z.probingSerial}),
		},
		figures: []figure{
			{name: "us/echo", of: sample.wallPerEcho},
			{name: "times the bare loop", of: sample.wallPerEcho, against: bare, relate: ratio},
			cpu,
			{name: "CPU of the bare loop", of: sample.cpuPerEcho, against: bare, relate: ratio,
				targets: map[string]target{ping: atMost(1.35)}, checked: true},
			switched,
		},
	}
}

func monitored(z size, limit bareContenders) row {
	const stream, watcher, states = "Stream", "Watcher", "Monitor"
	second := func(work, library string, length time.Duration) job {
		return job{Work: work, Library: library, Targets: z.monitored, Interval: time.Second, Length: length}
	}
	theirs := setting{}.job(proBingOne, second("monitor", "pro-bing", z.probingMonitor))
	theirs.lacks = enoughFiles(z.monitored)
	return row{
		name:  "monitor",
		title: fmt.Sprintf("%s targets, each once a second", number(float64(z.monitored))),
		contenders: []contender{
			limit.monitor(setting{}, z.monitored*int(z.monitor/time.Second), z.monitored),
			setting{}.job(watcher, second("watch", "ours", z.monitor)),
			setting{}.job(states, second("states", "ours", z.monitor)),
			setting{}.job(stream, second("monitor", "ours", z.monitor)),
			theirs,
		},
		figures: []figure{
			echoRate,
			{name: cpu.name, of: cpu.of, targets: map[string]target{stream: atMost(15), watcher: atMost(10)}},
			{name: "CPU of the bare loop", of: sample.cpuPerEcho, against: bare, relate: ratio,
				targets: map[string]target{stream: atMost(2.2), watcher: atMost(1.5), states: atMost(1.6)}, checked: true},
			{name: memory.name, of: memory.of, only: []string{watcher, states, stream, proBingOne},
				targets: map[string]target{stream: atMost(60), watcher: atMost(25), states: atMost(60)}},
			{name: "beyond the idle process, MB", of: sample.moreMegabytes, only: []string{watcher, states, stream, proBingOne}},
			{name: "goroutines", of: sample.goroutines, only: []string{watcher, states, stream, proBingOne},
				targets: map[string]target{stream: atMost(10), watcher: atMost(9), states: atMost(19)}, checked: true},
		},
	}
}

// enoughFiles says why a process may not have n sockets.
func enoughFiles(n int) error {
	const others = 100
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < uint64(n+others) {
		return fmt.Errorf("%d open files are allowed (ulimit -Hn), fewer than the %d sockets", limit.Max, n)
	}
	return nil
}

func sweepMillion(z size) row {
	const targets = 10_000
	few := "Sweeps of " + number(targets)
	many := "Sweep of " + number(float64(z.million))
	return row{
		name:  "sweep-million",
		title: "very many addresses in one Sweep",
		contenders: []contender{
			setting{}.job(few, job{Work: "sweep", Library: "ours", Targets: targets, Echoes: z.tenThousand / targets}),
			setting{}.job(many, job{Work: "sweep", Library: "ours", Targets: z.million, Echoes: 1}),
		},
		figures: []figure{
			echoRate,
			{name: "of the smaller's", of: sample.rate, against: few, relate: ratio,
				targets: map[string]target{many: atLeast(0.95)}, checked: true},
			memory,
			{name: "more memory, MB", of: sample.megabytes, against: few, relate: difference,
				targets: map[string]target{many: atMost(16)}},
			lost,
		},
	}
}

func silent() row {
	return row{
		name:  "silent",
		title: number(silentAll) + " addresses that do not answer, timeout " + silentWait.String(),
		contenders: []contender{
			setting{}.job(sweepName, job{Work: "sweep", Library: "ours", Targets: silentAll, Echoes: 1, Timeout: silentWait}),
		},
		figures: []figure{
			{name: "timed out", of: sample.lost, targets: map[string]target{sweepName: atLeast(silentAll)}, checked: true},
			{name: "seconds", of: sample.seconds, targets: map[string]target{sweepName: atMost(1.5)}},
		},
		around: silence,
	}
}

func noLoss(z size) row {
	none := map[string]target{sweepName: atMost(0)}
	return row{
		name:  "no-loss",
		title: fmt.Sprintf("%s addresses at full speed", number(float64(z.sweep))),
		contenders: []contender{
			setting{}.job(sweepName, job{Work: "sweep", Library: "ours", Targets: z.sweep, Echoes: 1}),
		},
		figures: []figure{
			{name: lost.name, of: lost.of, targets: none, checked: true},
			{name: "dropped here", of: sample.drops, targets: none, checked: true},
		},
	}
}

func rttError(z size) row {
	loaded := func(name, library string) contender {
		return setting{}.job(name, job{
			Work: "busy", Library: library, Targets: rttTargets, Echoes: z.series,
			Interval: 20 * time.Millisecond, Timeout: patience / 2,
		})
	}
	at := func(name string, q, limitReceive, limitWire float64) figure {
		return figure{name: name, of: func(s sample) float64 { return s.rtt(q) },
			targets: map[string]target{receive: atMost(limitReceive), wire: atMost(limitWire)}}
	}
	maximum := at("max, us", 1, 0, 1000)
	delete(maximum.targets, receive)
	return row{
		name:       "rtt-error",
		title:      "RTT over loopback beside 4 busy goroutines",
		contenders: []contender{loaded(receive, "ours"), loaded(wire, "wire"), loaded(proBingOne, "pro-bing")},
		figures:    []figure{at("median, us", 0.5, 10, 10), at("99th percentile, us", 0.99, 60, 40), maximum, lost},
	}
}

// scaled is how many targets scale has, and how many pro-bing has, which is much slower.
var (
	scaled        = []int{1, 10, 100, 1_000, 10_000, 100_000}
	scaledProBing = scaled[:4]
)

func scale(z size) row {
	r := row{
		name:    "scale",
		title:   "an echo to each of n targets, again and again",
		figures: []figure{echoRate, cpu},
	}
	for _, n := range scaled {
		r.contenders = append(r.contenders, setting{}.job(scaledName(sweepName, n),
			job{Work: "sweep", Library: "ours", Targets: n, Echoes: max(z.scale/n, 1)}))
	}
	for _, n := range scaledProBing {
		// Where they are few, each takes more than a millisecond.
		r.contenders = append(r.contenders, setting{}.job(scaledName(proBingOne, n),
			job{Work: "sweep", Library: "pro-bing", Targets: n, Echoes: max(min(z.scale/10/n, z.probingSerial), 1)}))
	}
	return r
}

func scaledName(name string, n int) string { return name + ", n=" + strconv.Itoa(n) }
