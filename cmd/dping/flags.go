package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/icmpsock/ping"
)

// config is what the arguments ask for.
type config struct {
	hosts       []string
	size        int
	quiet, json bool
	trace, mtu  bool // instead of pinging
	probe       ping.InterfaceID
	ask         bool // for that, instead of pinging
	watch       bool // too
	paths, dot  bool // too
	interval    time.Duration
	verbose     bool // with mtu: hop by hop
	count       int  // 0: not given
	maxHops     int
	numeric     bool
	flow        int // 0: not given, and each probe of a ping has another
	options     []ping.Option
}

// The flags that say how to do each of the seven; for any other the command has no use then.
const (
	modeFlags  = " trace watch paths mtu probe "
	pingFlags  = modeFlags + " c s t i W 4 6 q flow json "
	traceFlags = modeFlags + " c s i W 4 6 m n flow json "
	watchFlags = modeFlags + " c s i W 4 6 m n flow json "
	pathsFlags = modeFlags + " c s i W 4 6 m dot json "
	mtuFlags   = modeFlags + " c t W 4 6 flow json v "
	hopFlags   = modeFlags + " c m W 4 6 flow json v "
	probeFlags = modeFlags + " s t W 4 6 json "
)

// parse reads the arguments. On -h it writes the usage to w, and returns flag.ErrHelp.
func parse(args []string, w io.Writer) (*config, error) {
	c := &config{size: 56, maxHops: 30, interval: time.Second}
	add := func(o ping.Option) { c.options = append(c.options, o) }
	var only4, only6 bool
	f := flag.NewFlagSet("dping", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	number(f, "c", "stop after `n` probes to each host (default: when interrupted);\n"+
		"with -trace: print statistics of n rounds, a probe to each hop;\n"+
		"with -watch: n rounds; with -paths: send n probes by each path;\n"+
		"with -mtu: try a size n times before it counts as too big (default 5, 100 at most)", 1, math.MaxInt32,
		func(n int) { c.count = n; add(ping.WithCount(n)) })
	number(f, "s", "send a payload of `size` bytes (default 56)", 0, 65527,
		func(n int) { c.size = n; add(ping.WithSize(n)) })
	number(f, "t", "send with this `ttl` or hop limit (default: the system's)", 1, 255,
		func(n int) { add(ping.WithTTL(n)) })
	seconds(f, "i", "send the next probe after `interval`: seconds, or 200ms, say (default 1);\n"+
		"0: as soon as the one before is settled; -trace and -watch: 10ms at least", "0 or more", 0,
		func(d time.Duration) { c.interval = d; add(ping.WithInterval(d)) })
	seconds(f, "W", "give a probe up after `timeout`: seconds, or 200ms, say (default 1)", "more than 0", 1,
		func(d time.Duration) { add(ping.WithTimeout(d)) })
	boolean(f, "4", "use IPv4 only", &only4)
	boolean(f, "6", "use IPv6 only", &only6)
	boolean(f, "q", "quiet: show the first line and the statistics only", &c.quiet)
	boolean(f, "json", "print JSON objects, one a line", &c.json)
	boolean(f, "trace", "show the routers on the way", &c.trace)
	boolean(f, "watch", "watch the routers on the way, and what changes", &c.watch)
	boolean(f, "paths", "show the routers on all paths that flows take", &c.paths)
	boolean(f, "dot", "with -paths: print a graph for Graphviz", &c.dot)
	number(f, "m", "with -trace, -watch, -paths or -mtu -v: go no farther than `n` hops (default 30)", 1, 255,
		func(n int) { c.maxHops = n; add(ping.WithMaxHops(n)) })
	boolean(f, "n", "with -trace or -watch: look up no names", &c.numeric)
	number(f, "flow", "take the path of this `flow`, 1 to 65535, where there are several: with -trace, -watch\n"+
		"and -mtu 1 by default, else of each probe another", 1, 65535,
		func(n int) { c.flow = n })
	boolean(f, "mtu", "find the largest packet that gets there in one piece", &c.mtu)
	f.Func("probe", "ask hosts that answer it for the state of their `interface`: its name, its number, an address\n"+
		"of it, or \"neighbour:\" and the address of a neighbour", func(s string) error {
		c.ask = true
		return parseInterface(s, &c.probe)
	})
	boolean(f, "v", "with -mtu: show for each hop what gets there, and who says so", &c.verbose)

	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(w, "usage: dping [options] host...\n"+
				"       dping -trace [options] host...\n"+
				"       dping -watch [options] host\n"+
				"       dping -paths [options] host...\n"+
				"       dping -mtu [options] host...\n"+
				"       dping -probe interface [options] host...\n")
			f.SetOutput(w)
			f.PrintDefaults()
		}
		return nil, joined(f, err)
	}
	switch {
	case only4 && only6:
		return nil, errors.New("-4 and -6 exclude each other: want one of them, or neither")
	case only4:
		add(ping.WithNetwork("ip4"))
	case only6:
		add(ping.WithNetwork("ip6"))
	}
	if err := c.check(f); err != nil {
		return nil, err
	}
	if c.flow == 0 && (c.trace || c.watch || c.mtu) {
		c.flow = 1
	}
	if c.flow > 0 {
		add(ping.WithFlow(c.flow))
	}
	c.hosts = f.Args()
	if len(c.hosts) == 0 {
		return nil, errors.New("no host: want one or more names or addresses (-h shows the options)")
	}
	if c.watch && len(c.hosts) > 1 {
		return nil, fmt.Errorf("-watch takes one host: got %d", len(c.hosts))
	}
	for _, host := range c.hosts {
		if host == "" || strings.HasPrefix(host, "-") {
			return nil, fmt.Errorf("host %q: want a name or an address; options go before the hosts", host)
		}
	}
	return c, nil
}

// check refuses flags that have no effect on what is asked for.
func (c *config) check(f *flag.FlagSet) (err error) {
	allowed, with := pingFlags, "without -trace"
	var modes []string
	for _, m := range []struct {
		on   bool
		name string
	}{{c.trace, "-trace"}, {c.watch, "-watch"}, {c.paths, "-paths"}, {c.mtu, "-mtu"}, {c.ask, "-probe"}} {
		if m.on {
			modes = append(modes, m.name)
		}
	}
	switch {
	case len(modes) > 1:
		return fmt.Errorf("%s exclude each other: want one of them, or neither", strings.Join(modes, " and "))
	case c.ask:
		allowed, with = probeFlags, "with -probe"
	case c.trace:
		allowed, with = traceFlags, "with -trace"
	case c.watch:
		allowed, with = watchFlags, "with -watch"
	case c.paths:
		allowed, with = pathsFlags, "with -paths"
	case c.mtu && c.verbose:
		allowed, with = hopFlags, "with -mtu -v"
	case c.mtu:
		allowed, with = mtuFlags, "with -mtu"
	}
	switch {
	case (c.trace || c.watch || c.paths) && c.size < 8:
		return fmt.Errorf("-s %d: %s takes 8 or more", c.size, modes[0])
	case c.watch && c.interval < 10*time.Millisecond:
		return fmt.Errorf("-i %v: -watch takes 10ms or more", c.interval)
	case c.flow > 0 && c.size < 8:
		return fmt.Errorf("-s %d: -flow takes 8 or more", c.size)
	case c.mtu && c.count > 100:
		return fmt.Errorf("-c %d: -mtu takes 1 to 100", c.count)
	}
	f.Visit(func(given *flag.Flag) {
		switch {
		case given.Name == "v" && !c.mtu:
			err = errors.New("-v has no effect without -mtu")
		case given.Name == "dot" && !c.paths:
			err = errors.New("-dot has no effect without -paths")
		case given.Name == "m" && !strings.Contains(allowed, " m "):
			err = errors.New("-m has no effect without -trace, -watch, -paths or -mtu -v")
		case !strings.Contains(allowed, " "+given.Name+" "):
			err = fmt.Errorf("-%s has no effect %s", given.Name, with)
		case (c.trace || c.paths) && c.count == 0 && given.Name == "i":
			err = fmt.Errorf("-i has no effect %s unless -c is given", with)
		}
	})
	return err
}

// joined adds to the error of a flag that is unknown how to write it, if it is one that has its number joined to it, as
// ping(8) takes it.
func joined(f *flag.FlagSet, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if ok && len(name) > 1 && f.Lookup(name[:1]) != nil && strings.ContainsRune(".0123456789", rune(name[1])) {
		return fmt.Errorf("%w: want -%s %s", err, name[:1], name[1:])
	}
	return err
}

// number defines a flag for low to high.
func number(f *flag.FlagSet, name, usage string, low, high int, set func(int)) {
	f.Func(name, usage, func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want %d to %d", low, high)
		}
		set(n)
		return nil
	})
}

// seconds defines a flag for a time of low or more, in seconds as ping(8) takes it or as a time.Duration.
func seconds(f *flag.FlagSet, name, usage, want string, low time.Duration, set func(time.Duration)) {
	f.Func(name, usage, func(s string) error {
		d, err := time.ParseDuration(s)
		if _, e := strconv.ParseFloat(s, 64); e == nil {
			d, err = time.ParseDuration(s + "s")
		}
		if err != nil || d < low {
			return fmt.Errorf("want seconds (0.2) or a duration (200ms), %s", want)
		}
		set(d)
		return nil
	})
}

// boolean defines a flag that is true if it is given.
func boolean(f *flag.FlagSet, name, usage string, p *bool) {
	f.BoolFunc(name, usage, func(s string) error {
		on, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = on
		return nil
	})
}
